-- Shards from which nothing came for a day or longer, between two violations that did come.
WITH arrivals AS (
    SELECT
        shard_id,
        detected_at,
        LAG(detected_at) OVER (PARTITION BY shard_id ORDER BY detected_at) AS before
    FROM violations
    WHERE {days} AND shard_id IS NOT NULL
),
gaps AS (
    SELECT
        shard_id,
        before,
        (CAST(FLOOR(to_unixtime(detected_at)) AS BIGINT) - CAST(FLOOR(to_unixtime(before)) AS BIGINT)) / 3600 AS hours
    FROM arrivals
    WHERE before IS NOT NULL
)
SELECT shard_id AS place, hours AS found, CAST(before AS VARCHAR) AS example
FROM gaps
WHERE hours >= 24
ORDER BY hours DESC, shard_id, before
LIMIT 20
