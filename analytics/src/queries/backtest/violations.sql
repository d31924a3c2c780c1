-- What was found in them: the repair only where one was asked for.
SELECT
    event_id,
    account_id,
    COALESCE(rule_name, '(not given)') AS rule_name,
    COALESCE(severity, 'LOW') AS severity,
    COALESCE(suppressed, false) AS suppressed,
    CASE WHEN action = 'remediate' AND remediation_action <> 'log_only' THEN remediation_action END AS remediation_action
FROM violations
WHERE {day}
ORDER BY event_id, account_id, rule_name
