-- Rows in a folder of another day than that of their time: a query for their day does not find them.
SELECT year || '-' || month || '-' || day AS place, COUNT(*) AS found, MIN({id}) AS example
FROM {raw}
WHERE {days} AND (
    {time} IS NULL
    OR CAST(CAST({time} AS DATE) AS VARCHAR) <> year || '-' || month || '-' || day
)
GROUP BY year, month, day
ORDER BY place
