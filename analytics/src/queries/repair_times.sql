-- Repairs by the time from the event to the end of the repair, in steps that people think in.
WITH repairs AS (
    SELECT CAST(FLOOR(to_unixtime("timestamp")) AS BIGINT) - CAST(FLOOR(to_unixtime(event_time)) AS BIGINT) AS seconds
    FROM remediation_logs
    WHERE {repairs} AND status = 'SUCCESS'
),
steps AS (
    SELECT
        CASE
            WHEN seconds <= 10 THEN 1
            WHEN seconds <= 60 THEN 2
            WHEN seconds <= 300 THEN 3
            WHEN seconds <= 3600 THEN 4
            WHEN seconds <= 86400 THEN 5
            ELSE 6
        END AS step
    FROM repairs
)
SELECT
    CASE step
        WHEN 1 THEN '10 s' WHEN 2 THEN '1 min' WHEN 3 THEN '5 min' WHEN 4 THEN '1 h' WHEN 5 THEN '1 day' ELSE 'longer'
    END AS within,
    COUNT(*) AS repairs
FROM steps
GROUP BY step
ORDER BY step
