#!/usr/bin/env python3
"""Writes a lake of generated violations and repairs in our schema: the same bytes each time for the same arguments.

Columns and types come from schemas/generated/glue. Every day is one file, as compaction leaves it, or is cut into many small
ones (--files); a late file repeats some rows of each day, as a batch that was delivered twice does. Names follow a power law: a few
principals of each account cause most violations.
"""
import argparse, calendar, json, pathlib

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

ROOT = pathlib.Path(__file__).resolve().parents[1]
TYPES = {"string": pa.string(), "timestamp": pa.timestamp("ms", tz="UTC"), "boolean": pa.bool_(), "bigint": pa.int64(), "int": pa.int32()}
PARTITIONS = ("year", "month", "day")
REPEATED, REPAIRED, FAILED, SUPPRESSED, NEW_ACCESS = 0.01, 0.02, 0.08, 0.05, 0.3
PRINCIPALS, ADDRESSES = 60, 4  # of each account; of each principal
RULES = [("AdminPolicyAttachment", "HIGH"), ("AccessKeyForOtherUser", "MEDIUM"), ("PrivilegeEscalationGranted", "CRITICAL"), ("WildcardServicePolicy", "LOW")]
RULES += [(f"TeamRule{number:02}", ["LOW", "MEDIUM", "HIGH"][number % 3]) for number in range(20)]
EVENTS = ["AttachRolePolicy", "PutUserPolicy", "CreateAccessKey", "PutRolePolicy", "CreatePolicyVersion"]
STATUS = ["SUCCESS", "SUCCESS", "SUCCESS", "DRY_RUN", "SKIPPED", "FAILED", "UNDONE"]
DOCUMENT = '{"Version":"2012-10-17","Statement":[{"Sid":"S%d","Effect":"Allow","Action":["s3:*","iam:PassRole"],"Resource":"*"}]}'
EVENT = '{"eventVersion":"1.09","eventSource":"iam.amazonaws.com","eventName":"%s","awsRegion":"us-east-1","requestParameters":{"policyDocument":"%s"},"responseElements":null,"readOnly":false,"recipientAccountId":"%012d"}'


def schema(table):
    described = json.loads((ROOT / f"schemas/generated/glue/{table}_raw.json").read_text())
    return pa.schema([pa.field(column["name"], TYPES[column["type"]]) for column in described["columns"]])


def ids(random, count):
    """`count` random UUIDs as text."""
    digits = np.frombuffer(b"0123456789abcdef", np.uint8)
    text = digits[random.integers(0, 16, (count, 36), np.uint8)]
    text[:, [8, 13, 18, 23]] = ord("-")
    offsets = np.arange(0, (count + 1) * 36, 36, dtype=np.int32)
    return pa.StringArray.from_buffers(count, pa.py_buffer(offsets), pa.py_buffer(text.tobytes()))


def chosen(values, index):
    """One value for each index; null for -1."""
    mask = index < 0
    return pa.DictionaryArray.from_arrays(pa.array(index.astype(np.int32), mask=mask if mask.any() else None), pa.array(values))


def skewed(random, count, choices, power=3):
    return np.minimum((choices * random.random(count) ** power).astype(np.int64), choices - 1)


class World:
    """Every name there is."""

    def __init__(self, accounts):
        self.accounts = [f"{111100000000 + number:012}" for number in range(accounts)]
        self.principals = [f"arn:aws:iam::{account}:user/person-{number}" for account in self.accounts for number in range(PRINCIPALS)]
        self.names = [f"person-{number}" for _ in self.accounts for number in range(PRINCIPALS)]
        self.addresses = [f"10.{p // 250 % 250}.{p % 250}.{a}" for p in range(len(self.principals)) for a in range(ADDRESSES)]
        self.events = [EVENT % (EVENTS[n % 5], (DOCUMENT % n).replace('"', '\\"'), 111100000000 + n % accounts) for n in range(500)]
        self.documents = [DOCUMENT % number for number in range(500)]


def violations(random, world, first_ms, count):
    """Rows of one day, by event time."""
    account = skewed(random, count, len(world.accounts), 2)
    principal = account * PRINCIPALS + skewed(random, count, PRINCIPALS)
    address = principal * ADDRESSES + skewed(random, count, ADDRESSES, 2)
    rule, kind = skewed(random, count, len(RULES), 2), random.integers(0, 500, count)
    failed, held = random.random(count) < FAILED, random.random(count) < SUPPRESSED
    critical = rule == 2
    time = np.sort(first_ms + random.integers(0, 86_400_000, count))
    fixed = lambda value: chosen([value], np.zeros(count, np.int64))
    severities = [severity for _, severity in RULES]
    columns = {
        "violation_id": ids(random, count), "event_id": ids(random, count),
        "event_time": time, "detected_at": time + random.integers(500, 90_000, count),
        "rule_name": chosen([name for name, _ in RULES], rule), "severity": chosen(severities, rule),
        "description": chosen([f"What {name} detects" for name, _ in RULES], rule), "action": fixed("alert"),
        "suppressed": held & ~critical, "suppressed_by": chosen(["deploy-pipeline", "break-glass"], np.where(held & ~critical, account % 2, -1)),
        "event_source": fixed("iam.amazonaws.com"), "event_name": chosen(EVENTS, kind % 5), "event_kind": fixed("inline_policy_put"),
        "outcome": chosen(["success", "failure"], failed.astype(np.int64)), "error_code": chosen(["AccessDenied"], np.where(failed, 0, -1)),
        "aws_region": fixed("us-east-1"), "account_id": chosen(world.accounts, account), "principal_type": fixed("IAMUser"),
        "principal_arn": chosen(world.principals, principal), "principal_name": chosen(world.names, principal),
        "principal_account_id": chosen(world.accounts, account), "access_key_id": chosen([f"AKIA{p:016}" for p in range(len(world.principals))], principal),
        "mfa_authenticated": random.random(count) < 0.5, "source_ip_address": chosen(world.addresses, address),
        "user_agent": chosen(["aws-cli/2.17", "Boto3/1.35", "terraform/1.9", "console.amazonaws.com"], address % 4),
        "target_type": fixed("role"), "target_name": chosen(world.names, principal[::-1]), "target_arn": chosen(world.principals, principal[::-1]),
        "policy_document": chosen(world.documents, kind), "certainty": chosen(["must", "may"], kind % 2), "evidence": fixed("Statement 1 allows s3:* on every resource"),
        "evidence_detail": chosen(['{"statement":0,"sid":"S%d"}' % number for number in range(500)], kind),
        "new_access": random.random(count) < NEW_ACCESS, "witness_action": fixed("s3:GetObject"), "witness_resource": fixed("*"),
        "remediation_action": fixed("delete_inline_policy"), "mitre": fixed('["T1098.003"]'), "owner": fixed("platform-security"),
        "shard_id": chosen([f"shardId-{number:012}" for number in range(8)], kind % 8),
        "sequence_number": chosen([f"4960{number:052}" for number in range(5000)], random.integers(0, 5000, count)),
        "original_event": chosen(world.events, kind),
    }
    return columns


