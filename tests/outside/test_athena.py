"""`analytics report --engine athena` against a stand-in that executes the SQL (MiniStack with DuckDB over Parquet in S3).

The stand-in has no views, so the tables carry the names of the views and the lake is compacted first: no row is there twice. DuckDB
lacks one function of Trino, to_unixtime, which is added to it here."""
import json, re, subprocess, sys

import pytest
import sqlglot

from conftest import ROOT, client, environment, run

BUCKET, DATABASE = "audit-lake", "iam_policy_monitor"


@pytest.fixture(scope="module")
def tables(endpoint, tmp_path_factory):
    """Two months in a bucket, with its tables and a workgroup."""
    lake = tmp_path_factory.mktemp("audit")
    subprocess.run([sys.executable, ROOT / "bench/lake.py", lake, "--rows", "3000", "--months", "2", "--accounts", "20"], check=True, stdout=subprocess.DEVNULL)
    run("analytics", "compact", "--audit", lake, "--grace", "0")
    run("analytics", "compact", "--audit", lake, "--grace", "0")
    s3, glue = client(endpoint, "s3"), client(endpoint, "glue")
    s3.create_bucket(Bucket=BUCKET)
    for file in sorted(lake.rglob("*.parquet")):
        s3.upload_file(str(file), BUCKET, str(file.relative_to(lake)))
    glue.create_database(DatabaseInput={"Name": DATABASE})
    for name in ("violations", "remediation_logs"):
        described = json.loads((ROOT / f"schemas/generated/glue/{name}_raw.json").read_text())
        column = lambda c: {"Name": c["name"], "Type": c["type"]}
        glue.create_table(DatabaseName=DATABASE, TableInput={
            "Name": name, "TableType": "EXTERNAL_TABLE", "Parameters": {"classification": "parquet"},
            "PartitionKeys": [column(c) for c in described["partition_keys"]],
            "StorageDescriptor": {"Columns": [column(c) for c in described["columns"]], "Location": f"s3://{BUCKET}/{name}/"}})
    client(endpoint, "athena").create_work_group(Name="auditors", Configuration={"ResultConfiguration": {"OutputLocation": f"s3://{BUCKET}/results/"}})
    client(endpoint, "athena").create_work_group(Name="nowhere")
    return endpoint


def report(endpoint, *arguments, audit=f"s3://{BUCKET}", ok=(0,)):
    return run("analytics", "report", "--month", "2024-02", "--audit", audit, *arguments, ok=ok, env=environment(endpoint))


@pytest.mark.parametrize("format", ["text", "json", "csv", "html"])
def test_the_report_of_athena_is_the_local_one_byte_for_byte(tables, format):
    local = report(tables, "--format", format)
    athena = report(tables, "--format", format, "--engine", "athena", "--workgroup", "auditors")
    assert athena.stdout == local.stdout
    assert re.search(r"athena: [1-9][0-9]* queries scanned", athena.stderr) and "list price" in athena.stderr


def test_a_filter_reaches_athena_and_a_quote_in_it_is_text(tables):
    filters = ["--account", "111100000000", "--rule", "it's; DROP TABLE violations --", "--rule", "TeamRule03"]
    local = report(tables, "--format", "json", *filters)
    assert json.loads(local.stdout)["summary"]["violations"] > 0
    assert report(tables, "--format", "json", *filters, "--engine", "athena", "--workgroup", "auditors").stdout == local.stdout


def test_every_query_that_athena_got_is_known_to_its_grammar(tables):
    report(tables, "--engine", "athena", "--workgroup", "auditors", "--severity", "high")
    athena = client(tables, "athena")
    seen = [athena.get_query_execution(QueryExecutionId=id)["QueryExecution"]["Query"] for id in athena.list_query_executions(WorkGroup="auditors")["QueryExecutionIds"]]
    assert any("FROM violations" in query for query in seen) and any("FROM remediation_logs" in query for query in seen)
    for query in seen:
        assert "{" not in query
        for dialect in ("athena", "trino"):
            sqlglot.parse_one(query, dialect=dialect, error_level=sqlglot.ErrorLevel.RAISE)


@pytest.mark.parametrize("arguments, told", [
    (["--workgroup", "none"], "there is no workgroup none"),
    (["--workgroup", "nowhere"], "give --output-location"),
    (["--workgroup", "auditors", "--database", "other"], "a table or view is not in the database other"),
])
def test_what_goes_wrong_says_what_to_do(tables, arguments, told):
    assert told in report(tables, "--engine", "athena", *arguments, ok=(1,)).stderr


def test_an_output_location_serves_a_workgroup_without_one(tables):
    given = report(tables, "--engine", "athena", "--workgroup", "nowhere", "--output-location", f"s3://{BUCKET}/other/")
    assert given.stdout == report(tables).stdout


def test_a_folder_is_no_lake_of_athena(tables, tmp_path):
    assert "athena reads buckets only" in report(tables, "--engine", "athena", "--workgroup", "auditors", audit=str(tmp_path), ok=(1,)).stderr


def test_a_stand_in_that_is_gone_is_named(tables):
    assert "error: " in report("http://127.0.0.1:9", "--engine", "athena", "--workgroup", "auditors", ok=(1,)).stderr
