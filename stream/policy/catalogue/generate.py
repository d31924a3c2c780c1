#!/usr/bin/env python3
"""Writes the catalogue files of crate `policy` from public data sets.

Usage: python3 generate.py SOURCE_FOLDER

SOURCE_FOLDER holds `iam-actions/` and `policies/aws-managed/` with a SOURCE.md each (see SOURCE.md beside this
file for what they are and under which licence). The same input gives the same bytes.

Written beside this program:
  actions.tsv.gz           service:name, access level letter, resource types; sorted by the folded name
  resource-types.tsv.gz    service/type, ARN template; sorted
  managed-policies.tsv.gz  name, ARN, version, document on one line; sorted by name
  date.txt                 date of the newest source
"""

import gzip
import json
import pathlib
import re
import sys

# Several levels for one action: the one that matters most to a reader of policies comes first.
LEVELS = [("Permissions management", "P"), ("Write", "W"), ("Tagging", "T"), ("Read", "R"), ("List", "L")]

# Too large for the source repository, and known by heart: published by AWS.
KNOWN_BY_HEART = {
    "AdministratorAccess": {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}],
    },
    "PowerUserAccess": {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "NotAction": ["iam:*", "organizations:*", "account:*"], "Resource": "*"},
            {
                "Effect": "Allow",
                "Action": [
                    "account:GetAccountInformation",
                    "account:GetGovCloudAccountInformation",
                    "account:GetPrimaryEmail",
                    "account:ListRegions",
                    "iam:CreateServiceLinkedRole",
                    "iam:DeleteServiceLinkedRole",
                    "iam:ListRoles",
                    "organizations:DescribeEffectivePolicy",
                    "organizations:DescribeOrganization",
                ],
                "Resource": "*",
            },
        ],
    },
}


def main() -> None:
    source, target = pathlib.Path(sys.argv[1]), pathlib.Path(__file__).parent
    definition = json.loads(read(source / "iam-actions/iam_definition-2020-11.json.gz"))
    write(target / "actions.tsv.gz", actions(source / "iam-actions", definition))
    write(target / "resource-types.tsv.gz", resource_types(definition))
    write(target / "managed-policies.tsv.gz", managed_policies(source / "policies/aws-managed"))
    notes = (source / "iam-actions/SOURCE.md").read_text() + (source / "policies/aws-managed/SOURCE.md").read_text()
    (target / "date.txt").write_text(max(re.findall(r"\b20\d\d-\d\d-\d\d\b", notes)))


def actions(folder: pathlib.Path, definition: list) -> list[str]:
    """One line for each known action."""
    names, levels, types = {}, {}, {}
    for line in read(folder / "all-actions.txt.gz").splitlines():
        names[line.strip().lower()] = line.strip()
    for service in definition:
        for privilege in service["privileges"]:
            name = f"{service['prefix']}:{privilege['privilege']}"
            names.setdefault(name.lower(), name)
            levels[name.lower()] = level(privilege["access_level"])
            kinds = {kind["resource_type"].rstrip("*") for kind in privilege["resource_types"]}
            types[name.lower()] = ",".join(sorted(kinds - {""}))
    for line in read(folder / "action-access-levels-2026-08.tsv.gz").splitlines():
        name, text = line.split("\t")
        names.setdefault(name.lower(), name)
        levels[name.lower()] = level(text)
    levels.update(corrections(folder / "policy_sentry/access-level-overrides.yml"))
    rows = []
    for folded in sorted(names):
        if re.fullmatch(r"[a-z0-9-]+:[a-z0-9]+", folded):
            rows.append(f"{names[folded]}\t{levels.get(folded, '?')}\t{types.get(folded, '')}")
    return rows


def corrections(path: pathlib.Path) -> dict[str, str]:
    """Access levels that the documentation has wrong: service, level, list of actions, by indentation."""
    found, service, current = {}, "", ""
    for line in path.read_text().splitlines():
        text = line.split("#")[0].rstrip()
        if re.fullmatch(r"\S+:", text):
            service = text[:-1]
        elif re.fullmatch(r"\s+[A-Z][a-z ]+:", text):
            current = level(text.strip()[:-1])
        elif text.strip().startswith("- "):
            found[f"{service}:{text.strip()[2:].strip()}".lower()] = current
    return found


def level(text: str) -> str:
    """The letter of an access level, or of the most important one of several."""
    given = {part.strip() for part in text.split(",")}
    return next((letter for name, letter in LEVELS if name in given), "?")


def resource_types(definition: list) -> list[str]:
    """One line for each resource type of each service."""
    rows = {}
    for service in definition:
        for resource in service["resources"]:
            rows[f"{service['prefix']}/{resource['resource']}"] = resource["arn"]
    return [f"{name}\t{rows[name]}" for name in sorted(rows)]


def managed_policies(folder: pathlib.Path) -> list[str]:
    """One line for each AWS-managed policy."""
    rows = {}
    for line in read(folder / "managed-policies.jsonl.gz").splitlines():
        policy = json.loads(line)
        arn = policy["arn"] or f"arn:aws:iam::aws:policy/{policy['name']}"
        rows[policy["name"]] = (arn, policy["version"] or "", policy["document"])
    for name, document in KNOWN_BY_HEART.items():
        rows.setdefault(name, (f"arn:aws:iam::aws:policy/{name}", "", document))
    compact = {"separators": (",", ":"), "ensure_ascii": False}
    return [f"{name}\t{rows[name][0]}\t{rows[name][1]}\t{json.dumps(rows[name][2], **compact)}" for name in sorted(rows)]


def read(path: pathlib.Path) -> str:
    return gzip.decompress(path.read_bytes()).decode()


def write(path: pathlib.Path, rows: list[str]) -> None:
    text = "".join(row + "\n" for row in rows)
    path.write_bytes(gzip.compress(text.encode(), compresslevel=9, mtime=0))
    print(f"{path.name}: {len(rows)} rows, {path.stat().st_size} bytes")


main()
