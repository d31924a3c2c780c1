"""The lake as others read it: pyarrow and DuckDB must see what our own programs see."""
import datetime, gzip, json, shutil

import duckdb
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from conftest import ROOT, SAMPLE, objects, run

BY_RULE = """SELECT rule_name, severity, COUNT(*) AS violation_count FROM violations WHERE year = '{year}' AND month = '{month}'
GROUP BY rule_name, severity ORDER BY violation_count DESC"""
SUCCESS = """SELECT remediation_action, COUNT(*) AS total_attempts, SUM(CASE WHEN success = true THEN 1 ELSE 0 END) AS successful,
       AVG(CASE WHEN success = true THEN 1.0 ELSE 0.0 END) * 100 AS success_rate
FROM remediation_logs WHERE year = '{year}' AND month = '{month}' GROUP BY remediation_action"""


def duck(lake, table, key, sql):
    db = duckdb.connect()
    db.execute(
        f"""CREATE VIEW {table} AS SELECT * FROM read_parquet('{lake}/{table}/*/*/*/*.parquet', hive_partitioning = true,
            hive_types_autocast = false) QUALIFY ROW_NUMBER() OVER (PARTITION BY {key} ORDER BY {key}) = 1"""
    )
    cursor = db.execute(sql)
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row)) for row in cursor.fetchall()]


def ours(lake, sql):
    return json.loads(run("analytics", "sql", sql, "--audit", lake, "--format", "json").stdout)


def rounded(rows):
    return sorted(json.dumps({k: round(float(v), 6) if not isinstance(v, str) else v for k, v in r.items()}) for r in rows)


def arrow_rows(lake, table, key, year, month):
    """Rows of one month without repeats, by pyarrow alone."""
    parts = ds.partitioning(pa.schema([(name, pa.string()) for name in ("year", "month", "day")]), flavor="hive")
    found = ds.dataset(lake / table, format="parquet", partitioning=parts)
    rows = found.to_table(filter=(ds.field("year") == year) & (ds.field("month") == month)).to_pylist()
    return list({row[key]: row for row in rows}.values())


def test_violations_by_rule_are_the_same_in_analytics_duckdb_and_pyarrow(lake):
    sql = BY_RULE.format(year="2023", month="07")
    expected = rounded(duck(lake, "violations", "violation_id", sql))
    assert len(expected) > 3
    assert rounded(ours(lake, sql)) == expected
    counts = {}
    for row in arrow_rows(lake, "violations", "violation_id", "2023", "07"):
        counts[row["rule_name"], row["severity"]] = counts.get((row["rule_name"], row["severity"]), 0) + 1
    assert rounded([{"rule_name": r, "severity": s, "violation_count": n} for (r, s), n in counts.items()]) == expected


def write_remediation_logs(lake):
    """A month of repairs written by pyarrow from the rendered column list, not by our own writer."""
    glue = json.loads((ROOT / "schemas/generated/glue/remediation_logs_raw.json").read_text())
    types = {"string": pa.string(), "boolean": pa.bool_(), "timestamp": pa.timestamp("ms", "UTC"), "bigint": pa.int64(), "int": pa.int32()}
    schema = pa.schema([(column["name"], types[column["type"]]) for column in glue["columns"]])
    outcomes = [("detach_policy", "SUCCESS")] * 3 + [("detach_policy", "FAILED"), ("delete_inline_policy", "DRY_RUN"),
                                                    ("delete_inline_policy", "SKIPPED"), ("quarantine_policy", "FAILED")]
    rows = []
    for number, (action, status) in enumerate(outcomes):
        time = datetime.datetime(2023, 7, 10, 12, number, tzinfo=datetime.timezone.utc)
        row = dict.fromkeys(schema.names)
        row.update(remediation_id=f"r{number}", violation_id=f"v{number}", event_id=f"e{number}", timestamp=time, event_time=time,
                   remediation_action=action, success=status in ("SUCCESS", "DRY_RUN"), status=status, dry_run=status == "DRY_RUN",
                   rule_name="AdminPolicyAttachment", severity="HIGH", account_id="111122223333", attempt=1)
        rows.append(row)
    folder = lake / "remediation_logs/year=2023/month=07/day=10"
    folder.mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(rows, schema), folder / "a.parquet")
    pq.write_table(pa.Table.from_pylist(rows[:2], schema), folder / "b.parquet")  # the same rows delivered again


