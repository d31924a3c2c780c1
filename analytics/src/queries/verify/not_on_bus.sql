-- Reported violations of which the bus should have told and the audit log knows nothing.
SELECT
    violations.year || '-' || violations.month || '-' || violations.day AS place,
    COUNT(*) AS found,
    MIN(violations.violation_id) AS example
FROM violations
LEFT JOIN (
    SELECT event_id FROM audit_log WHERE {around} GROUP BY event_id
) AS told ON told.event_id = violations.violation_id
WHERE
    {days}
    AND NOT COALESCE(violations.suppressed, false)
    AND violations.action <> 'log'
    AND told.event_id IS NULL
GROUP BY violations.year, violations.month, violations.day
ORDER BY place
