#!/usr/bin/env python3
"""The same question asked of DuckDB's read_json: only the columns that it needs are read."""
import sys, duckdb

folder, envelope = sys.argv[1:]
fields = {"eventSource": "VARCHAR", "eventName": "VARCHAR", "readOnly": "BOOLEAN", "requestParameters": "JSON"}
if envelope == "s3":
    inner = ", ".join(f'"{name}" {kind}' for name, kind in fields.items())
    source = (f"(SELECT unnest(Records, recursive := true) FROM read_json('{folder}/**/*.json.gz', "
              f"columns = {{Records: 'STRUCT({inner})[]'}}, maximum_object_size = 100000000))")
else:
    source = f"read_json('{folder}/*.jsonl', format = 'newline_delimited', columns = {fields})"
print(duckdb.sql(f"""SELECT count(*), count(*) FILTER (eventSource = 'iam.amazonaws.com' AND NOT readOnly) AS writes FROM {source}""").fetchall())
