"""Runs programs and tells what the kernel says they took."""
import os, re, shutil, subprocess, sys, tempfile, time
from collections import namedtuple

Run = namedtuple("Run", "wall cpu megabytes output")


def measured(command):
    """Wall seconds, CPU seconds (with all children), peak megabytes and standard output of one run."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        begin = time.monotonic()
        process = subprocess.Popen(command, stdout=out, stderr=err)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.monotonic() - begin
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode not in (0, 3, 4):
            err.seek(0)
            sys.exit(f"{' '.join(command)} ended with {process.returncode}: {err.read().decode(errors='replace')[-2000:]}")
        out.seek(0)
        return Run(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, out.read().decode())


def best(commands, rounds):
    """The best run of each command. They take turns, so that a slow minute of the machine is slow for all."""
    runs = {name: [] for name in commands}
    for _ in range(rounds):
        for name, (command, prepare) in commands.items():
            prepare()
            runs[name].append(measured(command))
    return {name: min(many, key=lambda run: run.cpu) for name, many in runs.items()}


def instructions(command):
    """Instructions of one run, counted by callgrind; None where valgrind is not installed."""
    if not shutil.which("valgrind"):
        return None
    with tempfile.TemporaryDirectory() as folder:
        tool = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={folder}/out"]
        done = subprocess.run(tool + command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    found = re.search(r"Collected : (\d+)", done.stderr)
    return int(found[1]) if found else None
