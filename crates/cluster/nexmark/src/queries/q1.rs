use incumbent_stream::Job;
use incumbent_stream_files::Files;
use serde::{Deserialize, Serialize};

use super::events;
use crate::{Bid, Event, Other};

/// What a dollar is in euros, in thousandths.
const EUROS: i64 = 908;

/// A bid in euros.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Euros {
    /// The auction.
    pub auction: i64,
    /// Who bids.
    pub bidder: i64,
    /// In cents of a euro, rounded down.
    pub price: i64,
    /// When it was made.
    pub date_time: i64,
    /// As in the bid.
    pub extra: String,
}

/// Every bid, with its price in euros.
pub fn q1(job: &Job<'_>, input: &str, output: &str) {
    events::<Other, Other, Bid>(job, input)
        .flat_map(Event::bid)
        .map(|bid| Euros {
            auction: bid.auction,
            bidder: bid.bidder,
            price: bid.price * EUROS / 1000,
            date_time: bid.date_time,
            extra: bid.extra,
        })
        .sink("bids", Files::ndjson(output));
}
