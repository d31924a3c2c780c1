-- Principals with more than 3 reported violations or more than 2 rules in the period, with the number of source
-- addresses they used.
WITH addresses AS (
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
    principals.principal,
    CASE principals.severity_rank
        WHEN 4 THEN 'CRITICAL' WHEN 3 THEN 'HIGH' WHEN 2 THEN 'MEDIUM' ELSE 'LOW'
    END AS severity,
    principals.violations,
    principals.violations_before,
    principals.attempts,
    principals.rules,
    COALESCE(addresses.source_addresses, 0) AS source_addresses
FROM principals
LEFT JOIN addresses ON addresses.principal = principals.principal
WHERE principals.violations > 3 OR principals.rules > 2
ORDER BY
    principals.severity_rank DESC,
    principals.violations DESC,
    principals.rules DESC,
    principals.principal
