#!/usr/bin/env python3
"""Runs `analytics` beside DuckDB on generated lakes: a year of 20 million violations, and a month in 5,000 small files.

Both answer the same questions on the same files, one after the other, and the numbers must be equal, or this fails. CPU seconds
(user + system) and peak memory are those the kernel reports for the finished process; the best of --runs is shown. DuckDB runs in
Python, whose start (about 0.2 s) is in its figures. That only the folders of the months asked are read is counted by the program
(`files_opened` of its log) and compared with the folders.
"""
import argparse, json, pathlib, re, shutil, subprocess, sys

from measure import best, measured

HERE = pathlib.Path(__file__).resolve().parent
MONTH, BEFORE = "2024-06", "2024-05"
BY_RULE = """SELECT rule_name, severity, COUNT(*) AS violation_count FROM violations WHERE year = '{}' AND month = '{}'
GROUP BY rule_name, severity ORDER BY violation_count DESC"""
SUCCESS = """SELECT remediation_action, COUNT(*) AS total_attempts, SUM(CASE WHEN success = true THEN 1 ELSE 0 END) AS successful,
       AVG(CASE WHEN success = true THEN 1.0 ELSE 0.0 END) * 100 AS success_rate
FROM remediation_logs WHERE year = '{}' AND month = '{}' GROUP BY remediation_action"""


class Bench:
    def __init__(self, args):
        self.analytics, self.runs, self.missed = str(pathlib.Path(args.bin) / "analytics"), args.runs, []

    def row(self, name, ours, theirs):
        (wall, cpu, peak, _), (their_wall, their_cpu, their_peak, _) = ours, theirs
        print(f"| {name} | {wall:.2f} | {cpu:.2f} | {peak:.0f} | {their_wall:.2f} | {their_cpu:.2f} | {their_peak:.0f} | {cpu / their_cpu:.2f} | {peak / their_peak:.2f} |", flush=True)
        if cpu > their_cpu or peak > 1.5 * their_peak:
            self.missed.append(name)

    def both(self, ours, theirs):
        as_it_is = lambda: None
        runs = best({"ours": (ours, as_it_is), "theirs": (theirs, as_it_is)}, self.runs)
        return runs["ours"], runs["theirs"]

    def compare(self, title, lake, month, before):
        print(f"\n{title}\n\n| question | analytics s | CPU s | MB | DuckDB s | CPU s | MB | CPU ratio | memory ratio |\n|---|---|---|---|---|---|---|---|---|")
        duck = [sys.executable, str(HERE / "duckdb_peer.py"), str(lake)]
        report = [self.analytics, "report", "--month", month, "--audit", str(lake), "--format", "json"]
        ours, theirs = self.both(report, [*duck, month, before])
        same_report(json.loads(ours[3]), json.loads(theirs[3]))
        self.row("report of a month", ours, theirs)
        for name, sql in (("violations by rule", BY_RULE), ("repairs by action", SUCCESS)):
            sql = sql.format(month[:4], month[5:])
            asked = [self.analytics, "sql", sql, "--audit", str(lake), "--format", "json"]
            ours, theirs = self.both(asked, [*duck, month, "--sql", sql])
            same(name, numbers(json.loads(ours[3])), numbers(json.loads(theirs[3])))
            self.row(name, ours, theirs)

    def only_months_asked(self, lake, month, before):
        command = [self.analytics, "--log-level", "info", "report", "--month", month, "--audit", str(lake), "--format", "csv"]
        log = re.sub(r"\x1b\[[0-9;]*m", "", subprocess.run(command, capture_output=True, text=True, check=True).stderr)
        opened = int(re.search(r"files_opened=(\d+)", log)[1])
        there = sum(len(list(lake.glob(f"*/year={m[:4]}/month={m[5:]}/*/*.parquet"))) for m in (month, before))
        every = len(list(lake.rglob("*.parquet")))
        same("files opened", opened, there)
        print(f"\nThe report opened {opened} of {every} files: those of {before} and {month}, no other.")

    def compact(self, lake):
        before = size(lake)
        wall, cpu, peak, _ = measured([self.analytics, "compact", "--audit", str(lake), "--grace", "0"])
        measured([self.analytics, "compact", "--audit", str(lake), "--grace", "0"])
        after = size(lake)
        print(f"\nCompaction: {before[0]} files of {before[1]:.0f} MB became {after[0]} of {after[1]:.0f} MB in {wall:.1f} s, {cpu:.1f} CPU s, at most {peak:.0f} MB of memory.")


def size(lake):
    files = list(lake.rglob("*.parquet"))
    return len(files), sum(file.stat().st_size for file in files) / 1e6