def repairs(random, world, found, rows):
    """Attempts of the remediator for some rows of `violations`."""
    taken, count = pa.array(rows), len(rows)
    status = random.integers(0, len(STATUS), count)
    time = found["event_time"][rows]
    keep = {name: found[name].take(taken) for name in ("violation_id", "event_id", "rule_name", "severity", "account_id", "principal_arn", "target_type", "target_name", "target_arn")}
    return keep | {
        "remediation_id": ids(random, count), "timestamp": time + (random.random(count) ** 6 * 100_000_000).astype(np.int64) + 800, "event_time": time,
        "remediation_action": chosen(["delete_inline_policy", "detach_policy", "deactivate_access_key"], status % 3),
        "success": np.isin(status, [0, 1, 2, 3, 6]), "status": chosen(STATUS[2:], np.maximum(status - 2, 0)),
        "dry_run": status == 3, "duration_ms": random.integers(200, 9000, count), "attempt": np.ones(count, np.int32),
    }


def table_of(shape, columns):
    rows = len(next(iter(columns.values())))
    arrays = []
    for field in shape:
        values = columns.get(field.name)
        if values is None:
            values = pa.nulls(rows, field.type)
        elif isinstance(values, np.ndarray):
            values = pa.array(values).cast(field.type)
        arrays.append(values)
    return pa.table(arrays, names=shape.names)


def used_only(table):
    """The same rows as plain strings. Of a dictionary the writer would store every value, also those that a part of the rows has not:
    megabytes for 200 rows, as no writer of batches makes them."""
    plain = lambda column: column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column
    return pa.table([plain(column) for column in table.columns], names=table.column_names)


def write(lake, name, day, file, table):
    folder = lake / name / "/".join(f"{key}={value:0{4 if key == 'year' else 2}}" for key, value in zip(PARTITIONS, day))
    folder.mkdir(parents=True, exist_ok=True)
    # Without Arrow's own schema the dictionaries that made the file quick to write are plain strings to its readers.
    pq.write_table(table, folder / file, compression="zstd", compression_level=1, store_schema=False, row_group_size=122_880, write_page_index=True)


def generate(lake, months, rows, accounts, files, seed):
    world, shapes = World(accounts), {name: schema(name) for name in ("violations", "remediation_logs")}
    days = [(year, month, day) for year, month in months for day in range(1, calendar.monthrange(year, month)[1] + 1)]
    total = 0
    for place, day in enumerate(days):
        random = np.random.default_rng([seed, *day])
        count = rows * (place + 1) // len(days) - rows * place // len(days)
        first_ms = calendar.timegm((*day, 0, 0, 0)) * 1000
        found = violations(random, world, first_ms, count)
        table = table_of(shapes["violations"], found)
        pieces = files * (place + 1) // len(days) - files * place // len(days) if files else 1
        for piece in range(pieces):
            begin, end = count * piece // pieces, count * (piece + 1) // pieces
            write(lake, "violations", day, f"{piece:05}-first.parquet", used_only(table.slice(begin, end - begin)) if files else table)
        again = np.flatnonzero(random.random(count) < REPEATED)
        write(lake, "violations", day, "late.parquet", used_only(table.take(pa.array(again))))
        repaired = np.flatnonzero(random.random(count) < REPAIRED)
        write(lake, "remediation_logs", day, "first.parquet", used_only(table_of(shapes["remediation_logs"], repairs(random, world, found, repaired))))
        total += count + len(again)
    return total


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lake", type=pathlib.Path)
    parser.add_argument("--rows", type=int, default=20_000_000, help="violations, without the repeated ones")
    parser.add_argument("--months", type=int, default=12, help="months of 2024, from January")
    parser.add_argument("--accounts", type=int, default=200)
    parser.add_argument("--files", type=int, default=0, help="small files of violations; without it one a day")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    total = generate(args.lake, [(2024, month) for month in range(1, args.months + 1)], args.rows, args.accounts, args.files, args.seed)
    print(json.dumps({"rows": total, "files": sum(1 for _ in args.lake.rglob("*.parquet")), "bytes": sum(f.stat().st_size for f in args.lake.rglob("*.parquet"))}))


if __name__ == "__main__":
    main()
