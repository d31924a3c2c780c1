#!/usr/bin/env python3
"""Runs a scan beside its peers on generated logs and prints one table per input.

Every figure of a table comes from the same run on the same machine. CPU seconds (user + system) and peak memory are those
the kernel reports for the finished process; the best of --runs is shown. Inputs are made by amplify.py, the same bytes each time.
"""
import argparse, json, os, shutil, subprocess, sys, tempfile, time

HERE = os.path.dirname(os.path.abspath(__file__))


def measured(command):
    """Wall seconds, CPU seconds, peak megabytes and standard output of one run."""
    with tempfile.TemporaryFile() as out:
        begin = time.monotonic()
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.PIPE)
        error = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.monotonic() - begin
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            sys.exit(f"{' '.join(command)} ended with {process.returncode}: {error.decode(errors='replace')[-2000:]}")
        out.seek(0)
        return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, out.read().decode()


def best(command, runs, prepare=lambda: None):
    results = []
    for _ in range(runs):
        prepare()
        results.append(measured(command))
    return min(results, key=lambda r: r[1])


def generated(data, envelope, mb):
    """Folder with the logs alone, and what the generator says of them."""
    folder = os.path.join(data, f"{envelope}-{mb}")
    logs, truth = os.path.join(folder, "logs"), os.path.join(folder, "TRUTH.json")
    if not os.path.exists(truth):
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([sys.executable, os.path.join(HERE, "amplify.py"), logs, "--mb", str(mb), "--envelope", envelope],
                       check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for name in ("planted.jsonl", "TRUTH.json"):
            os.rename(os.path.join(logs, name), os.path.join(folder, name))
    with open(truth) as file:
        return logs, json.load(file)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", required=True, help="folder with the release binaries")
    parser.add_argument("--mb", type=int, nargs="+", default=[100])
    parser.add_argument("--envelopes", nargs="+", default=["s3", "jsonl"])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--data", default=os.path.join(HERE, "..", "bench-data"))
    args = parser.parse_args()
    peers, detector = os.path.join(args.bin, "examples", "peers"), os.path.join(args.bin, "detector")
    peak = {}
    for envelope in args.envelopes:
        for mb in args.mb:
            folder, truth = generated(args.data, envelope, mb)
            lake = os.path.join(args.data, "lake")
            clear = lambda: shutil.rmtree(lake, ignore_errors=True)
            rows = [
                ("read and inflate only", best([peers, "inflate", folder], args.runs)),
                ("serde typed parse", best([peers, "serde", folder], args.runs)),
                ("detector scan", best([detector, "scan", folder, "--audit", lake], args.runs, clear)),
            ]
            size, events = truth["bytes_records"] / 1e6, truth["records"]
            base = rows[0][1][1]
            print(f"\n{envelope}: {size:,.0f} MB of events, {events:,} events, {truth['files']:,} deliveries")
            print(f"{'':24}{'CPU s':>8}{'wall s':>8}{'events/s':>12}{'MB/s':>8}{'peak MB':>9}{'x inflate':>11}")
            for name, (wall, cpu, memory, _) in rows:
                print(f"{name:24}{cpu:8.2f}{wall:8.2f}{events / cpu:12,.0f}{size / cpu:8,.0f}{memory:9.1f}{cpu / base:11.2f}")
            peak[(envelope, mb)] = rows[2][1][2]
    print("\nevents/s and MB/s are per CPU second, that is, per core.")
    for envelope in args.envelopes:
        small, large = peak[(envelope, min(args.mb))], peak[(envelope, max(args.mb))]
        if min(args.mb) != max(args.mb):
            print(f"peak memory of the scan, {envelope}, {max(args.mb)} MB against {min(args.mb)} MB: {large / small:.2f}")


if __name__ == "__main__":
    main()
