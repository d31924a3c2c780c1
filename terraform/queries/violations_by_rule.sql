-- Violations of a month by rule and severity
SELECT rule_name, severity, COUNT(*) AS violation_count FROM violations WHERE year = '2024' AND month = '01'
GROUP BY rule_name, severity ORDER BY violation_count DESC;
