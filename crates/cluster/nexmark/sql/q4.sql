-- The average of the winning bids, of each category.
SELECT category, count(*) AS auctions, sum(price) / count(*) AS average
FROM (
    SELECT auction.category, max(bid.price) AS price
    FROM auction JOIN bid ON auction.id = bid.auction
    WHERE bid.dateTime BETWEEN auction.dateTime AND auction.expires
    GROUP BY auction.id
)
GROUP BY category
