-- The days on which the violations of most_serious.sql are: of each rule those of its first three, in the same order.
WITH each_day AS (
    SELECT
        rule_name,
        severity_rank,
        CASE outcome WHEN 'failure' THEN 1 ELSE 0 END AS failed,
        certainty_rank,
        day,
        SUM(violations) AS violations
    FROM facts
    WHERE period = 'now' AND NOT suppressed
    GROUP BY rule_name, severity_rank, CASE outcome WHEN 'failure' THEN 1 ELSE 0 END, certainty_rank, day
),
counted AS (
    SELECT
        day,
        violations,
        SUM(violations) OVER (
            PARTITION BY rule_name
            ORDER BY severity_rank DESC, failed, certainty_rank, day
            ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS up_to_here
    FROM each_day
)
SELECT day
FROM counted
WHERE up_to_here - violations < 3
GROUP BY day
ORDER BY day
