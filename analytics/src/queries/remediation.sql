-- Attempts of the remediator by action. `successful` is the column `success`: repaired, dry run or undone.
-- `seconds` is the sum over repairs of the time from the event to the end of the repair.
SELECT
    remediation_action,
    COUNT(*) AS total_attempts,
    SUM(CASE WHEN success = true THEN 1 ELSE 0 END) AS successful,
    SUM(CASE WHEN status = 'SUCCESS' THEN 1 ELSE 0 END) AS repaired,
    SUM(CASE WHEN status = 'DRY_RUN' THEN 1 ELSE 0 END) AS dry_runs,
    SUM(CASE WHEN status = 'UNDONE' THEN 1 ELSE 0 END) AS undone,
    SUM(CASE WHEN status = 'SKIPPED' THEN 1 ELSE 0 END) AS skipped,
    SUM(CASE WHEN status = 'FAILED' THEN 1 ELSE 0 END) AS failed,
    SUM(
        CASE WHEN status = 'SUCCESS'
            THEN CAST(FLOOR(to_unixtime("timestamp")) AS BIGINT) - CAST(FLOOR(to_unixtime(event_time)) AS BIGINT)
            ELSE 0
        END
    ) AS seconds
FROM remediation_logs
WHERE {repairs}
GROUP BY remediation_action
ORDER BY remediation_action
