#!/usr/bin/env python3
"""Answers queries over files of events with SQLite: `reference.py FILE.sql EVENTS.ndjson...`.

Each row is a line of JSON.
"""

import json
import sqlite3
import sys

TABLES = {
    "person": "id name emailAddress creditCard city state dateTime extra",
    "auction": "id itemName description initialBid reserve dateTime expires seller category extra",
    "bid": "auction bidder price channel url dateTime extra",
}


def main():
    query, *inputs = sys.argv[1:]
    database = sqlite3.connect(":memory:")
    for table, columns in TABLES.items():
        database.execute(f"CREATE TABLE {table} ({', '.join(columns.split())})")
    for path in inputs:
        with open(path) as lines:
            for line in lines:
                [(table, record)] = json.loads(line).items()
                columns = TABLES[table].split()
                marks = ", ".join("?" * len(columns))
                values = [record[column] for column in columns]
                database.execute(f"INSERT INTO {table} VALUES ({marks})", values)
    database.execute("CREATE INDEX of_bid ON bid (auction)")
    database.execute("CREATE INDEX of_auction ON auction (seller)")
    with open(query) as text:
        rows = database.execute(text.read())
    names = [column[0] for column in rows.description]
    for row in rows:
        print(json.dumps(dict(zip(names, row))))


if __name__ == "__main__":
    main()
