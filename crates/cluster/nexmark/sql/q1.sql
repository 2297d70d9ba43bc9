-- Every bid, with its price in euros: whole cents, rounded down.
SELECT auction, bidder, price * 908 / 1000 AS price, dateTime, extra FROM bid
