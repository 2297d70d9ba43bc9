use std::cmp::Ordering;
use std::time::Duration;

use incumbent_stream::{Job, Sliding, Tumbling, Window};
use incumbent_stream_files::Files;
use serde::{Deserialize, Serialize};

use super::timed_events;
use crate::{Event, Happened, Other};

/// How long a window is, and how often one begins.
const SIZE: Duration = Duration::from_secs(10);
const EVERY: Duration = Duration::from_secs(2);

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct OnAuction {
    auction: i64,
    date_time: i64,
}

impl Happened for OnAuction {
    fn date_time(&self) -> i64 {
        self.date_time
    }
}

/// The auctions with the most bids of a window.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Most {
    window: Window,
    num: u64,
    auctions: Vec<i64>,
}

/// An auction with the most bids of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hot {
    /// The beginning of the window, in milliseconds since 1970.
    pub start: i64,
    /// The auction.
    pub auction: i64,
    /// How many bids it had.
    pub num: u64,
}

/// Which auctions had the most bids in the last 10 seconds, every 2 seconds?
pub fn q5(job: &Job<'_>, input: &str, output: &str) {
    timed_events::<Other, Other, OnAuction>(job, input)
        .flat_map(Event::bid)
        .key_by(|bid| bid.auction)
        .window("bids", Sliding::of(SIZE, EVERY))
        .count()
        .map(|counted| Most {
            window: counted.window,
            num: counted.value,
            auctions: vec![counted.key],
        })
        .key_by(|most| most.window)
        // A result has the last time of its window, so each of these has the results of one.
        .window("hottest", Tumbling::of(EVERY))
        .reduce(|one, other| match one.num.cmp(&other.num) {
            Ordering::Less => other,
            Ordering::Greater => one,
            Ordering::Equal => Most {
                auctions: [one.auctions, other.auctions].concat(),
                ..one
            },
        })
        .flat_map(|hottest| {
            let Most {
                window,
                num,
                auctions,
            } = hottest.value;
            let start = window.start.0;
            let hot = move |auction| Hot {
                start,
                auction,
                num,
            };
            auctions.into_iter().map(hot)
        })
        .sink("hot", Files::ndjson(output));
}
