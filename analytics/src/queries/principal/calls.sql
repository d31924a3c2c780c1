-- What it called.
SELECT
    event_source,
    event_name,
    COUNT(*) AS changes,
    SUM(CASE WHEN outcome = 'failure' THEN 1 ELSE 0 END) AS failed,
    SUM(violations) AS violations,
    MIN(event_time) AS first_seen,
    MAX(event_time) AS last_seen
FROM principal_changes
GROUP BY event_source, event_name
ORDER BY changes DESC, event_source, event_name
