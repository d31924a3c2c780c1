-- Rows, and how many of them are repeats that the views drop.
SELECT COALESCE(SUM(copies), 0) AS row_count, COALESCE(SUM(copies - 1), 0) AS repeats
FROM (
    SELECT COUNT(*) AS copies
    FROM {raw}
    WHERE {days}
    GROUP BY year, month, day, {id}
) AS each