def test_remediation_success_is_the_same_in_analytics_duckdb_and_by_hand(lake, tmp_path):
    copy = tmp_path / "lake"
    shutil.copytree(lake, copy)
    write_remediation_logs(copy)
    sql = SUCCESS.format(year="2023", month="07")
    by_hand = [
        {"remediation_action": "detach_policy", "total_attempts": 4, "successful": 3, "success_rate": 75},
        {"remediation_action": "delete_inline_policy", "total_attempts": 2, "successful": 1, "success_rate": 50},
        {"remediation_action": "quarantine_policy", "total_attempts": 1, "successful": 0, "success_rate": 0},
    ]
    assert rounded(ours(copy, sql)) == rounded(by_hand)
    assert rounded(duck(copy, "remediation_logs", "remediation_id", sql)) == rounded(by_hand)


def test_timestamps_are_int64_milliseconds_in_utc_and_the_raw_event_is_last(lake):
    files = list(lake.glob("violations/*/*/*/*.parquet"))
    assert files
    for file in files:
        parquet = pq.ParquetFile(file)
        for name in ("event_time", "detected_at"):
            column = parquet.schema.column(parquet.schema_arrow.get_field_index(name))
            assert column.physical_type == "INT64"
            logical = json.loads(column.logical_type.to_json())
            assert (logical["Type"], logical["timeUnit"], logical["isAdjustedToUTC"]) == ("Timestamp", "milliseconds", True)
        assert parquet.schema_arrow.names[-1] == "original_event"
        assert parquet.metadata.row_group(0).column(0).compression == "ZSTD"


def test_columns_of_the_files_are_those_of_the_glue_table(lake):
    glue = json.loads((ROOT / "schemas/generated/glue/violations_raw.json").read_text())
    file = next(iter(lake.glob("violations/*/*/*/*.parquet")))
    assert pq.read_schema(file).names == [column["name"] for column in glue["columns"]]


def test_the_same_input_twice_gives_the_same_objects_to_the_byte(lake, tmp_path):
    run("detector", "scan", SAMPLE, "--audit", tmp_path)
    assert objects(tmp_path) == objects(lake)
    run("detector", "scan", SAMPLE, "--audit", tmp_path)
    assert objects(tmp_path) == objects(lake)


def test_overlapping_input_adds_no_second_logical_row(lake, tmp_path):
    copy = tmp_path / "lake"
    shutil.copytree(lake, copy)
    half = sorted(SAMPLE.glob("*.gz"))[::2]
    run("detector", "scan", *half, "--audit", copy)
    count = "SELECT COUNT(*) AS n FROM violations"
    assert ours(copy, count) == ours(lake, count)
    assert len(objects(copy)) > len(objects(lake)), "the second scan was cut differently, so it wrote other objects"


def test_every_event_that_was_judged_is_in_iam_events_once(lake, tmp_path):
    copy = tmp_path / "lake"
    shutil.copytree(lake, copy)
    run("detector", "scan", *sorted(SAMPLE.glob("*.gz"))[::2], "--audit", copy)
    sql = "SELECT event_source, event_name, COUNT(*) AS n FROM iam_events WHERE year = '2023' AND month = '07' GROUP BY event_source, event_name"
    expected = rounded(duck(lake, "iam_events", "event_id, account_id", sql))
    assert rounded(ours(lake, sql)) == rounded(ours(copy, sql)) == rounded(duck(copy, "iam_events", "event_id, account_id", sql)) == expected
    logs = {event["eventID"]: event for file in SAMPLE.glob("*.gz") for event in json.loads(gzip.decompress(file.read_bytes()))["Records"]}
    rows = arrow_rows(copy, "iam_events", "event_id", "2023", "07")
    books = json.loads(run("detector", "scan", SAMPLE, "--audit", tmp_path / "again", "--summary", "json").stdout)
    assert len(rows) == books["books"]["judged"] == books["rows"]["iam_events"] > 50
    for row in rows:
        event, kept = logs[row["event_id"]], json.loads(row["event"])
        assert (row["event_name"], row["event_source"], row["account_id"]) == (event["eventName"], event["eventSource"], event["recipientAccountId"])
        assert {key: value for key, value in kept.items() if value == event[key]}.keys() >= event.keys() - {"requestParameters", "responseElements"}


