-- Changes of one principal that the detector judged, whether they broke a rule or not. Deduplicated as the violations are.
SELECT
    event_id, event_time, event_source, event_name, aws_region, account_id,
    CASE WHEN error_code IS NULL THEN 'success' ELSE 'failure' END AS outcome,
    principal_arn
FROM (
    SELECT
        *, ROW_NUMBER() OVER (PARTITION BY year, month, day, event_id, account_id ORDER BY principal_arn, error_code) AS copy_number
    FROM iam_events_raw
    WHERE {days} AND ({who})
) AS copies
WHERE copy_number = 1
ORDER BY event_time DESC, event_id
LIMIT {most}
