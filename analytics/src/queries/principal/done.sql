-- The latest violations of the principal, or, of those done to it by others, from `principal_target`.
SELECT
    violation_id, event_time, severity, rule_name, account_id, COALESCE(principal_arn, '(not given)') AS principal,
    source_ip_address, event_name, outcome, error_code, target_type, target, policy_arn, certainty, evidence
FROM {table}
ORDER BY event_time DESC, violation_id
LIMIT {shown}
