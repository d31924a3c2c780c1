-- Every value of one column, with how many changes had it, and when first and last.
SELECT {column} AS value, COUNT(*) AS changes, MIN(event_time) AS first_seen, MAX(event_time) AS last_seen
FROM principal_changes
WHERE {column} IS NOT NULL
GROUP BY {column}
ORDER BY changes DESC, first_seen, value
