#!/usr/bin/env python3
"""Builds the Lambda packages: dist/<arch>/<program>.zip, each with one file, bootstrap, and SHA256SUMS beside them.

The same sources, toolchain and zlib give the same bytes: paths are mapped away, dates fixed. Checked before anything is written:
architecture, libraries and symbol versions (provided.al2023 has glibc 2.34), and the size of the zip.
"""
import argparse, hashlib, io, json, os, pathlib, platform, shutil, struct, subprocess, sys, zipfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
CRATES = ("stream", "remediation")
PROGRAMS = ("detector", "sns_publisher", "slack_handler", "metrics_publisher", "audit_logger", "compactor", "remediator")
# Lambda's name for an architecture: target of rustc, machine in the ELF header, C compiler of Debian and others for it.
ARCHITECTURES = {
    "x86_64": ("x86_64-unknown-linux-gnu", 62, "x86_64-linux-gnu-gcc"),
    "arm64": ("aarch64-unknown-linux-gnu", 183, "aarch64-linux-gnu-gcc"),
}
GLIBC_FLOOR = (2, 34)  # Amazon Linux 2023
LIBRARIES = {"libc.so.6", "libm.so.6", "libgcc_s.so.1", "libpthread.so.0", "libdl.so.2", "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"}
MAX_ZIP = 15_000_000  # bytes; a cold start reads all of it
EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest date that a zip can say


class Refused(Exception):
    """Why there is no package, and what to do."""


class Elf:
    """As much of a 64-bit little-endian ELF file as the checks need."""

    def __init__(self, data):
        if data[:6] != b"\x7fELF\x02\x01":
            raise Refused("not a 64-bit ELF program for Linux")
        self.data = data
        self.machine = struct.unpack_from("<H", data, 18)[0]
        start, (entry, count, names) = struct.unpack_from("<Q", data, 40)[0], struct.unpack_from("<HHH", data, 58)
        headers = [struct.unpack_from("<IIQQQQIIQQ", data, start + i * entry) for i in range(count)]
        self.sections = {self._text(headers[names][4] + h[0]): h for h in headers}
        self.strings = self.sections[".dynstr"][4] if ".dynstr" in self.sections else None

    def _text(self, at):
        return self.data[at:self.data.index(b"\0", at)].decode()

    def needed(self):
        """Names of the shared libraries."""
        if ".dynamic" not in self.sections:
            return set()
        at, size = self.sections[".dynamic"][4:6]
        entries = [struct.unpack_from("<qQ", self.data, at + i) for i in range(0, size, 16)]
        return {self._text(self.strings + value) for tag, value in entries if tag == 1}

    def glibc(self):
        """The highest version of glibc that a symbol asks for."""
        found = (0, 0)
        if ".gnu.version_r" not in self.sections:
            return found
        at, files = self.sections[".gnu.version_r"][4], self.sections[".gnu.version_r"][7]
        for _ in range(files):
            _, count, _, aux, step = struct.unpack_from("<HHIII", self.data, at)
            place = at + aux
            for _ in range(count):
                _, _, _, name, next_aux = struct.unpack_from("<IHHII", self.data, place)
                version = self._text(self.strings + name)
                if version.startswith("GLIBC_2."):
                    found = max(found, tuple(int(part) for part in version[6:].split(".")[:2]))
                place += next_aux
            at += step
        return found


def check(program, data, arch):
    """Refuses a program that would not start on provided.al2023; returns what it asks for."""
    elf = Elf(data)
    if elf.machine != ARCHITECTURES[arch][1]:
        raise Refused(f"{program} is not built for {arch}")
    if strange := elf.needed() - LIBRARIES:
        raise Refused(f"{program} needs {', '.join(sorted(strange))}, which provided.al2023 has not")
    if elf.glibc() > GLIBC_FLOOR:
        version = ".".join(map(str, elf.glibc()))
        raise Refused(f"{program} needs glibc {version}, provided.al2023 has 2.34: build on an older system, or with cargo-zigbuild (--zig)")
    return f"glibc {'.'.join(map(str, elf.glibc()))}, {len(elf.needed())} libraries"


def zipped(data):
    """One file, bootstrap, executable, without a date of today."""
    out = io.BytesIO()
    entry = zipfile.ZipInfo("bootstrap", EPOCH)
    entry.create_system = 3  # Unix, also when packed elsewhere: else the mode is lost
    entry.external_attr = 0o100755 << 16
    entry.compress_type = zipfile.ZIP_DEFLATED
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(entry, data, compresslevel=9)
    return out.getvalue()


