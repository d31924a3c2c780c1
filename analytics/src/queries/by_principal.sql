-- The 50 callers with the most reported violations of the period.
WITH by_rule AS (
    SELECT
        principal,
        rule_name,
        SUM(CASE WHEN period = 'now' THEN violations ELSE 0 END) AS violations,
        SUM(CASE WHEN period = 'before' THEN violations ELSE 0 END) AS violations_before,
        SUM(CASE WHEN period = 'now' AND outcome = 'failure' THEN violations ELSE 0 END) AS attempts,
        MAX(CASE WHEN period = 'now' THEN severity_rank ELSE 0 END) AS severity_rank
    FROM facts
    WHERE NOT suppressed
    GROUP BY principal, rule_name
),
by_principal AS (
    SELECT
        principal,
        SUM(violations) AS violations,
        SUM(violations_before) AS violations_before,
        SUM(attempts) AS attempts,
        SUM(CASE WHEN violations > 0 THEN 1 ELSE 0 END) AS rules,
        MAX(severity_rank) AS severity_rank
    FROM by_rule
    GROUP BY principal
)
SELECT
    principal,
    CASE severity_rank WHEN 4 THEN 'CRITICAL' WHEN 3 THEN 'HIGH' WHEN 2 THEN 'MEDIUM' ELSE 'LOW' END AS severity,
    violations,
    violations_before,
    attempts,
    rules
FROM by_principal
WHERE violations > 0
ORDER BY violations DESC, severity_rank DESC, principal
LIMIT 50
