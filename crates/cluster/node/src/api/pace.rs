//! Which operator of a stream job is slow, out of the metrics that its tasks push. Pure.
//!
//! `stream_busy_ratio{operator}`, `stream_waits{source}`, `stream_held_records{operator}`,
//! `stream_checkpoint_waits{operator}` and `stream_watermark_lag_seconds{source}`; a job that
//! pushes none of them is told nothing.

/// From this share of its time on, an operator is what others wait for.
const BUSY: f64 = 0.5;

/// From this share on it is told also if nothing waits.
const VERY_BUSY: f64 = 0.9;

/// A source that is behind by more than this, in seconds, is told.
const BEHIND: f64 = 30.0;

/// A sample of a job.
struct Sample<'a> {
    name: &'a str,
    /// The operator or the source.
    of: &'a str,
    rank: &'a str,
    value: f64,
}

/// What the metrics of TaskManagers say of a running job, in words.
pub(super) fn pace(texts: &[String], job: &str) -> Vec<String> {
    let samples = || {
        let lines = texts.iter().flat_map(|text| text.lines());
        lines.filter_map(|line| sample(line, job))
    };
    let highest = |name: &str| {
        let named = samples().filter(|sample| sample.name == name && sample.value.is_finite());
        named.max_by(|a, b| a.value.total_cmp(&b.value))
    };
    let mut lines = Vec::new();
    let full = highest("stream_checkpoint_waits").filter(|waits| waits.value > 0.0);
    if let Some(full) = &full {
        lines.push(format!(
            "the checkpoint waits in rank {}, at state `{}`: neither the blobs nor the disk of its \
             TMPDIR take more now; sources wait too if much changes meanwhile",
            full.rank, full.of
        ));
    }
    let waits = samples().any(|sample| sample.name == "stream_waits" && sample.value > 0.0);
    let busiest = highest("stream_busy_ratio");
    let percent = |sample: &Sample<'_>| (sample.value * 100.0).round();
    match busiest {
        Some(busy) if waits && busy.value >= BUSY => lines.push(format!(
            "sources wait for operator `{}` of rank {}, which is busy {} % of the time",
            busy.of,
            busy.rank,
            percent(&busy)
        )),
        Some(busy) if busy.value >= VERY_BUSY => lines.push(format!(
            "operator `{}` of rank {} is busy {} % of the time; no source waits for it",
            busy.of,
            busy.rank,
            percent(&busy)
        )),
        Some(_) if waits && full.is_none() => {
            let held = highest("stream_held_records").filter(|held| held.value > 0.0);
            lines.push(match held {
                Some(held) => format!(
                    "sources wait although no operator is busy: `{}` of rank {} holds {} records that it cannot \
                     pass on yet",
                    held.of, held.rank, held.value
                ),
                None => "sources wait although no operator is busy: a sink is slow, or another rank".to_owned(),
            });
        }
        _ => {}
    }
    if let Some(lag) = highest("stream_watermark_lag_seconds").filter(|lag| lag.value > BEHIND) {
        lines.push(format!(
            "source `{}` of rank {} is {} s behind",
            lag.of,
            lag.rank,
            lag.value.round()
        ));
    }
    lines
}

/// A sample of this job, if a line is one.
fn sample<'a>(line: &'a str, job: &str) -> Option<Sample<'a>> {
    let (name, rest) = line.split_once('{')?;
    name.strip_prefix("stream_")?;
    let (labels, value) = rest.rsplit_once("} ")?;
    let label = |wanted: &str| {
        let mut labels = labels.split("\",");
        labels.find_map(|label| {
            let value = label.strip_prefix(wanted)?.strip_prefix("=\"")?;
            Some(value.trim_end_matches('"'))
        })
    };
    (label("job")? == job).then_some(())?;
    Some(Sample {
        name,
        of: label("operator").or_else(|| label("source"))?,
        rank: label("rank")?,
        value: value.trim().parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(lines: &[&str]) -> Vec<String> {
        let text = lines
            .iter()
            .map(|line| line.replace("JOB", "job=\"words\",rank"));
        let texts: Vec<String> = text.collect();
        pace(&texts, "words")
    }

    #[test]
    fn the_operator_that_sources_wait_for_is_named() {
        let busy = [
            "# TYPE stream_busy_ratio gauge",
            "stream_busy_ratio{JOB=\"0\",operator=\"split\"} 0.41",
            "stream_busy_ratio{JOB=\"1\",operator=\"totals\"} 0.968",
            "stream_busy_ratio{job=\"other\",rank=\"7\",operator=\"x\"} 1",
            "stream_waits{JOB=\"0\",source=\"lines\"} 1",
        ];
        let expected =
            "sources wait for operator `totals` of rank 1, which is busy 97 % of the time";
        assert_eq!(told(&busy), [expected]);
        let nobody = told(&busy[..4]);
        assert_eq!(
            nobody,
            ["operator `totals` of rank 1 is busy 97 % of the time; no source waits for it"]
        );
        assert!(told(&busy[..2]).is_empty());
    }

    #[test]
    fn a_checkpoint_that_finds_no_room_is_told() {
        let waits = |waits: u32| {
            told(&[&format!(
                "stream_checkpoint_waits{{JOB=\"1\",operator=\"totals\"}} {waits}"
            )])
        };
        assert!(waits(0).is_empty());
        let lines = waits(1);
        assert!(
            lines[0].starts_with("the checkpoint waits in rank 1, at state `totals`"),
            "{lines:?}"
        );
    }

    #[test]
    fn waiting_without_a_busy_operator_and_lag_are_told_and_other_metrics_are_not() {
        let slow = [
            "stream_busy_ratio{JOB=\"0\",operator=\"split\"} 0.02",
            "stream_waits{JOB=\"0\",source=\"lines\"} 1",
            "stream_held_records{JOB=\"2\",operator=\"totals\"} 8388608",
            "stream_watermark_lag_seconds{JOB=\"0\",source=\"lines\"} 61.7",
        ];
        assert_eq!(
            told(&slow),
            [
                "sources wait although no operator is busy: `totals` of rank 2 holds 8388608 records that it \
                 cannot pass on yet",
                "source `lines` of rank 0 is 62 s behind",
            ]
        );
        assert!(
            told(&[
                "records_total{JOB=\"0\"} 3",
                "stream_waits 1",
                "",
                "stream_x{"
            ])
            .is_empty()
        );
    }
}
