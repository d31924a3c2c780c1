"""tools/package.py without a build: the same bytes twice, and refusals of what would not start on Lambda."""
import importlib.util, io, re, zipfile

import pytest

from conftest import BIN, ROOT

SPEC = importlib.util.spec_from_file_location("package", ROOT / "tools/package.py")
package = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(package)


@pytest.fixture(scope="module")
def program():
    return (BIN / "sns_publisher").read_bytes()


def test_a_package_holds_one_executable_and_no_date_of_today():
    archive = package.zipped(b"program")
    assert archive == package.zipped(b"program")
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        (entry,) = opened.infolist()
        assert (entry.filename, entry.date_time, entry.external_attr >> 16) == ("bootstrap", package.EPOCH, 0o100755)
        assert opened.read(entry) == b"program"


def test_the_glibc_that_a_program_asks_for_is_the_highest_version_named_in_it(program):
    named = {tuple(map(int, v.split(b"."))) for v in re.findall(rb"\0GLIBC_(2\.\d+)(?=[.\0])", program)}
    elf = package.Elf(program)
    assert elf.glibc() == max(named)
    assert "libc.so.6" in elf.needed() and elf.needed() <= package.LIBRARIES


def test_a_program_of_another_architecture_is_refused(program):
    other = {62: "arm64", 183: "x86_64"}[package.Elf(program).machine]
    with pytest.raises(package.Refused, match=f"not built for {other}"):
        package.check("sns_publisher", program, other)


def test_a_program_that_needs_a_newer_glibc_is_refused(program, monkeypatch):
    arch = {62: "x86_64", 183: "arm64"}[package.Elf(program).machine]
    monkeypatch.setattr(package, "GLIBC_FLOOR", (2, 3))
    with pytest.raises(package.Refused, match="needs glibc"):
        package.check("sns_publisher", program, arch)


@pytest.mark.parametrize("data", [b"#!/bin/sh\n", b"", b"\x7fELF\x01\x01"])
def test_what_is_no_program_is_refused(data):
    with pytest.raises(package.Refused, match="not a 64-bit ELF"):
        package.check("detector", data, "x86_64")


def test_the_packages_are_the_programs_that_terraform_deploys():
    source = (ROOT / "terraform/locals.tf").read_text()
    deployed = re.findall(r"^    (\w+) += ", source.split("programs = {", 1)[1].split("}", 1)[0], re.M)
    assert sorted(deployed) == sorted(package.PROGRAMS)
