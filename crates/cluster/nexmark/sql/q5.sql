-- Which auctions had the most bids in the last 10 seconds, every 2 seconds?
-- A window begins at each even second, and each bid is in five of them.
WITH
    slide (back) AS (VALUES (0), (1), (2), (3), (4)),
    counts AS (
        SELECT (dateTime / 2000 - back) * 2000 AS start, auction, count(*) AS num
        FROM bid CROSS JOIN slide
        GROUP BY start, auction
    ),
    most AS (SELECT start, max(num) AS num FROM counts GROUP BY start)
SELECT counts.start, auction, counts.num
FROM counts JOIN most ON counts.start = most.start AND counts.num = most.num