def environment(arch, zig):
    """Paths of this machine mapped away, and the C compiler and linker of the architecture."""
    target = ARCHITECTURES[arch][0]
    home = pathlib.Path(os.environ.get("CARGO_HOME", pathlib.Path.home() / ".cargo"))
    maps = [(str(ROOT), "/src"), (str(home), "/cargo")]
    flags = [f"--remap-path-prefix={a}={b}" for a, b in maps] + ["-Clink-arg=-Wl,--build-id=none"]
    env = {**os.environ, "CARGO_ENCODED_RUSTFLAGS": "\x1f".join(flags), "SOURCE_DATE_EPOCH": "315532800",
           "CFLAGS": " ".join(f"-ffile-prefix-map={a}={b}" for a, b in maps)}
    if arch != host() and not zig:
        compiler = ARCHITECTURES[arch][2]
        env.setdefault(f"CARGO_TARGET_{target.upper().replace('-', '_')}_LINKER", compiler)
        env.setdefault(f"CC_{target.replace('-', '_')}", compiler)
    return env


def host():
    return {"x86_64": "x86_64", "amd64": "x86_64", "aarch64": "arm64", "arm64": "arm64"}.get(platform.machine().lower(), "unknown")


def lacking(arch, zig):
    """What this machine needs for an architecture and has not."""
    target, _, compiler = ARCHITECTURES[arch]
    lacks = []
    library = subprocess.run(["rustc", "--print", "target-libdir", "--target", target], capture_output=True, text=True, cwd=ROOT)
    if library.returncode or not pathlib.Path(library.stdout.strip()).is_dir():
        lacks.append(f"the standard library of Rust for it (rustup target add {target})")
    if zig and not shutil.which("cargo-zigbuild"):
        lacks.append("cargo-zigbuild and zig (pip install cargo-zigbuild ziglang)")
    if not zig and arch != host() and not shutil.which(os.environ.get(f"CC_{target.replace('-', '_')}", compiler)):
        lacks.append(f"a C compiler and linker, {compiler} (Debian: apt install gcc-{compiler.removesuffix('-gcc')}), or cargo-zigbuild with --zig")
    return lacks


def build(arch, zig):
    """Builds every program that exists and returns the folder with them and their names."""
    meta = json.loads(subprocess.run(["cargo", "metadata", "--no-deps", "--format-version=1"], capture_output=True, text=True, cwd=ROOT, check=True).stdout)
    bins = {t["name"]: p["name"] for p in meta["packages"] if p["name"] in CRATES for t in p["targets"] if "bin" in t["kind"]}
    wanted = [p for p in PROGRAMS if p in bins]
    target = ARCHITECTURES[arch][0]
    crates = [a for c in sorted({bins[p] for p in wanted}) for a in ("-p", c)]
    names = [a for p in wanted for a in ("--bin", p)]
    triple = f"{target}.2.34" if zig else target
    command = ["cargo", "zigbuild" if zig else "build", "--locked", "--profile", "lambda", "--target", triple, *crates, *names]
    print(" ".join(command), flush=True)
    if subprocess.run(command, cwd=ROOT, env=environment(arch, zig)).returncode:
        raise Refused("the build failed")
    return pathlib.Path(meta["target_directory"]) / target / "lambda", wanted


def packed(program, data, arch):
    """The zip of a program that would start on Lambda, and what there is to tell of it."""
    told = check(program, data, arch)
    archive = zipped(data)
    if len(archive) > MAX_ZIP:
        raise Refused(f"{program}.zip would have {len(archive):,} bytes, more than {MAX_ZIP:,}")
    return archive, f"{len(archive) / 1e6:.1f} MB ({len(data) / 1e6:.1f} MB unpacked), {told}"


def pack(arch, folder, programs, out):
    """Writes the packages; raises at the end when one was refused, so that all reasons are told at once."""
    out.mkdir(parents=True, exist_ok=True)
    sums, refused = [], []
    for program in PROGRAMS:
        archive = out / f"{program}.zip"
        archive.unlink(missing_ok=True)
        if program not in programs:
            refused.append(f"{program}: it is not built")
            continue
        try:
            data, told = packed(program, (folder / program).read_bytes(), arch)
        except Refused as reason:
            refused.append(str(reason))
            continue
        archive.write_bytes(data)
        sums.append(f"{hashlib.sha256(data).hexdigest()}  {program}.zip")
        print(f"{arch}/{program}.zip  {told}")
    (out / "SHA256SUMS").write_text("".join(f"{line}\n" for line in sums))
    if refused:
        raise Refused("; ".join(refused))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--arch", choices=[*ARCHITECTURES, "all"], default=host() if host() in ARCHITECTURES else "x86_64")
    parser.add_argument("--zig", action="store_true", help="build with cargo-zigbuild against glibc 2.34")
    parser.add_argument("--from", dest="folder", type=pathlib.Path, help="pack programs that are built already, from this folder")
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "dist")
    arguments = parser.parse_args()
    failed = False
    for arch in ARCHITECTURES if arguments.arch == "all" else [arguments.arch]:
        try:
            if arguments.folder:
                folder, programs = arguments.folder, [p for p in PROGRAMS if (arguments.folder / p).is_file()]
            else:
                if lacks := lacking(arch, arguments.zig):
                    raise Refused(f"this machine lacks {'; and '.join(lacks)}")
                folder, programs = build(arch, arguments.zig)
            pack(arch, folder, programs, arguments.out / arch)
        except Refused as reason:
            print(f"NOT PACKAGED for {arch}: {reason}")
            failed = True
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
