-- First and last seen, and how much.
SELECT
    MIN(event_time) AS first_seen,
    MAX(event_time) AS last_seen,
    COUNT(*) AS changes,
    SUM(CASE WHEN outcome = 'failure' THEN 1 ELSE 0 END) AS failed,
    COALESCE(SUM(violations), 0) AS violations
FROM principal_changes
HAVING COUNT(*) > 0
