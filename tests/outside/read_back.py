"""Reads a lake in S3 and the metrics beside it with boto3, pyarrow and DuckDB, and prints what each of them sees.

usage: read_back.py BUCKET NAMESPACE   (endpoint and keys from the environment, as for any AWS client)
"""
import datetime
import io
import json
import os
import sys
import tempfile

import boto3
import duckdb
import pyarrow.parquet as pq


def objects(s3, bucket):
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix="violations/"):
        for item in page.get("Contents", []):
            yield item["Key"], s3.get_object(Bucket=bucket, Key=item["Key"])["Body"].read()


def main(bucket, namespace):
    s3 = boto3.client("s3", config=boto3.session.Config(s3={"addressing_style": "path"}))
    found = list(objects(s3, bucket))
    by_pyarrow = set()
    with tempfile.TemporaryDirectory() as folder:
        for key, body in found:
            table = pq.read_table(io.BytesIO(body))
            by_pyarrow.update(table.column("violation_id").to_pylist())
            path = os.path.join(folder, key)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as file:
                file.write(body)
        query = (
            "SELECT DISTINCT violation_id FROM read_parquet(?, hive_partitioning = true) "
            "WHERE year = '2024' AND month = '01' AND day = '05' ORDER BY violation_id"
        )
        by_duckdb = [row[0] for row in duckdb.execute(query, [folder + "/violations/**/*.parquet"]).fetchall()]
    print(json.dumps({"boto3_pyarrow": sorted(by_pyarrow), "duckdb": by_duckdb, "metrics": metrics(namespace)}))


def metrics(namespace):
    """Sums by name. MiniStack counts the metrics that have dimensions in when asked for the one that has none."""
    cloudwatch = boto3.client("cloudwatch")
    now, day = datetime.datetime.now(datetime.timezone.utc), datetime.timedelta(days=1)
    sums = {}
    for page in cloudwatch.get_paginator("list_metrics").paginate(Namespace=namespace):
        for metric in page["Metrics"]:
            points = cloudwatch.get_metric_statistics(
                Namespace=namespace, MetricName=metric["MetricName"], Dimensions=metric["Dimensions"], Period=86400,
                Statistics=["Sum"], StartTime=now - day, EndTime=now + day)["Datapoints"]
            sign = -1 if metric["Dimensions"] else 1
            sums[metric["MetricName"]] = sums.get(metric["MetricName"], 0) + sign * sum(point["Sum"] for point in points)
    return sums


main(*sys.argv[1:])
