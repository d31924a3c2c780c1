-- Every caller of either period with its reported violations: what by_principal.sql and high_risk_principals.sql read.
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
)
SELECT
    principal,
    SUM(violations) AS violations,
    SUM(violations_before) AS violations_before,
    SUM(attempts) AS attempts,
    SUM(CASE WHEN violations > 0 THEN 1 ELSE 0 END) AS rules,
    MAX(severity_rank) AS severity_rank
FROM by_rule
GROUP BY principal
ORDER BY principal
