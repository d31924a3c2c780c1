-- Violations of one period, counted by everything the report groups by. Columns of which files of other writers may
-- have no value get one, so that no violation falls out of a section.
SELECT
    '{period}' AS period,
    year || '-' || month || '-' || day AS day,
    COALESCE(rule_name, '(not given)') AS rule_name,
    severity,
    CASE severity WHEN 'CRITICAL' THEN 4 WHEN 'HIGH' THEN 3 WHEN 'MEDIUM' THEN 2 ELSE 1 END AS severity_rank,
    COALESCE(account_id, '(not given)') AS account_id,
    COALESCE(principal_arn, principal_name, '(not given)') AS principal,
    source_ip_address,
    COALESCE(outcome, 'success') AS outcome,
    COALESCE(suppressed, false) AS suppressed,
    suppressed_by,
    COALESCE(new_access, false) AS new_access,
    CASE certainty WHEN 'must' THEN 0 ELSE 1 END AS certainty_rank,
    COUNT(*) AS violations
FROM violations
WHERE {violations}
GROUP BY
    year,
    month,
    day,
    COALESCE(rule_name, '(not given)'),
    severity,
    COALESCE(account_id, '(not given)'),
    COALESCE(principal_arn, principal_name, '(not given)'),
    source_ip_address,
    COALESCE(outcome, 'success'),
    COALESCE(suppressed, false),
    suppressed_by,
    COALESCE(new_access, false),
    CASE certainty WHEN 'must' THEN 0 ELSE 1 END
