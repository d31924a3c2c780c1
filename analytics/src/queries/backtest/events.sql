-- The events of one day that the detector judged.
SELECT
    event_id,
    COALESCE(event_time, TIMESTAMP '1970-01-01 00:00:00') AS event_time,
    account_id,
    COALESCE(event, '') AS event
FROM iam_events
WHERE {day}
ORDER BY event_time, event_id, account_id
