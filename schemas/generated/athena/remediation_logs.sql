CREATE OR REPLACE VIEW remediation_logs AS
SELECT
  remediation_id,
  violation_id,
  event_id,
  "timestamp",
  event_time,
  remediation_action,
  success,
  status,
  reason,
  error,
  dry_run,
  rule_name,
  severity,
  account_id,
  principal_arn,
  target_type,
  target_name,
  target_arn,
  policy_arn,
  policy_name,
  details,
  snapshot_key,
  duration_ms,
  attempt,
  year,
  month,
  day
FROM (
  SELECT
    *,
    ROW_NUMBER() OVER (
      PARTITION BY year, month, day, remediation_id
      ORDER BY "timestamp", "$path"
    ) AS copy_number
  FROM remediation_logs_raw
) AS copies
WHERE copy_number = 1
