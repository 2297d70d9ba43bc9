-- The highest bids of each 10 seconds.
WITH highest AS (
    SELECT dateTime / 10000 * 10000 AS start, max(price) AS price FROM bid GROUP BY start
)
SELECT start, auction, bidder, bid.price, dateTime, extra
FROM bid JOIN highest ON dateTime / 10000 * 10000 = start AND bid.price = highest.price
