-- Violations of a month that the lake has and the audit log has not: told to nobody
SELECT v.violation_id, v.event_time, v.rule_name, v.severity
FROM violations AS v
LEFT JOIN audit_log AS a ON a.event_id = v.violation_id AND a.year = '2024' AND a.month = '01'
WHERE v.year = '2024' AND v.month = '01' AND v.suppressed = false AND v.action <> 'log' AND a.event_id IS NULL;
