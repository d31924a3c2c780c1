"""Inputs of the benchmark, made by amplify.py: the same bytes each time."""
import json, os, shutil, subprocess, sys

HERE = os.path.dirname(os.path.abspath(__file__))

# What the logs are like: a usual day, an organization trail beside a trail of the account, an attack or a migration.
MIXES = {
    "steady": ["--iam-share", "0.0005"],
    "trails": ["--iam-share", "0.0005", "--dup", "0.21"],
    "incident": ["--iam-share", "0.03"],
}


def generated(data, name, arguments):
    """Folder with the logs alone, and what the generator says of them."""
    folder = os.path.join(data, name)
    logs, truth = os.path.join(folder, "logs"), os.path.join(folder, "TRUTH.json")
    if not os.path.exists(truth):
        shutil.rmtree(folder, ignore_errors=True)
        command = [sys.executable, "-W", "ignore", os.path.join(HERE, "amplify.py"), logs, *arguments]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        for found in ("planted.jsonl", "TRUTH.json"):
            os.rename(os.path.join(logs, found), os.path.join(folder, found))
    with open(truth) as file:
        return logs, json.load(file)


def mixed(data, mix, envelope, mb):
    return generated(data, f"{mix}-{envelope}-{mb}", ["--mb", str(mb), "--envelope", envelope, *MIXES[mix]])


def empty(data):
    """A log without an event: what a scan costs before it has done anything."""
    folder = os.path.join(data, "empty")
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "empty.json"), "w") as file:
        file.write('{"Records":[]}')
    return folder
