//! The queries of Nexmark, each a job. `sql/` has each as SQL, which says what its results are.

mod count;
mod counts;
mod q0;
mod q1;
mod q2;
mod q3;
mod q4;
mod q5;
mod q7;
mod q8;

use std::time::Duration;

use incumbent_stream::{Data, Job, SourceStream, Stream, Timestamp};
use incumbent_stream_files::Files;

pub use count::{Counted, count};
pub use counts::{Counts, counts};
pub use q0::q0;
pub use q1::{Euros, q1};
pub use q2::{Price, q2};
pub use q3::{Offer, q3};
pub use q4::{Average, q4};
pub use q5::{Hot, q5};
pub use q7::{Highest, q7};
pub use q8::{NewSeller, q8};

use crate::{Event, Happened};

/// A job that reads events from one place and writes results to another.
pub type Query = fn(&Job<'_>, &str, &str);

/// All of them by name, without [`counts()`], which reads nothing.
pub const QUERIES: [(&str, Query); 9] = [
    ("count", count),
    ("q0", q0),
    ("q1", q1),
    ("q2", q2),
    ("q3", q3),
    ("q4", q4),
    ("q5", q5),
    ("q7", q7),
    ("q8", q8),
];

/// By how much events of one file may be out of order.
const DISORDER: Duration = Duration::from_secs(4);

/// The events of files, with the fields that a query needs.
fn events<'s, P: Data, A: Data, B: Data>(
    job: &Job<'s>,
    input: &str,
) -> SourceStream<'s, Event<P, A, B>> {
    job.source("events", Files::ndjson::<Event<P, A, B>>(input))
}

/// The same in event time.
fn timed_events<'s, P, A, B>(job: &Job<'s>, input: &str) -> Stream<'s, Event<P, A, B>>
where
    P: Data + Happened,
    A: Data + Happened,
    B: Data + Happened,
{
    let time = |event: &Event<P, A, B>| Timestamp::millis(event.date_time());
    events(job, input).event_time(time, DISORDER)
}
