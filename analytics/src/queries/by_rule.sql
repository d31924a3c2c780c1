-- Every rule of either period. The severity is the highest the rule had in the period of the report, or, when it did
-- not match there, in the period before.
WITH by_account AS (
    SELECT
        rule_name,
        account_id,
        SUM(CASE WHEN period = 'now' AND NOT suppressed THEN violations ELSE 0 END) AS violations,
        SUM(CASE WHEN period = 'before' AND NOT suppressed THEN violations ELSE 0 END) AS violations_before,
        SUM(CASE WHEN period = 'now' AND NOT suppressed AND outcome = 'failure' THEN violations ELSE 0 END) AS attempts,
        SUM(CASE WHEN period = 'now' AND suppressed THEN violations ELSE 0 END) AS suppressed,
        SUM(CASE WHEN period = 'before' AND suppressed THEN violations ELSE 0 END) AS suppressed_before,
        MAX(CASE WHEN period = 'now' THEN severity_rank ELSE 0 END) AS rank_now,
        MAX(severity_rank) AS rank_any
    FROM facts
    GROUP BY rule_name, account_id
),
by_rule AS (
    SELECT
        rule_name,
        SUM(violations) AS violations,
        SUM(violations_before) AS violations_before,
        SUM(attempts) AS attempts,
        SUM(suppressed) AS suppressed,
        SUM(suppressed_before) AS suppressed_before,
        SUM(CASE WHEN violations > 0 THEN 1 ELSE 0 END) AS accounts,
        CASE WHEN MAX(rank_now) > 0 THEN MAX(rank_now) ELSE MAX(rank_any) END AS severity_rank
    FROM by_account
    GROUP BY rule_name
)
SELECT
    rule_name,
    CASE severity_rank WHEN 4 THEN 'CRITICAL' WHEN 3 THEN 'HIGH' WHEN 2 THEN 'MEDIUM' ELSE 'LOW' END AS severity,
    violations,
    violations_before,
    attempts,
    suppressed,
    suppressed_before,
    accounts
FROM by_rule
ORDER BY severity_rank DESC, violations DESC, suppressed DESC, rule_name
