//! Counts clicks of pages, by the second and in all.

use std::process::ExitCode;
use std::time::Duration;

use incumbent_stream::{Generator, Job, Timestamp, Tumbling, run};
use incumbent_stream_files::Files;
use serde::{Deserialize, Serialize};

#[derive(Clone, Serialize, Deserialize)]
struct Click {
    page: String,
    time: i64,
}

fn click(n: u64) -> Click {
    let (page, time) = (format!("/page/{}", n % 97), n as i64);
    Click { page, time }
}

pub(super) fn clicks(job: &Job<'_>) {
    let clicks = job
        .source(
            "clicks",
            Generator::new(click).rate(1000.0).records(300_000),
        )
        .event_time(
            |click| Timestamp::millis(click.time),
            Duration::from_secs(1),
        )
        .key_by(|click| click.page.clone());
    clicks
        .window("per-second", Tumbling::seconds(1))
        .count()
        .sink("counts", Files::ndjson(super::guide::path("counts")));
    clicks
        .state("totals", |page, _, total: &mut u64, out| {
            *total += 1;
            out.give((page.clone(), *total));
        })
        .filter(|(_, total)| total % 1000 == 0)
        .sink("thousands", Files::ndjson(super::guide::path("thousands")));
}

pub(super) fn main() -> ExitCode {
    run(clicks)
}
