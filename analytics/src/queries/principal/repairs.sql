-- Repairs of what the principal did, and repairs made on the principal, the latest first.
SELECT
    remediation_id, violation_id, "timestamp" AS ended, remediation_action, status, reason, error, rule_name, severity,
    account_id, target_type, COALESCE(target_arn, target_name) AS target
FROM (
    SELECT
        *,
        ROW_NUMBER() OVER (PARTITION BY year, month, day, remediation_id ORDER BY "timestamp") AS copy_number
    FROM remediation_logs_raw
    WHERE {days} AND ({who})
) AS copies
WHERE copy_number = 1
ORDER BY "timestamp" DESC, remediation_id
LIMIT {shown}