VIEW_QUERIES = ["SELECT * FROM violation_trends WHERE year = '2023' AND month = '07' ORDER BY day, severity",
                "SELECT * FROM high_risk_principals WHERE year = '2023' AND month = '07' ORDER BY principal",
                "SELECT * FROM policy_attack_patterns WHERE year = '2023' AND month = '07' ORDER BY day, principal"]


@pytest.mark.parametrize("sql", VIEW_QUERIES, ids=lambda sql: sql.split()[3])
def test_views_are_the_same_in_analytics_and_duckdb_and_as_parquet(lake, tmp_path, sql):
    view = (ROOT / f"schemas/generated/athena/{sql.split()[3]}.sql").read_text()
    db = duckdb.connect()
    db.execute("SET TimeZone = 'UTC'")
    db.execute(f"""CREATE VIEW violations AS SELECT * FROM read_parquet('{lake}/violations/*/*/*/*.parquet', hive_partitioning = true,
        hive_types_autocast = false) QUALIFY ROW_NUMBER() OVER (PARTITION BY violation_id ORDER BY detected_at) = 1""")
    db.execute(view)
    texts = "SELECT COLUMNS(*)::VARCHAR FROM"
    expected = db.execute(f"{texts} ({sql})").fetchall()
    assert expected
    file = tmp_path / "answer.parquet"
    run("analytics", "sql", sql, "--audit", lake, "--format", "parquet", "--output", file)
    assert db.execute(f"{texts} '{file}'").fetchall() == expected
    assert [list(row) for row in ours(lake, sql)] == [[column[0] for column in db.execute(f"{texts} ({sql})").description]] * len(expected)


def test_the_rules_of_the_scan_tried_on_its_events_find_what_the_scan_found(lake):
    rules = ROOT / "config/rules.yaml"
    ask = ["backtest", "--rules", rules, "--format", "json", "--fail-on", "any"]
    by_lake = json.loads(run("analytics", *ask, "--month", "2023-07", "--audit", lake).stdout)
    assert by_lake["totals"]["before"] == by_lake["totals"]["after"] == 32 and by_lake["not_stored"] == 0
    by_files = json.loads(run("analytics", *ask, "--against", rules, "--events", SAMPLE).stdout)
    for same in ("events", "totals", "by_rule", "by_account", "undecided", "untried_rules"):
        assert by_files[same] == by_lake[same], same
    assert by_lake["events"] == 79


def test_rules_that_changed_are_told_before_they_go_live(lake, tmp_path):
    text = (ROOT / "config/rules.yaml").read_text()
    head, rule = text.split("  - name: AdminPolicyAttachment\n", 1)
    (tmp_path / "new.yaml").write_text(head + "  - name: AdminPolicyAttachment\n" + rule.replace("severity: HIGH", "severity: CRITICAL", 1))
    args = ["--rules", tmp_path / "new.yaml", "--month", "2023-07", "--audit", lake, "--fail-on", "severity"]
    done = run("analytics", "backtest", *args, ok=(6,))
    assert "32 reported violations before, 32 after: 0 appear, 0 vanish, 2 with a higher severity." in done.stdout
    assert "AdminPolicyAttachment" in run("analytics", "backtest", *args, "--format", "markdown", ok=(6,)).stdout


def test_the_known_facts_of_the_sample_log_are_found(lake):
    rows = arrow_rows(lake, "violations", "violation_id", "2023", "07")
    attached = {r["event_name"] for r in rows if r["rule_name"] == "AdminPolicyAttachment"}
    assert attached == {"AttachUserPolicy", "AttachRolePolicy"}
    assert any(r["event_name"] == "UpdateAssumeRolePolicy" or r["event_name"] == "CreateRole" for r in rows if "Foreign" in r["rule_name"])
    assert not [r for r in rows if r["event_name"].startswith("Detach") and r["severity"] in ("HIGH", "CRITICAL")]


@pytest.mark.parametrize("secret", ["sessionToken\":\"", "secretAccessKey\":\"", "\"password\":\""])
def test_no_secret_of_the_log_reaches_the_lake(lake, secret):
    rows = arrow_rows(lake, "violations", "violation_id", "2023", "07") + arrow_rows(lake, "iam_events", "event_id", "2023", "07")
    for row in rows:
        for column, value in row.items():
            at = value.find(secret) if isinstance(value, str) else -1
            assert at < 0 or "REDACTED" in value[at : at + len(secret) + 20].upper(), column
