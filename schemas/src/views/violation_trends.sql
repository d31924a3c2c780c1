-- Violations of each day and severity. The partition columns come first, so that a filter on them reaches the files.
SELECT
    year,
    month,
    day,
    severity,
    SUM(reported) AS violations,
    SUM(attempts) AS attempts,
    SUM(held_back) AS suppressed,
    SUM(new_access) AS new_access,
    COUNT(DISTINCT CASE WHEN reported > 0 THEN rule_name END) AS rules,
    COUNT(DISTINCT CASE WHEN reported > 0 THEN account_id END) AS accounts
FROM (
    SELECT
        year,
        month,
        day,
        severity,
        rule_name,
        account_id,
        SUM(CASE WHEN COALESCE(suppressed, false) THEN 0 ELSE 1 END) AS reported,
        SUM(CASE WHEN COALESCE(suppressed, false) THEN 1 ELSE 0 END) AS held_back,
        SUM(CASE WHEN NOT COALESCE(suppressed, false) AND outcome = 'failure' THEN 1 ELSE 0 END) AS attempts,
        SUM(
            CASE
                WHEN NOT COALESCE(suppressed, false) AND COALESCE(new_access, false) AND COALESCE(outcome, 'success') <> 'failure'
                    THEN 1
                ELSE 0
            END
        ) AS new_access
    FROM violations
    WHERE rule_name <> 'Canary'
    GROUP BY year, month, day, severity, rule_name, account_id
) AS each_rule_and_account
GROUP BY year, month, day, severity
