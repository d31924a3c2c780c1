-- The violations a reader should look at first: the highest severity, carried out before attempted, certain before
-- possible, then the earliest, and for each rule at most three, so that one noisy rule does not hide the others.
-- They are on the days of serious_days.sql, and no others are read.
WITH ranked AS (
    SELECT
        violation_id,
        event_time,
        CASE severity WHEN 'CRITICAL' THEN 4 WHEN 'HIGH' THEN 3 WHEN 'MEDIUM' THEN 2 ELSE 1 END AS severity_rank,
        severity,
        rule_name,
        account_id,
        COALESCE(principal_arn, principal_name, '(not given)') AS principal,
        source_ip_address,
        event_name,
        outcome,
        error_code,
        target_type,
        COALESCE(target_arn, target_name) AS target,
        policy_arn,
        certainty,
        evidence,
        ROW_NUMBER() OVER (
            PARTITION BY COALESCE(rule_name, '(not given)')
            ORDER BY
                CASE severity WHEN 'CRITICAL' THEN 4 WHEN 'HIGH' THEN 3 WHEN 'MEDIUM' THEN 2 ELSE 1 END DESC,
                CASE outcome WHEN 'failure' THEN 1 ELSE 0 END,
                CASE certainty WHEN 'must' THEN 0 ELSE 1 END,
                year,
                month,
                day,
                event_time,
                violation_id
        ) AS place
    FROM violations
    WHERE {violations} AND NOT COALESCE(suppressed, false)
)
SELECT
    violation_id,
    event_time,
    severity,
    rule_name,
    account_id,
    principal,
    source_ip_address,
    event_name,
    outcome,
    error_code,
    target_type,
    target,
    policy_arn,
    certainty,
    evidence
FROM ranked
WHERE place <= 3
ORDER BY
    severity_rank DESC,
    place,
    CASE outcome WHEN 'failure' THEN 1 ELSE 0 END,
    event_time,
    violation_id
LIMIT 30
