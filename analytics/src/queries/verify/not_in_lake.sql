-- Violations that the bus told of and the lake does not have.
SELECT
    audit_log.year || '-' || audit_log.month || '-' || audit_log.day AS place,
    COUNT(*) AS found,
    MIN(audit_log.event_id) AS example
FROM audit_log
LEFT JOIN (
    SELECT violation_id FROM violations WHERE {around} GROUP BY violation_id
) AS kept ON kept.violation_id = audit_log.event_id
WHERE {days} AND audit_log.source = 'iam.policy.monitor' AND kept.violation_id IS NULL
GROUP BY audit_log.year, audit_log.month, audit_log.day
ORDER BY place
