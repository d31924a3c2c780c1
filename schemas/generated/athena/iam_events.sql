CREATE OR REPLACE VIEW iam_events AS
SELECT
  event_id,
  event_time,
  account_id,
  aws_region,
  event_source,
  event_name,
  principal_arn,
  error_code,
  event,
  year,
  month,
  day
FROM (
  SELECT
    *,
    ROW_NUMBER() OVER (
      PARTITION BY year, month, day, event_id, account_id
      ORDER BY principal_arn, error_code, "$path"
    ) AS copy_number
  FROM iam_events_raw
) AS copies
WHERE copy_number = 1
