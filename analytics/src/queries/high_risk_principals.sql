-- Principals with more than 3 reported violations or more than 2 rules in the period, with the number of source
-- addresses they used.
WITH by_rule AS (
    SELECT
        principal,
        rule_name,
        SUM(CASE WHEN period = 'now' THEN violations ELSE 0 END) AS violations,
        SUM(CASE WHEN period = 'before' THEN violations ELSE 0 END) AS violations_before,
        SUM(CASE WHEN period = 'now' AND outcome = 'failure' THEN violations ELSE 0 END) AS attempts,
        MAX(CASE WHEN period = 'now' THEN severity_rank ELSE 0 END) AS severity_rank
    FROM facts
    WHERE NOT suppressed
    GROUP BY principal, rule_name
),
by_principal AS (
    SELECT
        principal,
        SUM(violations) AS violations,
        SUM(violations_before) AS violations_before,
        SUM(attempts) AS attempts,
        SUM(CASE WHEN violations > 0 THEN 1 ELSE 0 END) AS rules,
        MAX(severity_rank) AS severity_rank
    FROM by_rule
    GROUP BY principal
),
addresses AS (
    SELECT principal, COUNT(*) AS source_addresses
    FROM (
        SELECT principal, source_ip_address
        FROM facts
        WHERE period = 'now' AND NOT suppressed AND source_ip_address IS NOT NULL
        GROUP BY principal, source_ip_address
    ) AS each
    GROUP BY principal
)
SELECT
    by_principal.principal,
    CASE by_principal.severity_rank
        WHEN 4 THEN 'CRITICAL' WHEN 3 THEN 'HIGH' WHEN 2 THEN 'MEDIUM' ELSE 'LOW'
    END AS severity,
    by_principal.violations,
    by_principal.violations_before,
    by_principal.attempts,
    by_principal.rules,
    COALESCE(addresses.source_addresses, 0) AS source_addresses
FROM by_principal
LEFT JOIN addresses ON addresses.principal = by_principal.principal
WHERE by_principal.violations > 3 OR by_principal.rules > 2
ORDER BY
    by_principal.severity_rank DESC,
    by_principal.violations DESC,
    by_principal.rules DESC,
    by_principal.principal
