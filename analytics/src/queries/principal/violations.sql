-- Violations of one principal, each once, the latest first. Copies of a violation have the same principal, so the copies
-- are dropped after the search and not before: the view would number every row of the lake.
SELECT
    violation_id, event_id, event_time, event_source, event_name, aws_region, account_id,
    COALESCE(outcome, 'success') AS outcome, error_code,
    principal_arn, principal_type, session_issuer_arn, access_key_id, mfa_authenticated, source_ip_address, user_agent,
    COALESCE(rule_name, '(not given)') AS rule_name, severity,
    CASE severity WHEN 'CRITICAL' THEN 4 WHEN 'HIGH' THEN 3 WHEN 'MEDIUM' THEN 2 ELSE 1 END AS severity_rank,
    COALESCE(suppressed, false) AS suppressed, COALESCE(new_access, false) AS new_access,
    target_type, COALESCE(target_arn, target_name) AS target, policy_arn, certainty, evidence
FROM (
    SELECT
        *,
        ROW_NUMBER() OVER (
            PARTITION BY year, month, day, violation_id ORDER BY detected_at, sequence_number
        ) AS copy_number
    FROM violations_raw
    WHERE {days} AND ({who})
) AS copies
WHERE copy_number = 1
ORDER BY event_time DESC, violation_id
LIMIT {most}
