-- Reported violations of each day that has any.
SELECT
    day,
    SUM(violations) AS violations,
    SUM(CASE WHEN severity_rank = 4 THEN violations ELSE 0 END) AS critical,
    SUM(CASE WHEN severity_rank = 3 THEN violations ELSE 0 END) AS high,
    SUM(CASE WHEN severity_rank = 2 THEN violations ELSE 0 END) AS medium,
    SUM(CASE WHEN severity_rank = 1 THEN violations ELSE 0 END) AS low
FROM facts
WHERE period = 'now' AND NOT suppressed
GROUP BY day
ORDER BY day
