CREATE OR REPLACE VIEW policy_attack_patterns AS
SELECT
    year,
    month,
    day,
    principal,
    CASE
        WHEN changes >= 5 AND source_addresses >= 2 THEN 'many changes from several addresses'
        WHEN changes >= 5 THEN 'many changes'
        WHEN source_addresses >= 2 THEN 'several addresses'
        ELSE 'many failed calls'
    END AS pattern,
    changes,
    attempts,
    violations,
    accounts,
    source_addresses,
    first_seen,
    last_seen
FROM (
    SELECT
        year,
        month,
        day,
        principal,
        SUM(CASE WHEN failed = 0 THEN 1 ELSE 0 END) AS changes,
        SUM(failed) AS attempts,
        SUM(violations) AS violations,
        COUNT(DISTINCT account_id) AS accounts,
        COUNT(DISTINCT CASE WHEN source_ip_address NOT LIKE '%.amazonaws.com' THEN source_ip_address END) AS source_addresses,
        MIN(event_time) AS first_seen,
        MAX(event_time) AS last_seen
    FROM (
        SELECT
            year,
            month,
            day,
            COALESCE(principal_arn, principal_name, '(not given)') AS principal,
            account_id,
            event_id,
            MAX(CASE WHEN outcome = 'failure' THEN 1 ELSE 0 END) AS failed,
            MIN(source_ip_address) AS source_ip_address,
            MIN(event_time) AS event_time,
            COUNT(*) AS violations
        FROM violations
        WHERE NOT COALESCE(suppressed, false) AND rule_name <> 'Canary'
        GROUP BY year, month, day, COALESCE(principal_arn, principal_name, '(not given)'), account_id, event_id
    ) AS each_event
    GROUP BY year, month, day, principal
) AS days
WHERE changes >= 5 OR source_addresses >= 2 OR attempts >= 5
