use incumbent_stream::Job;
use incumbent_stream_files::Files;
use serde::{Deserialize, Serialize};

use super::events;
use crate::{Bid, Event};

/// Of a person or an auction, nothing is needed.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Nothing {}

/// Every bid, as it is: what reading and writing cost.
pub fn q0(job: &Job<'_>, input: &str, output: &str) {
    events::<Nothing, Nothing, Bid>(job, input)
        .flat_map(Event::bid)
        .sink("bids", Files::ndjson(output));
}
