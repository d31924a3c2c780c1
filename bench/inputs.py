"""Inputs of the benchmark, made by amplify.py: the same bytes each time."""
import glob, gzip, json, os, shutil, subprocess, sys

HERE = os.path.dirname(os.path.abspath(__file__))
SAMPLE = os.path.join(HERE, "..", "testdata", "cloudtrail", "invictus-stratus-2023", "files")

# What the logs are like: a usual day, an organization trail beside a trail of the account, an attack or a migration.
# The sample is the log of an attack rehearsal: of its calls outside IAM one in a hundred changes privilege (policies of
# buckets, trails stopped, snapshots shared). `quiet` leaves those out, so that the share of IAM writes is the share of
# events that have to be judged; `rehearsal` is the sample as it is.
MIXES = {
    "steady": {"quiet": True, "arguments": ["--iam-share", "0.0005"]},
    "trails": {"quiet": True, "arguments": ["--iam-share", "0.0005", "--dup", "0.21"]},
    "incident": {"quiet": True, "arguments": ["--iam-share", "0.03"]},
    "rehearsal": {"quiet": False, "arguments": ["--iam-share", "0.0005"]},
}
# Calls outside IAM that the shipped rules judge, as far as the sample has any; sign-ins are left in, they are every day's.
PRIVILEGE_CALLS = {
    "AddPermission20150331v2", "CreateBucket", "CreateProfile", "CreateTrustAnchor", "DeleteBucketPolicy", "DeleteTrail",
    "LeaveOrganization", "ModifyDBSnapshotAttribute", "ModifyImageAttribute", "ModifySnapshotAttribute", "PutBucketPolicy",
    "PutEventSelectors", "RemovePermission20150331v2", "StopLogging",
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


def quiet_sample(data):
    """The sample without the privilege calls outside IAM, as one file in a folder of its own."""
    folder = os.path.join(data, "quiet-sample")
    if not os.path.exists(folder):
        records = []
        for path in sorted(glob.glob(os.path.join(SAMPLE, "**", "*.json.gz"), recursive=True)):
            with gzip.open(path) as file:
                records += json.load(file)["Records"]
        kept = [r for r in records if r["eventSource"] == "iam.amazonaws.com" or r["eventName"] not in PRIVILEGE_CALLS]
        os.makedirs(folder)
        with open(os.path.join(folder, "records.json"), "w") as file:
            json.dump({"Records": kept}, file)
    return folder


def mixed(data, mix, envelope, mb, accounts=None):
    """Logs of a mix, of the generator's own number of accounts or of another."""
    base = ["--base", quiet_sample(data)] if MIXES[mix]["quiet"] else []
    others, name = (["--accounts", str(accounts)], f"-{accounts}-accounts") if accounts else ([], "")
    arguments = ["--mb", str(mb), "--envelope", envelope, *MIXES[mix]["arguments"], *base, *others]
    return generated(data, f"{mix}-{envelope}-{mb}{name}", arguments)


def empty(data):
    """A log without an event: what a scan costs before it has done anything."""
    folder = os.path.join(data, "empty")
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "empty.json"), "w") as file:
        file.write('{"Records":[]}')
    return folder
