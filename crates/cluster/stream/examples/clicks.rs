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

fn clicks(job: &Job<'_>) {
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
        .sink("counts", Files::ndjson("/tmp/clicks/counts"));
    clicks
        .state("totals", |page, _, total: &mut u64, out| {
            *total += 1;
            out.give((page.clone(), *total));
        })
        .filter(|(_, total)| total % 1000 == 0)
        .sink("thousands", Files::ndjson("/tmp/clicks/thousands"));
}

fn main() -> ExitCode {
    run(clicks)
}

#[cfg(test)]
mod tests {
    use incumbent_stream::Windowed;
    use incumbent_stream::kit::Test;

    use super::*;

    #[test]
    fn clicks_are_counted_by_the_second() {
        let (page, home) = ("/home".to_owned(), || "/home".to_owned());
        let mut test = Test::new(clicks);
        for time in [10, 20] {
            test.give("clicks", Click { page: home(), time });
        }
        test.run();
        assert_eq!(test.state::<u64>("totals", &page), Some(2));

        test.restart(3);
        test.advance("clicks", Timestamp::millis(2_000));
        test.run();
        let counts = test.taken::<Windowed<String, u64>>("counts");
        assert_eq!((&counts[0].key, counts[0].value), (&page, 2));
    }
}
