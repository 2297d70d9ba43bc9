use std::time::Duration;

use incumbent_stream::Job;
use incumbent_stream_files::Files;
use serde::{Deserialize, Serialize};

use super::timed_events;
use crate::{Event, Happened, Other};

/// No auction is open for longer.
const LONGEST: Duration = Duration::from_secs(3600);

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Open {
    id: i64,
    category: i64,
    date_time: i64,
    expires: i64,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Offered {
    auction: i64,
    price: i64,
    date_time: i64,
}

impl Happened for Open {
    fn date_time(&self) -> i64 {
        self.date_time
    }
}

impl Happened for Offered {
    fn date_time(&self) -> i64 {
        self.date_time
    }
}

/// A bid that counts.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Valid {
    auction: i64,
    category: i64,
    price: i64,
}

/// What a better bid changes in its category.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Change {
    category: i64,
    auctions: i64,
    total: i64,
}

/// The winning bids of a category, until now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Average {
    /// The category.
    pub category: i64,
    /// How many auctions have a bid.
    pub auctions: i64,
    /// Of their highest bids, in cents, rounded down.
    pub average: i64,
}

/// The average of the winning bids, of each category. A bid counts if it is made while its auction
/// is open. The last result of a category is the one that stands.
pub fn q4(job: &Job<'_>, input: &str, output: &str) {
    let events = timed_events::<Other, Open, Offered>(job, input);
    let auctions = events.flat_map(Event::auction).key_by(|open| open.id);
    let bids = events.flat_map(Event::bid).key_by(|bid| bid.auction);
    auctions
        .join("valid", &bids)
        .between(Duration::ZERO, LONGEST)
        .apply(|auction, open, bid| {
            let counts = (open.date_time..=open.expires).contains(&bid.date_time);
            counts.then_some(Valid {
                auction: *auction,
                category: open.category,
                price: bid.price,
            })
        })
        .flat_map(|valid| valid)
        .key_by(|bid| bid.auction)
        .state("best", |_, bid, best: &mut Option<i64>, out| {
            if best.is_none_or(|best| best < bid.price) {
                out.give(Change {
                    category: bid.category,
                    auctions: i64::from(best.is_none()),
                    total: bid.price - best.unwrap_or_default(),
                });
                *best = Some(bid.price);
            }
        })
        .key_by(|change| change.category)
        .state("average", |_, change, sums: &mut (i64, i64), out| {
            let (auctions, total) = sums;
            *auctions += change.auctions;
            *total += change.total;
            out.give(Average {
                category: change.category,
                auctions: *auctions,
                average: *total / *auctions,
            });
        })
        .sink("averages", Files::ndjson(output));
}
