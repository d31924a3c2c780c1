CREATE OR REPLACE VIEW policy_attack_patterns AS
WITH each_event AS (
    SELECT
        year,
        month,
        day,
        COALESCE(principal_arn, principal_name, '(not given)') AS principal,
        account_id,
        event_id,
        MAX(CASE WHEN outcome = 'failure' THEN 1 ELSE 0 END) AS failed,
        MIN(CASE WHEN source_ip_address NOT LIKE '%.amazonaws.com' THEN source_ip_address END) AS source_ip_address,
        MIN(event_time) AS event_time,
        COUNT(*) AS violations
    FROM violations
    WHERE NOT COALESCE(suppressed, false) AND rule_name <> 'Canary'
    GROUP BY year, month, day, COALESCE(principal_arn, principal_name, '(not given)'), account_id, event_id
),
each_account AS (
    SELECT
        year,
        month,
        day,
        principal,
        CASE WHEN account_id IS NULL THEN 0 ELSE 1 END AS accounts,
        0 AS source_addresses,
        SUM(CASE WHEN failed = 0 THEN 1 ELSE 0 END) AS changes,
        SUM(failed) AS attempts,
        SUM(violations) AS violations,
        MIN(event_time) AS first_seen,
        MAX(event_time) AS last_seen
    FROM each_event
    GROUP BY year, month, day, principal, account_id
),
each_address AS (
    SELECT
        year,
        month,
        day,
        principal,
        0 AS accounts,
        1 AS source_addresses,
        0 AS changes,
        0 AS attempts,
        0 AS violations,
        MIN(event_time) AS first_seen,
        MAX(event_time) AS last_seen
    FROM each_event
    WHERE source_ip_address IS NOT NULL
    GROUP BY year, month, day, principal, source_ip_address
)
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
        SUM(changes) AS changes,
        SUM(attempts) AS attempts,
        SUM(violations) AS violations,
        SUM(accounts) AS accounts,
        SUM(source_addresses) AS source_addresses,
        MIN(first_seen) AS first_seen,
        MAX(last_seen) AS last_seen
    FROM (SELECT * FROM each_account UNION ALL SELECT * FROM each_address) AS counted
    GROUP BY year, month, day, principal
) AS days
WHERE changes >= 5 OR source_addresses >= 2 OR attempts >= 5
