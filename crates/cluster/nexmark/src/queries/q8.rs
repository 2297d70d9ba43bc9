use std::time::Duration;

use incumbent_stream::{Job, Tumbling};
use incumbent_stream_files::Files;
use serde::{Deserialize, Serialize};

use super::timed_events;
use crate::{Event, Happened, Other};

/// How long a window is.
const SIZE: Duration = Duration::from_secs(10);

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct New {
    id: i64,
    name: String,
    date_time: i64,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct BySeller {
    seller: i64,
    date_time: i64,
}

impl Happened for New {
    fn date_time(&self) -> i64 {
        self.date_time
    }
}

impl Happened for BySeller {
    fn date_time(&self) -> i64 {
        self.date_time
    }
}

/// Somebody who has registered and opened an auction in the same window.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewSeller {
    /// Of the person.
    pub id: i64,
    /// Of the person.
    pub name: String,
    /// The beginning of the window, in milliseconds since 1970.
    pub start: i64,
}

/// Who has registered and opened an auction in the same 10 seconds?
pub fn q8(job: &Job<'_>, input: &str, output: &str) {
    let events = timed_events::<New, BySeller, Other>(job, input);
    let persons = events.flat_map(Event::person).key_by(|person| person.id);
    let auctions = events
        .flat_map(Event::auction)
        .key_by(|auction| auction.seller);
    persons
        .join("new", &auctions)
        .window(Tumbling::of(SIZE))
        .co_group(|_, window, persons, auctions| {
            // Once, however many auctions there are.
            let person = persons.first().filter(|_| !auctions.is_empty());
            person.map(|person| NewSeller {
                id: person.id,
                name: person.name.clone(),
                start: window.start.0,
            })
        })
        .sink("sellers", Files::ndjson(output));
}
