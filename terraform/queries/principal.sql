-- Everything that one principal did in a year: put its ARN
SELECT event_time, account_id, rule_name, severity, event_name, target_arn, evidence, source_ip_address, suppressed_by
FROM violations WHERE year = '2024' AND principal_arn = 'arn:aws:iam::111122223333:user/name' ORDER BY event_time;
