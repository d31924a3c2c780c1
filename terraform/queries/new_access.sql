-- Changes of a month that granted what was not granted before, with the request that shows it
SELECT event_time, account_id, principal_arn, target_arn, rule_name, witness_action, witness_resource
FROM violations WHERE year = '2024' AND month = '01' AND new_access = true ORDER BY event_time;
