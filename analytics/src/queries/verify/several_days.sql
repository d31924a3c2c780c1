-- Ids that are in several partitions: the views show one row for each of them.
SELECT MIN(place) AS place, COUNT(*) AS found, MIN(id) AS example
FROM (
    SELECT id, MIN(place) AS place
    FROM (
        SELECT {id} AS id, year || '-' || month || '-' || day AS place
        FROM {raw}
        WHERE {days}
        GROUP BY {id}, year, month, day
    ) AS places
    GROUP BY id
    HAVING COUNT(*) > 1
) AS several
HAVING COUNT(*) > 0
