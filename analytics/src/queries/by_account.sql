-- Every account with reported violations in either period.
WITH by_principal AS (
    SELECT
        account_id,
        principal,
        SUM(CASE WHEN period = 'now' THEN violations ELSE 0 END) AS violations,
        SUM(CASE WHEN period = 'before' THEN violations ELSE 0 END) AS violations_before,
        SUM(CASE WHEN period = 'now' AND severity_rank = 4 THEN violations ELSE 0 END) AS critical,
        SUM(CASE WHEN period = 'now' AND severity_rank = 3 THEN violations ELSE 0 END) AS high,
        SUM(CASE WHEN period = 'now' AND severity_rank = 2 THEN violations ELSE 0 END) AS medium,
        SUM(CASE WHEN period = 'now' AND severity_rank = 1 THEN violations ELSE 0 END) AS low
    FROM facts
    WHERE NOT suppressed
    GROUP BY account_id, principal
),
by_account AS (
    SELECT
        account_id,
        SUM(violations) AS violations,
        SUM(violations_before) AS violations_before,
        SUM(critical) AS critical,
        SUM(high) AS high,
        SUM(medium) AS medium,
        SUM(low) AS low,
        SUM(CASE WHEN violations > 0 THEN 1 ELSE 0 END) AS principals
    FROM by_principal
    GROUP BY account_id
)
SELECT account_id, violations, violations_before, critical, high, medium, low, principals
FROM by_account
ORDER BY violations DESC, violations_before DESC, account_id
