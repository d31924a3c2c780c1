#!/bin/sh
# The main job on real data, without AWS: judge one event, scan a log, look at the Parquet, read the report, ask a question.
set -eu
OUT=demo-out
rm -rf "$OUT"
mkdir -p "$OUT"

step() {
  if [ -t 1 ]; then printf '\n\033[1m== %s\033[0m\n' "$1"; else printf '\n== %s\n' "$1"; fi
}

# Exit code 3 says that some input could not be read; the sample is whole, so any code but 0 ends the demo.
step "1. One event, judged and explained: detector"
"$DETECTOR"

step "2. A real log, 2,900 events of an attack rehearsal: detector scan $SAMPLE --audit $OUT/lake"
"$DETECTOR" scan "$SAMPLE" --audit "$OUT/lake" --bus "$OUT/bus.jsonl"

step "3. The Parquet partitions that Athena, DuckDB, Spark and pyarrow read"
find "$OUT/lake" -name '*.parquet' -exec ls -l {} + | awk '{ print $5 " bytes  " $NF }'
echo "$(wc -l < "$OUT/bus.jsonl") events for the bus in $OUT/bus.jsonl"

step "4. The month's report: analytics report --month 2023-07 --audit $OUT/lake"
"$ANALYTICS" report --month 2023-07 --audit "$OUT/lake"

step "5. A question of your own: analytics sql"
"$ANALYTICS" sql "SELECT event_time, principal_name, event_name, target_name FROM violations WHERE year = '2023' AND month = '07' AND severity IN ('HIGH', 'CRITICAL') ORDER BY event_time LIMIT 8" --audit "$OUT/lake"
