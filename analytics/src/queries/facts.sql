-- Violations of one month, counted by everything the report groups by.
SELECT
    '{period}' AS period,
    day,
    rule_name,
    severity,
    CASE severity WHEN 'CRITICAL' THEN 4 WHEN 'HIGH' THEN 3 WHEN 'MEDIUM' THEN 2 ELSE 1 END AS severity_rank,
    account_id,
    COALESCE(principal_arn, principal_name, '(not given)') AS principal,
    source_ip_address,
    outcome,
    COALESCE(suppressed, false) AS suppressed,
    suppressed_by,
    COALESCE(new_access, false) AS new_access,
    COUNT(*) AS violations
FROM violations
WHERE year = '{year}' AND month = '{month}'
GROUP BY
    day,
    rule_name,
    severity,
    account_id,
    COALESCE(principal_arn, principal_name, '(not given)'),
    source_ip_address,
    outcome,
    COALESCE(suppressed, false),
    suppressed_by,
    COALESCE(new_access, false)
