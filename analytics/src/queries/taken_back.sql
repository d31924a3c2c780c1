-- Changes that granted new access and were taken back by a repair, by the day of the change. A repair that was undone
-- took nothing back. Repairs are in the partition of the event they repair, so both tables are read for the same days.
SELECT changed_on AS day, COUNT(*) AS changes
FROM (
    SELECT violation_id, year || '-' || month || '-' || day AS changed_on
    FROM violations
    WHERE
        {violations}
        AND NOT COALESCE(suppressed, false)
        AND COALESCE(outcome, 'success') <> 'failure'
        AND COALESCE(new_access, false)
) AS granted
INNER JOIN (
    SELECT violation_id
    FROM remediation_logs
    WHERE {repairs}
    GROUP BY violation_id
    HAVING SUM(CASE WHEN status = 'SUCCESS' THEN 1 ELSE 0 END) > 0
        AND SUM(CASE WHEN status = 'UNDONE' THEN 1 ELSE 0 END) = 0
) AS repaired ON repaired.violation_id = granted.violation_id
GROUP BY changed_on
ORDER BY changed_on
