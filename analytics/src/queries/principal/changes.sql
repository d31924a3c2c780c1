-- Each event once, whether it is known from a violation, from the judged events, or from both.
SELECT
    account_id,
    event_id,
    MIN(event_time) AS event_time,
    MIN(event_source) AS event_source,
    MIN(event_name) AS event_name,
    MIN(aws_region) AS aws_region,
    MIN(outcome) AS outcome,
    MIN(principal_arn) AS principal_arn,
    MAX(access_key_id) AS access_key_id,
    MAX(source_ip_address) AS source_ip_address,
    MAX(user_agent) AS user_agent,
    SUM(violations) AS violations
FROM (
    SELECT
        account_id, event_id, event_time, event_source, event_name, aws_region, outcome, principal_arn,
        access_key_id, source_ip_address, user_agent, CAST(1 AS BIGINT) AS violations
    FROM principal_violations
    UNION ALL
    SELECT
        account_id, event_id, event_time, event_source, event_name, aws_region, outcome, principal_arn,
        CAST(NULL AS VARCHAR) AS access_key_id, CAST(NULL AS VARCHAR) AS source_ip_address,
        CAST(NULL AS VARCHAR) AS user_agent, CAST(0 AS BIGINT) AS violations
    FROM principal_events
) AS known
GROUP BY account_id, event_id
