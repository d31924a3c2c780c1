-- Totals of each period. Counts of distinct things are taken in two steps: one COUNT(DISTINCT ...) over many groups
-- is far slower and hungrier.
WITH totals AS (
    SELECT
        period,
        SUM(violations) AS violations,
        SUM(CASE WHEN suppressed THEN 0 ELSE violations END) AS reported,
        SUM(CASE WHEN suppressed THEN violations ELSE 0 END) AS suppressed,
        SUM(CASE WHEN NOT suppressed AND outcome = 'failure' THEN violations ELSE 0 END) AS attempts,
        SUM(CASE WHEN NOT suppressed AND outcome <> 'failure' AND new_access THEN violations ELSE 0 END) AS new_access,
        SUM(CASE WHEN NOT suppressed AND severity_rank = 4 THEN violations ELSE 0 END) AS critical,
        SUM(CASE WHEN NOT suppressed AND severity_rank = 3 THEN violations ELSE 0 END) AS high,
        SUM(CASE WHEN NOT suppressed AND severity_rank = 2 THEN violations ELSE 0 END) AS medium,
        SUM(CASE WHEN NOT suppressed AND severity_rank = 1 THEN violations ELSE 0 END) AS low
    FROM facts
    GROUP BY period
),
rules AS (
    SELECT period, COUNT(*) AS rules
    FROM (SELECT period, rule_name FROM facts WHERE NOT suppressed GROUP BY period, rule_name) AS each
    GROUP BY period
),
accounts AS (
    SELECT period, COUNT(*) AS accounts
    FROM (SELECT period, account_id FROM facts WHERE NOT suppressed GROUP BY period, account_id) AS each
    GROUP BY period
),
principals AS (
    SELECT period, COUNT(*) AS principals
    FROM (SELECT period, principal FROM facts WHERE NOT suppressed GROUP BY period, principal) AS each
    GROUP BY period
)
SELECT
    totals.period,
    totals.violations,
    totals.reported,
    totals.suppressed,
    totals.attempts,
    totals.new_access,
    totals.critical,
    totals.high,
    totals.medium,
    totals.low,
    COALESCE(rules.rules, 0) AS rules,
    COALESCE(accounts.accounts, 0) AS accounts,
    COALESCE(principals.principals, 0) AS principals
FROM totals
LEFT JOIN rules ON rules.period = totals.period
LEFT JOIN accounts ON accounts.period = totals.period
LEFT JOIN principals ON principals.period = totals.period
ORDER BY totals.period
