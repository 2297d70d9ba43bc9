use incumbent_stream::Job;
use serde::{Deserialize, Serialize};

use super::events;
use crate::{Event, Nowhere};

/// The one field of a bid that is needed.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct OnAuction {
    auction: i64,
}

/// Of a person or an auction, nothing is needed.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Nothing {}

/// How often an auction has been bid on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counted {
    /// The auction.
    pub auction: i64,
    /// Until now.
    pub count: u64,
}

/// How often each auction has been bid on. Each bid gives a new count; they go nowhere, as this is
/// for measurements.
pub fn count(job: &Job<'_>, input: &str, _: &str) {
    events::<Nothing, Nothing, OnAuction>(job, input)
        .flat_map(Event::bid)
        .key_by(|bid| bid.auction)
        .state("bids", |auction, _, count: &mut u64, out| {
            *count += 1;
            let (auction, count) = (*auction, *count);
            out.give(Counted { auction, count });
        })
        .sink("counts", Nowhere);
}
