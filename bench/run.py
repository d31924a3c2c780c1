#!/usr/bin/env python3
"""Runs the detector beside its peers on generated logs and prints goals beside figures.

Every figure of a table comes from the same run on the same machine; programs take turns and the best of --rounds counts.
CPU seconds (user + system, all threads) and peak memory are those the kernel reports for the finished process. Inputs are
made by amplify.py, the same bytes each time. PERFORMANCE.md says what the figures mean.
"""
import argparse, os, platform, shutil, sys

import growth, lambda_batch
from inputs import HERE, MIXES, empty, mixed
from measure import best, instructions
from tables import Goals, table

# Measured elsewhere with its own rules, events per second and core; it is not installed here.
SUZAKU = 3_770
# The peers have one thread each, so this is what they are compared with.
ONE_THREAD = "detector scan, 1 thread"
SERDE = "serde typed parse"
# Megabytes; of larger inputs only the steady ones are read, and not by the slow peers.
LARGEST_FOR_PEERS = 1000


class Scan:
    """One input, and every program that reads it."""

    def __init__(self, args, mix, envelope, mb):
        self.mix, self.envelope, self.mb, self.args = mix, envelope, mb, args
        self.folder, self.truth = mixed(args.data, mix, envelope, mb)
        self.events, self.megabytes = self.truth["records"], self.truth["bytes_records"] / 1e6
        self.lake = os.path.join(args.data, "lake")

    def clear(self):
        shutil.rmtree(self.lake, ignore_errors=True)

    def detector(self, *more):
        return [os.path.join(self.args.bin, "detector"), "scan", self.folder, "--audit", self.lake, *more]

    def programs(self):
        peers, nothing = os.path.join(self.args.bin, "examples", "peers"), lambda: None
        peer = lambda mode: ([peers, mode, self.folder], nothing)
        read = "inflate" if self.envelope == "s3" else "read"
        found = {f"{read} only": peer("inflate")}
        ours = {ONE_THREAD: (self.detector("--threads", "1"), self.clear), "detector scan": (self.detector(), self.clear)}
        if self.mb > LARGEST_FOR_PEERS:
            return found | {SERDE: peer("serde")} | ours
        if self.envelope == "s3":
            found |= {"inflate, reader per file": peer("plain"), "inflate, libdeflate (C)": peer("libdeflate")}
        else:
            found |= {"find and parse hits": peer("find")}
        return found | {SERDE: peer("serde")} | ours

    def slow(self):
        python, nothing = self.args.python, lambda: None
        select = 'select(.eventSource == "iam.amazonaws.com" and .readOnly == false) | .eventID'
        files, program = ('-name "*.json.gz"', f".Records[] | {select}") if self.envelope == "s3" else ('-name "*.jsonl"', select)
        cat = "zcat" if self.envelope == "s3" else "cat"
        jq = f"find '{self.folder}' {files} -print0 | xargs -0 {cat} | jq -c '{program}'"
        found = {"python": ([sys.executable, os.path.join(HERE, "python_way.py"), self.folder], nothing)}
        if shutil.which("jq"):
            found["jq"] = (["sh", "-c", jq], nothing)
        if os.path.exists(python):
            found["DuckDB read_json"] = ([python, os.path.join(HERE, "duckdb_way.py"), self.folder, self.envelope], nothing)
        if shutil.which("cloudtrail-rs"):
            found["cloudtrail-rs"] = (["cloudtrail-rs", self.folder], nothing)
        return found

    def run(self, with_slow):
        runs = best(self.programs(), self.args.rounds) | (best(self.slow(), 1) if with_slow else {})
        rows = []
        for name, run in runs.items():
            rows.append([name, run.cpu, run.wall, run.cpu / run.wall, self.events / run.cpu, self.megabytes / run.cpu,
                         run.cpu * 1e6 / self.events, run.megabytes])
        title = (f"{self.mix}, {self.envelope}: {self.megabytes:,.0f} MB of events, {self.events:,} events, "
                 f"{self.truth['files']:,} deliveries")
        table(title, ["", "CPU s", "wall s", "cores", "events/s", "MB/s", "us/event", "peak MB"], rows)
        return runs


def scans(args, goals):
    runs = {}
    for mix in args.mixes:
        for envelope in args.envelopes:
            for mb in args.mb:
                if mb <= LARGEST_FOR_PEERS or mix == "steady":
                    runs[mix, envelope, mb] = Scan(args, mix, envelope, mb).run(with_slow=mix == "steady" and mb <= LARGEST_FOR_PEERS)
    print("\nevents/s and MB/s are per CPU second, that is, per core.")
    if not shutil.which("cloudtrail-rs"):
        print("cloudtrail-rs: NOT RUN, not installed")
    for envelope in args.envelopes:
        judge(args, runs, envelope, goals)


