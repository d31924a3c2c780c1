-- Reported changes of each day that granted what was not granted before.
SELECT day, SUM(violations) AS changes
FROM facts
WHERE period = 'now' AND NOT suppressed AND outcome <> 'failure' AND new_access
GROUP BY day
ORDER BY day
