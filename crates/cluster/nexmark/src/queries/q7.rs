use std::cmp::Ordering;
use std::time::Duration;

use incumbent_stream::{Job, Tumbling};
use incumbent_stream_files::Files;
use serde::{Deserialize, Serialize};

use super::timed_events;
use crate::{Bid, Event, Other};

/// How long a window is.
const SIZE: Duration = Duration::from_secs(10);

/// The same in milliseconds: all bids of a window have the same quotient.
const SIZE_MILLIS: i64 = 10_000;

/// The highest bid of a window is found in so many parts, so that all tasks share the work.
const PARTS: i64 = 64;

/// A bid that was the highest of a window.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Highest {
    /// The beginning of the window, in milliseconds since 1970.
    pub start: i64,
    /// The auction.
    pub auction: i64,
    /// Who bids.
    pub bidder: i64,
    /// In cents.
    pub price: i64,
    /// When it was made.
    pub date_time: i64,
    /// As in the bid.
    pub extra: String,
}

/// The highest bids of each 10 seconds: several, if they are equal.
pub fn q7(job: &Job<'_>, input: &str, output: &str) {
    timed_events::<Other, Other, Bid>(job, input)
        .flat_map(Event::bid)
        .map(|bid| vec![bid])
        .key_by(|bids| bids[0].auction % PARTS)
        .window("parts", Tumbling::of(SIZE))
        .reduce(higher)
        .map(|part| part.value)
        .key_by(|bids| bids[0].date_time / SIZE_MILLIS)
        .window("highest", Tumbling::of(SIZE))
        .reduce(higher)
        .flat_map(|highest| {
            let start = highest.window.start.0;
            let result = move |bid: Bid| Highest {
                start,
                auction: bid.auction,
                bidder: bid.bidder,
                price: bid.price,
                date_time: bid.date_time,
                extra: bid.extra,
            };
            highest.value.into_iter().map(result)
        })
        .sink("bids", Files::ndjson(output));
}

/// Bids of one price: those with the higher one, or both.
fn higher(mut one: Vec<Bid>, mut other: Vec<Bid>) -> Vec<Bid> {
    match one[0].price.cmp(&other[0].price) {
        Ordering::Less => other,
        Ordering::Greater => one,
        Ordering::Equal => {
            one.append(&mut other);
            one
        }
    }
}
