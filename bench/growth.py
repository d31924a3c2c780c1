"""How the cost grows with rules and accounts."""
import os

from inputs import empty, mixed
from measure import best, instructions
from tables import table

RULES = (10, 100, 1000)
ACCOUNTS = (10, 200, 2000)


def rules(data, count):
    """A configuration of so many rules, each with an event name of its own that no log holds."""
    folder = os.path.join(data, f"rules-{count}")
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "rules.yaml"), "w") as file:
        file.write("rules:\n")
        for number in range(count):
            file.write(f"  - name: Rule{number}\n    description: A made up rule\n    severity: LOW\n    action: log\n"
                       f"    conditions:\n      event_names: [MadeUp{number}Thing]\n")
    with open(os.path.join(folder, "suppress.yaml"), "w") as file:
        file.write("suppressions: []\n")
    return folder


def show(args, goals):
    lake, detector = os.path.join(args.data, "lake"), os.path.join(args.bin, "detector")
    mb = min(args.mb)
    folder, truth = mixed(args.data, "steady", "jsonl", mb)
    rows = []
    for count in RULES:
        scan = lambda what: [detector, "--config", rules(args.data, count), "scan", what, "--audit", lake, "--threads", "1"]
        start, whole = instructions(scan(empty(args.data))), instructions(scan(folder))
        if start is None:
            return
        rows.append([f"{count} rules", start / 1e6, (whole - start) / truth["records"]])
    table(f"Rules: instructions (callgrind), jsonl, {mb} MB, no rule matches", ["", "start, million", "per event"], rows)
    growth = rows[-1][2] / rows[0][2]
    goals.add("event of no interest, 1,000 rules / 10 rules", "about 1", f"{growth:.2f}", growth <= 1.05)

    rows = []
    for count in ACCOUNTS:
        logs, truth = mixed(args.data, "steady", "s3", mb, accounts=count)
        run = best({"scan": ([detector, "scan", logs, "--audit", lake], lambda: None)}, args.rounds)["scan"]
        rows.append([f"{count} accounts", truth["files"], run.cpu, run.cpu * 1e6 / truth["records"], run.megabytes])
    table(f"Accounts: s3, {mb} MB", ["", "files", "CPU s", "us/event", "peak MB"], rows)
