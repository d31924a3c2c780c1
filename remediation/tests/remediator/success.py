"""The query on remediation success, as analysts write it, on a folder of Parquet: prints its rows as JSON."""

import json
import sys

import duckdb

QUERY = """
SELECT remediation_action, COUNT(*) AS total_attempts, SUM(CASE WHEN success = true THEN 1 ELSE 0 END) AS successful,
       AVG(CASE WHEN success = true THEN 1.0 ELSE 0.0 END) * 100 AS success_rate
FROM remediation_logs WHERE year = '2024' AND month = '01' GROUP BY remediation_action;
"""

files = sys.argv[1] + "/remediation_logs/*/*/*/*.parquet"
duckdb.execute(
    "CREATE VIEW remediation_logs AS SELECT * FROM "
    f"read_parquet('{files}', hive_partitioning = true, hive_types_autocast = false)"
)
rows = duckdb.execute(QUERY).fetchall()
print(json.dumps({action: [int(total), int(good), float(rate)] for action, total, good, rate in rows}))
