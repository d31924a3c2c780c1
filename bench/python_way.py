#!/usr/bin/env python3
"""The Python way: json.loads and a loop. Counts IAM writes and the policies among them that allow everything."""
import glob, gzip, json, sys


def records(path):
    if path.endswith(".gz"):
        with gzip.open(path) as file:
            yield from json.load(file)["Records"]
    else:
        with open(path, "rb") as file:
            yield from map(json.loads, file)


def is_admin(document):
    statements = json.loads(document)["Statement"]
    as_list = lambda value: value if isinstance(value, list) else [value]
    return any(s.get("Effect") == "Allow" and "*" in as_list(s.get("Action")) for s in as_list(statements))


events = writes = admin = 0
for path in sorted(glob.glob(sys.argv[1] + "/**/*.json*", recursive=True)):
    for record in records(path):
        events += 1
        if record["eventSource"] == "iam.amazonaws.com" and record.get("readOnly") is False:
            writes += 1
            document = (record.get("requestParameters") or {}).get("policyDocument")
            admin += bool(document) and is_admin(document)
print(json.dumps({"events": events, "writes": writes, "admin": admin}))
