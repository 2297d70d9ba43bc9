//! What Flink is asked: the same queries over the same files.

use std::path::Path;

/// The events. As with us, records may be 4 s out of order.
fn events(input: &Path) -> String {
    format!(
        "CREATE TEMPORARY TABLE events (
            person ROW<id BIGINT, name STRING, `dateTime` BIGINT>,
            auction ROW<id BIGINT, seller BIGINT, `dateTime` BIGINT>,
            bid ROW<auction BIGINT, bidder BIGINT, price BIGINT, channel STRING, url STRING, `dateTime` BIGINT,
                extra STRING>,
            `at` AS TO_TIMESTAMP_LTZ(
                COALESCE(bid.`dateTime`, auction.`dateTime`, person.`dateTime`), 3),
            WATERMARK FOR `at` AS `at` - INTERVAL '4' SECOND
        ) WITH ('connector' = 'filesystem', 'format' = 'json', 'path' = 'file://{}')",
        input.display()
    )
}

/// Without event time.
fn events_without_time(input: &Path) -> String {
    format!(
        "CREATE TEMPORARY TABLE events (
            bid ROW<auction BIGINT, bidder BIGINT, price BIGINT, channel STRING, url STRING, `dateTime` BIGINT,
                extra STRING>
        ) WITH ('connector' = 'filesystem', 'format' = 'json', 'path' = 'file://{}')",
        input.display()
    )
}

fn results(columns: &str, output: &Path) -> String {
    format!(
        "CREATE TEMPORARY TABLE results ({columns})
        WITH ('connector' = 'filesystem', 'format' = 'json', 'path' = 'file://{}')",
        output.display()
    )
}

/// How often each auction was bid on; each new count goes nowhere.
fn count(input: &Path) -> Vec<String> {
    // Nothing but the key is asked for, and nothing else becomes an object.
    let events = format!(
        "CREATE TEMPORARY TABLE events (bid ROW<auction BIGINT>)
        WITH ('connector' = 'filesystem', 'format' = 'json', 'path' = 'file://{}')",
        input.display()
    );
    vec![
        events,
        "CREATE TEMPORARY TABLE results (auction BIGINT, `count` BIGINT) WITH ('connector' = 'blackhole')".into(),
        "INSERT INTO results SELECT bid.auction, COUNT(*) FROM events WHERE bid IS NOT NULL GROUP BY bid.auction".into(),
    ]
}

fn q0(input: &Path, output: &Path) -> Vec<String> {
    let columns = "auction BIGINT, bidder BIGINT, price BIGINT, channel STRING, url STRING, `dateTime` BIGINT, extra STRING";
    vec![
        events_without_time(input),
        results(columns, output),
        "INSERT INTO results SELECT bid.auction, bid.bidder, bid.price, bid.channel, bid.url, bid.`dateTime`, bid.extra
        FROM events WHERE bid IS NOT NULL"
            .into(),
    ]
}

fn q5(input: &Path, output: &Path) -> Vec<String> {
    let counts = "SELECT auction, COUNT(*) AS num, window_start, window_end
        FROM TABLE(HOP(TABLE bids, DESCRIPTOR(`at`), INTERVAL '2' SECOND, INTERVAL '10' SECOND))
        GROUP BY auction, window_start, window_end";
    vec![
        events(input),
        "CREATE TEMPORARY VIEW bids AS SELECT bid.auction AS auction, `at` FROM events WHERE bid IS NOT NULL".into(),
        results("`start` TIMESTAMP(3), auction BIGINT, num BIGINT", output),
        format!(
            "INSERT INTO results SELECT A.window_start, A.auction, A.num FROM ({counts}) A JOIN (
                SELECT MAX(num) AS most, window_start, window_end FROM ({counts})
                GROUP BY window_start, window_end
            ) B
            ON A.window_start = B.window_start AND A.window_end = B.window_end AND A.num >= B.most"
        ),
    ]
}

fn q8(input: &Path, output: &Path) -> Vec<String> {
    let tumble = |table: &str, columns: &str| {
        format!(
            "SELECT {columns}, window_start, window_end
            FROM TABLE(TUMBLE(TABLE {table}, DESCRIPTOR(`at`), INTERVAL '10' SECOND))
            GROUP BY {columns}, window_start, window_end"
        )
    };
    vec![
        events(input),
        "CREATE TEMPORARY VIEW persons AS SELECT person.id AS id, person.name AS name, `at`
        FROM events WHERE person IS NOT NULL"
            .into(),
        "CREATE TEMPORARY VIEW auctions AS SELECT auction.seller AS seller, `at`
        FROM events WHERE auction IS NOT NULL"
            .into(),
        results("id BIGINT, name STRING, `start` TIMESTAMP(3)", output),
        format!(
            "INSERT INTO results SELECT P.id, P.name, P.window_start FROM ({}) P JOIN ({}) A
            ON P.id = A.seller AND P.window_start = A.window_start AND P.window_end = A.window_end",
            tumble("persons", "id, name"),
            tumble("auctions", "seller")
        ),
    ]
}

/// The statements of a query.
pub(super) fn statements(query: &str, input: &Path, output: &Path) -> Vec<String> {
    match query {
        "count" => count(input),
        "q0" => q0(input, output),
        "q5" => q5(input, output),
        "q8" => q8(input, output),
        _ => Vec::new(),
    }
}

/// How often each of so many keys was met, printed at once.
pub(super) fn printed_counts(keys: u64, rate: u64) -> Vec<String> {
    let last = keys - 1;
    vec![
        format!(
            "CREATE TEMPORARY TABLE numbers (`key` BIGINT) WITH ('connector' = 'datagen', 'rows-per-second' = '{rate}',
            'fields.key.kind' = 'random', 'fields.key.min' = '0', 'fields.key.max' = '{last}')"
        ),
        "CREATE TEMPORARY TABLE results (`key` BIGINT, `count` BIGINT) WITH ('connector' = 'print')".into(),
        "INSERT INTO results SELECT `key`, COUNT(*) FROM numbers GROUP BY `key`".into(),
    ]
}
