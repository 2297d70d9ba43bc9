//! What docs/guide/streams.md shows is what is compiled, and its examples run here.

use std::fs;
use std::path::Path;
use std::time::Duration;

use incumbent_stream::kit::Nothing;
use incumbent_stream::{Job, KeyedStream, Session, Sliding, Timestamp, Tumbling};
use incumbent_stream_files::Files;

#[allow(dead_code, reason = "its main is not called")]
#[path = "../examples/clicks.rs"]
mod clicks;

#[allow(dead_code, reason = "its main is not called")]
#[path = "../examples/own.rs"]
mod own;

/// The blocks of Rust that the guide shows.
fn blocks() -> Vec<String> {
    let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../docs/guide/streams.md");
    let guide = fs::read_to_string(guide).expect("the guide is there");
    let blocks = guide.split("```rust\n").skip(1);
    blocks
        .filter_map(|text| text.split_once("```").map(|(block, _)| block.to_owned()))
        .collect()
}

#[test]
fn the_guide_shows_what_is_compiled() {
    let blocks = blocks();
    let example = include_str!("../examples/clicks.rs");
    let (program, tests) = example.split_once("\n#[cfg(test)]\n").unwrap();
    assert_eq!(blocks[0], program);
    let here = include_str!("guide.rs");
    for block in &blocks[1..] {
        let is_in = |source: &str| squeezed(source).contains(&squeezed(block));
        assert!(
            is_in(tests) || is_in(here),
            "nothing compiles this:\n{block}"
        );
    }
}

/// Without what formatting decides.
fn squeezed(text: &str) -> String {
    text.split_whitespace().collect()
}

#[derive(Clone, serde::Serialize, serde::Deserialize)]
struct Record {
    id: u64,
    price: u64,
    time: i64,
}

type ById<'s> = KeyedStream<'s, u64, Record>;

fn windows(clicks: &ById<'_>) {
    let (hour, minute) = (Duration::from_secs(3_600), Duration::from_secs(60));
    clicks.window("per-minute", Tumbling::minutes(1)).count();
    clicks
        .window("last-hour", Sliding::of(hour, minute))
        .sum(|click| click.price);
    clicks
        .window("visits", Session::gap(Duration::from_secs(1800)))
        .collect();
}

fn lateness(clicks: &ById<'_>) {
    clicks
        .window("kept-longer", Tumbling::minutes(1))
        .allowed_lateness(Duration::from_secs(30))
        .late(|late| late.sink("late", Files::ndjson("/tmp/clicks/late")))
        .count();
}

fn join<'s>(orders: &ById<'s>, payments: &ById<'s>) {
    let paid = orders
        .join("paid", payments)
        .within(Duration::from_secs(3600))
        .apply(|id, order, payment| (*id, order.price - payment.price));
    paid.sink("out", Nothing::new());
}

#[test]
fn what_the_guide_shows_is_a_job() {
    let all = |job: &Job<'_>| {
        let orders = job
            .source("orders", Nothing::<Record>::new())
            .event_time(|record| Timestamp::millis(record.time), Duration::ZERO)
            .key_by(|record| record.id);
        let payments = job
            .source("payments", Nothing::<Record>::new())
            .event_time(|record| Timestamp::millis(record.time), Duration::ZERO)
            .key_by(|record| record.id);
        windows(&orders);
        lateness(&orders);
        join(&orders, &payments);
    };
    incumbent_stream::kit::check(all).unwrap();
}
