-- How often repairs of a month succeeded, by action
SELECT remediation_action, COUNT(*) AS total_attempts, SUM(CASE WHEN success = true THEN 1 ELSE 0 END) AS successful,
       AVG(CASE WHEN success = true THEN 1.0 ELSE 0.0 END) * 100 AS success_rate
FROM remediation_logs WHERE year = '2024' AND month = '01' GROUP BY remediation_action;
