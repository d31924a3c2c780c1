-- The 50 callers with the most reported violations of the period.
SELECT
    principal,
    CASE severity_rank WHEN 4 THEN 'CRITICAL' WHEN 3 THEN 'HIGH' WHEN 2 THEN 'MEDIUM' ELSE 'LOW' END AS severity,
    violations,
    violations_before,
    attempts,
    rules
FROM principals
WHERE violations > 0
ORDER BY violations DESC, severity_rank DESC, principal
LIMIT 50
