"""What every check from outside needs: the built programs and a lake made by them from the sample log."""
import os, pathlib, subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "testdata/cloudtrail/invictus-stratus-2023/files"
BIN = pathlib.Path(os.environ.get("BIN", "target/debug"))
BIN = BIN if BIN.is_absolute() else ROOT / BIN


def run(program, *arguments, ok=(0,), **options):
    """Runs one of our programs; fails with its own words unless it ends with an expected exit code."""
    done = subprocess.run([BIN / program, *map(str, arguments)], capture_output=True, text=True, cwd=ROOT, **options)
    assert done.returncode in ok, f"{program} {arguments} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


def objects(lake):
    """Names and bytes of every object of a lake."""
    lake = pathlib.Path(lake)
    return {str(p.relative_to(lake)): p.read_bytes() for p in sorted(lake.rglob("*")) if p.is_file()}


@pytest.fixture(scope="session")
def lake(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lake")
    run("detector", "scan", SAMPLE, "--audit", folder, "--bus", folder.with_suffix(".bus.jsonl"))
    return folder


@pytest.fixture(scope="session")
def bus(lake):
    return lake.with_suffix(".bus.jsonl")