def numbers(rows):
    tidy = lambda value: round(float(value), 6) if not isinstance(value, str) or re.fullmatch(r"-?\d+(\.\d+)?", value) else value
    return sorted(json.dumps({name: tidy(value) for name, value in row.items()}) for row in rows)


def same(what, ours, theirs):
    if ours != theirs:
        sys.exit(f"{what}: analytics and DuckDB differ\nanalytics {str(ours)[:2000]}\nDuckDB    {str(theirs)[:2000]}")


def same_report(ours, theirs):
    """Every number of every section."""
    said_of_them = ("novelty", "state", "expires")  # words that the report adds to the numbers
    for name in ("by_day", "by_rule", "by_account", "by_principal", "attack_patterns", "high_risk_principals", "suppressions", "repair_times"):
        same(name, [{key: value for key, value in row.items() if key not in said_of_them} for row in ours[name]], whole(theirs[name]))
    same("most_serious", [row["violation_id"] for row in ours["most_serious"]], [row["violation_id"] for row in theirs["most_serious"]])
    totals = {row.pop("period"): row for row in whole(theirs["summary"])}
    same("summary", ours["summary"], totals["now"])
    same("summary_before", ours["summary_before"], totals.get("before", dict.fromkeys(totals["now"], 0)))
    changes = {row["day"]: {"day": row["day"], "granted": row["changes"], "taken_back": 0} for row in whole(theirs["granted"])}
    for row in whole(theirs["taken_back"]):
        changes[row["day"]]["taken_back"] = row["changes"]
    same("privilege", ours["privilege"], list(changes.values()))
    repairs = [row for row in ours["remediation"] if row["total_attempts"]]  # not those of the month before alone
    counted = ("remediation_action", "total_attempts", "successful", "repaired", "dry_runs", "undone", "skipped", "failed")
    same("remediation", [[row[name] for name in counted] for row in repairs], [[row[name] for name in counted] for row in whole(theirs["remediation"])])
    mean = lambda row: round(row["seconds"] / row["repaired"], 1) if row["repaired"] else None
    same("seconds to repair", [row["mean_seconds_to_repair"] for row in repairs], [mean(row) for row in whole(theirs["remediation"])])


def whole(rows):
    """DuckDB's sums are wider than JSON's numbers of Python need; as numbers again."""
    return [{name: int(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else value for name, value in row.items()} for row in rows]


def generated(data, name, *arguments):
    lake, done = data / name, data / f"{name}.json"
    if not done.exists():
        shutil.rmtree(lake, ignore_errors=True)
        made = subprocess.run([sys.executable, str(HERE / "lake.py"), str(lake), *map(str, arguments)], check=True, capture_output=True, text=True)
        done.write_text(made.stdout)
    print(f"{name}: {done.read_text().strip()}", flush=True)
    return lake


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", required=True, help="folder with the release binaries")
    parser.add_argument("--rows", type=int, default=20_000_000, help="violations of the year")
    parser.add_argument("--accounts", type=int, default=200)
    parser.add_argument("--small-rows", type=int, default=1_000_000, help="violations of the month of small files")
    parser.add_argument("--files", type=int, default=5_000, help="files of that month")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--data", type=pathlib.Path, default=HERE.parent / "bench-data")
    args = parser.parse_args()
    args.data.mkdir(exist_ok=True)
    bench = Bench(args)
    year = generated(args.data, f"year-{args.rows}-{args.accounts}", "--rows", args.rows, "--accounts", args.accounts)
    bench.compare("A year, with late files whose rows are repeats", year, MONTH, BEFORE)
    bench.only_months_asked(year, MONTH, BEFORE)
    tidy = args.data / "year-compacted"
    shutil.rmtree(tidy, ignore_errors=True)
    for month in (MONTH, BEFORE):
        for table in ("violations", "remediation_logs"):
            part = f"{table}/year={month[:4]}/month={month[5:]}"
            shutil.copytree(year / part, tidy / part)
    bench.compact(tidy)
    bench.compare("Two months of it after compaction", tidy, MONTH, BEFORE)
    small = generated(args.data, f"small-{args.small_rows}-{args.files}", "--rows", args.small_rows, "--months", 1, "--files", args.files, "--accounts", args.accounts)
    work = args.data / "small-work"
    shutil.rmtree(work, ignore_errors=True)
    shutil.copytree(small, work)
    bench.compare(f"A month in {args.files} files", work, "2024-01", "2023-12")
    bench.compact(work)
    bench.compare("The same month after compaction", work, "2024-01", "2023-12")
    goal = "no more CPU than DuckDB and at most 1.5 times its memory"
    print(f"\nGoal ({goal}): " + (f"missed for {', '.join(dict.fromkeys(bench.missed))}" if bench.missed else "met everywhere"))


if __name__ == "__main__":
    main()
