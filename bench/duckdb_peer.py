#!/usr/bin/env python3
"""DuckDB on the files of a lake, with the SQL of `analytics`: the whole report, or one statement. Prints JSON.

The views drop repeats by the same statement as those of Athena. Only the folders of the months asked are given to DuckDB, so it
has nothing to skip."""
import argparse, json, pathlib, re

import duckdb

ROOT = pathlib.Path(__file__).resolve().parents[1]
QUERIES = ROOT / "analytics/src/queries"
TABLES = ("violations", "remediation_logs")
SECTIONS = ("summary", "by_day", "by_rule", "by_account", "by_principal", "high_risk_principals", "suppressions", "granted")
OF_LAKE = ("most_serious", "attack_patterns", "remediation", "repair_times", "taken_back")
PATTERNS = ROOT / "schemas/src/views/policy_attack_patterns.sql"


def opened(lake, months):
    db = duckdb.connect()
    db.execute("SET TimeZone = 'UTC'; CREATE MACRO to_unixtime(moment) AS epoch(moment)")
    for table in TABLES:
        folders = [f"{lake}/{table}/year={month[:4]}/month={month[5:]}/*/*.parquet" for month in months]
        folders = [folder for folder in folders if any(pathlib.Path(lake).glob(folder.removeprefix(f"{lake}/")))]
        db.execute(f"CREATE VIEW {table}_raw AS SELECT * FROM read_parquet({folders}, hive_partitioning = true, hive_types_autocast = false, filename = true)")
        db.execute((ROOT / f"schemas/generated/athena/{table}.sql").read_text().replace('"$path"', "filename"))
    return db


def about(name, month, period):
    condition = f"year = '{month[:4]}' AND month = '{month[5:]}'"
    values = {"period": period, "violations": condition, "repairs": condition}
    narrowed = PATTERNS.read_text().replace("FROM violations\n", "FROM (SELECT * FROM violations WHERE {violations}) AS violations\n")
    query = (QUERIES / f"{name}.sql").read_text().replace("FROM patterns\n", f"FROM ({narrowed}) AS patterns\n")
    return re.sub(r"\{(\w+)\}", lambda part: values[part[1]], query)


def rows(db, sql):
    cursor = db.execute(sql)
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row)) for row in cursor.fetchall()]


def report(db, month, before):
    db.execute("CREATE TEMP TABLE facts AS " + about("facts", month, "now"))
    db.execute("INSERT INTO facts " + about("facts", before, "before"))
    db.execute("CREATE TEMP TABLE principals AS " + (QUERIES / "principals.sql").read_text())
    answers = {name: rows(db, (QUERIES / f"{name}.sql").read_text()) for name in SECTIONS}
    answers |= {name: rows(db, about(name, month, "now")) for name in OF_LAKE}
    return answers | {"remediation_before": rows(db, about("remediation", before, "before"))}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("lake")
    parser.add_argument("months", nargs="+", help="the month of the report, then the one before")
    parser.add_argument("--sql", help="one statement instead of the report")
    args = parser.parse_args()
    db = opened(args.lake, args.months)
    print(json.dumps(rows(db, args.sql) if args.sql else report(db, *args.months), default=str))


if __name__ == "__main__":
    main()
