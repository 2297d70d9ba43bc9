use incumbent_stream::Job;
use incumbent_stream_files::Files;
use serde::{Deserialize, Serialize};

use super::events;
use crate::{Event, Other};

/// One in so many auctions is asked for.
const EACH: i64 = 123;

/// The price of a bid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Price {
    /// The auction.
    pub auction: i64,
    /// In cents.
    pub price: i64,
}

/// The bids on certain auctions.
pub fn q2(job: &Job<'_>, input: &str, output: &str) {
    events::<Other, Other, Price>(job, input)
        .flat_map(Event::bid)
        .filter(|bid| bid.auction % EACH == 0)
        .sink("bids", Files::ndjson(output));
}