def judge(args, runs, envelope, goals):
    small, large = min(args.mb), max(args.mb)
    steady = runs.get(("steady", envelope, large))
    if steady is None:
        return
    scan, form = steady[ONE_THREAD], f"{envelope}, {large} MB"
    if envelope == "s3":
        ratio = scan.cpu / steady["inflate only"].cpu
        goals.add(f"scan CPU / inflating alone ({form})", "at most 1.25", f"{ratio:.2f}", ratio <= 1.25)
    else:
        ratio = steady[SERDE].cpu / scan.cpu
        goals.add(f"scan speed / serde typed parse ({form})", "at least 4", f"{ratio:.2f}", ratio >= 4)
    events = mixed(args.data, "steady", envelope, large)[1]["records"] / scan.cpu
    goals.add(f"scan speed / suzaku, measured elsewhere ({form})", "at least 100", f"{events / SUZAKU:.0f}", events / SUZAKU >= 100)
    cores = steady["detector scan"].cpu / steady["detector scan"].wall
    goals.add(f"cores used ({form})", "at least 1.8", f"{cores:.2f}", cores >= 1.8)
    peak = {mb: runs["steady", envelope, mb]["detector scan"].megabytes for mb in (small, large)}
    goals.add(f"peak memory ({form})", "under 200 MB", f"{peak[large]:.0f} MB", peak[large] < 200)
    if small != large:
        ratio = peak[large] / peak[small]
        goals.add(f"peak memory, {large} MB / {small} MB ({envelope})", "at most 1.10", f"{ratio:.2f}", ratio <= 1.10)
    beside_peers(args, runs, envelope, goals)


def beside_peers(args, runs, envelope, goals):
    """Goals at the largest size that every peer and mix was run at."""
    mb = max((mb for mb in args.mb if mb <= LARGEST_FOR_PEERS), default=None)
    steady, incident = runs.get(("steady", envelope, mb)), runs.get(("incident", envelope, mb))
    if steady:
        ratio = steady["python"].cpu / steady[ONE_THREAD].cpu
        goals.add(f"scan speed / the Python way ({envelope}, {mb} MB)", "at least 10", f"{ratio:.1f}", ratio >= 10)
    if steady and incident:
        ratio = incident[ONE_THREAD].cpu / steady[ONE_THREAD].cpu
        goals.add(f"incident CPU / steady CPU ({envelope}, {mb} MB)", "at most 2", f"{ratio:.2f}", ratio <= 2)


def counted(args):
    """Instructions, which do not depend on what else the machine does."""
    lake = os.path.join(args.data, "lake")
    detector = [os.path.join(args.bin, "detector"), "scan"]
    options = ["--audit", lake, "--threads", "1"]
    start = instructions(detector + [empty(args.data)] + options)
    if start is None:
        print("\ninstructions: NOT COUNTED, valgrind is not installed")
        return
    rows = [["start and end, no event", start / 1e6, "", ""]]
    for envelope in args.envelopes:
        scan = Scan(args, "steady", envelope, min(args.mb))
        scan.clear()
        peer = instructions([os.path.join(args.bin, "examples", "peers"), "inflate", scan.folder])
        whole = instructions(scan.detector("--threads", "1")) - start
        rows.append([f"{envelope}: read and inflate", peer / 1e6, peer / scan.events, peer / scan.megabytes / 1e6])
        rows.append([f"{envelope}: scan, without start", whole / 1e6, whole / scan.events, whole / scan.megabytes / 1e6])
    table(f"Instructions (callgrind), steady, {min(args.mb)} MB", ["", "million", "per event", "per byte"], rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", required=True, help="folder with the programs, built as Makefile does")
    parser.add_argument("--mb", type=int, nargs="+", default=[100])
    parser.add_argument("--mixes", nargs="+", default=list(MIXES), choices=list(MIXES))
    parser.add_argument("--envelopes", nargs="+", default=["s3", "jsonl"], choices=["s3", "jsonl"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--parts", nargs="+", default=["scan", "instructions", "growth", "lambda"])
    parser.add_argument("--python", default=os.path.join(HERE, "..", ".venv", "bin", "python"), help="Python that has duckdb")
    parser.add_argument("--data", default=os.path.join(HERE, "..", "bench-data"))
    args = parser.parse_args()
    args.data, args.bin = os.path.abspath(args.data), os.path.abspath(args.bin)
    os.makedirs(args.data, exist_ok=True)
    print(f"machine: {os.cpu_count()} cores, {platform.machine()}, load {os.getloadavg()[0]:.1f} at the start; best of {args.rounds} rounds")
    goals = Goals()
    if "scan" in args.parts:
        scans(args, goals)
    if "instructions" in args.parts:
        counted(args)
    if "growth" in args.parts:
        growth.show(args, goals)
    if "lambda" in args.parts:
        lambda_batch.show(args, goals)
    goals.print()


if __name__ == "__main__":
    main()
