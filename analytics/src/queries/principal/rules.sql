-- Which rules it broke.
SELECT
    rule_name,
    CASE MAX(severity_rank) WHEN 4 THEN 'CRITICAL' WHEN 3 THEN 'HIGH' WHEN 2 THEN 'MEDIUM' ELSE 'LOW' END AS severity,
    SUM(CASE WHEN suppressed THEN 0 ELSE 1 END) AS reported,
    SUM(CASE WHEN suppressed THEN 1 ELSE 0 END) AS suppressed,
    SUM(CASE WHEN outcome = 'failure' AND NOT suppressed THEN 1 ELSE 0 END) AS attempts,
    SUM(CASE WHEN new_access AND outcome <> 'failure' AND NOT suppressed THEN 1 ELSE 0 END) AS new_access,
    MIN(event_time) AS first_seen,
    MAX(event_time) AS last_seen
FROM principal_violations
GROUP BY rule_name
ORDER BY MAX(severity_rank) DESC, reported DESC, rule_name
