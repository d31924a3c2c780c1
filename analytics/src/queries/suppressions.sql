-- What each suppression held back.
WITH by_rule AS (
    SELECT
        COALESCE(suppressed_by, '(not named)') AS suppressed_by,
        rule_name,
        SUM(CASE WHEN period = 'now' THEN violations ELSE 0 END) AS violations,
        SUM(CASE WHEN period = 'before' THEN violations ELSE 0 END) AS violations_before
    FROM facts
    WHERE suppressed
    GROUP BY COALESCE(suppressed_by, '(not named)'), rule_name
),
by_suppression AS (
    SELECT
        suppressed_by,
        SUM(violations) AS violations,
        SUM(violations_before) AS violations_before,
        SUM(CASE WHEN violations > 0 THEN 1 ELSE 0 END) AS rules
    FROM by_rule
    GROUP BY suppressed_by
)
SELECT suppressed_by, violations, violations_before, rules
FROM by_suppression
ORDER BY violations DESC, violations_before DESC, suppressed_by
