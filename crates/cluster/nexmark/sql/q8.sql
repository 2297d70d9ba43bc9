-- Who has registered and opened an auction in the same 10 seconds?
SELECT DISTINCT person.id, person.name, person.dateTime / 10000 * 10000 AS start
FROM person JOIN auction ON auction.seller = person.id
WHERE auction.dateTime / 10000 = person.dateTime / 10000
