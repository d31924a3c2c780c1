-- Principals with more than 3 reported violations or more than 2 rules in a month.
SELECT
    year,
    month,
    principal,
    CASE severity_rank WHEN 4 THEN 'CRITICAL' WHEN 3 THEN 'HIGH' WHEN 2 THEN 'MEDIUM' ELSE 'LOW' END AS severity,
    violations,
    attempts,
    new_access,
    rules,
    accounts,
    source_addresses,
    first_seen,
    last_seen
FROM (
    SELECT
        year,
        month,
        principal,
        MAX(severity_rank) AS severity_rank,
        SUM(violations) AS violations,
        SUM(attempts) AS attempts,
        SUM(new_access) AS new_access,
        COUNT(DISTINCT rule_name) AS rules,
        COUNT(DISTINCT account_id) AS accounts,
        COUNT(DISTINCT source_ip_address) AS source_addresses,
        MIN(first_seen) AS first_seen,
        MAX(last_seen) AS last_seen
    FROM (
        SELECT
            year,
            month,
            COALESCE(principal_arn, principal_name, '(not given)') AS principal,
            rule_name,
            account_id,
            source_ip_address,
            MAX(CASE severity WHEN 'CRITICAL' THEN 4 WHEN 'HIGH' THEN 3 WHEN 'MEDIUM' THEN 2 ELSE 1 END) AS severity_rank,
            COUNT(*) AS violations,
            SUM(CASE WHEN outcome = 'failure' THEN 1 ELSE 0 END) AS attempts,
            SUM(CASE WHEN COALESCE(new_access, false) AND COALESCE(outcome, 'success') <> 'failure' THEN 1 ELSE 0 END) AS new_access,
            MIN(event_time) AS first_seen,
            MAX(event_time) AS last_seen
        FROM violations
        WHERE NOT COALESCE(suppressed, false) AND rule_name <> 'Canary'
        GROUP BY
            year,
            month,
            COALESCE(principal_arn, principal_name, '(not given)'),
            rule_name,
            account_id,
            source_ip_address
    ) AS each_rule_and_place
    GROUP BY year, month, principal
) AS principals
WHERE violations > 3 OR rules > 2
