//! What a task shows to people: its samples, and a line that says how far it is.

use std::collections::BTreeMap;
use std::sync::mpsc::{SyncSender, sync_channel};

use incumbent_task::Task;

use super::spawn;
use crate::Result;

/// Starts the thread that shows samples. If it is behind, newer ones are left out: showing must
/// never hold a checkpoint up.
pub(super) fn start(task: Task) -> Result<SyncSender<String>> {
    let (show, samples) = sync_channel::<String>(1);
    let run = move || {
        for text in samples {
            // What is shown is not worth the job. A TaskManager that is gone ends it elsewhere.
            let shown = task
                .metrics(&text)
                .and_then(|()| task.progress(&progress(&text)));
            if let Err(error) = shown {
                tracing::debug!(%error, "metrics or progress were not taken; trying again with the next ones");
            }
        }
    };
    spawn("shown", run)?;
    Ok(show)
}

/// A line for people, out of the samples.
fn progress(samples: &str) -> String {
    let waits: BTreeMap<&str, f64> = of(samples, "stream_waits{source=").collect();
    // A source is an operator too: what it takes in is what it has read.
    let taken = of(samples, "stream_records_total{operator=").step_by(2);
    let read = taken.filter(|(name, _)| waits.contains_key(name));
    let busy = of(samples, "stream_busy_ratio{operator=");
    let busiest = busy.max_by(|(_, one), (_, other)| one.total_cmp(other));
    let mut line = format!(
        "{} records read",
        short(read.fold(0.0, |sum, (_, count)| sum + count))
    );
    if waits.values().any(|waits| *waits > 0.0) {
        line.push_str(", held up by what is behind the source");
    }
    if of(samples, "stream_checkpoint_waits{operator=").any(|(_, waits)| waits > 0.0) {
        line.push_str(", its checkpoint waits for disk or blobs");
    }
    if let Some((operator, ratio)) = busiest.filter(|(_, ratio)| *ratio >= 0.01) {
        line.push_str(&format!(", {operator} works {:.0} %", ratio * 100.0));
    }
    line
}

/// The samples that begin so, by their first label.
fn of<'s>(samples: &'s str, begin: &'s str) -> impl Iterator<Item = (&'s str, f64)> {
    let lines = samples
        .lines()
        .filter_map(move |line| line.strip_prefix(begin));
    lines.filter_map(|line| {
        let (labels, value) = line.rsplit_once(' ')?;
        Some((labels.split('"').nth(1)?, value.parse().ok()?))
    })
}

/// A number that is easy to read.
fn short(number: f64) -> String {
    match number {
        n if n >= 1e9 => format!("{:.1} G", n / 1e9),
        n if n >= 1e6 => format!("{:.1} M", n / 1e6),
        n if n >= 1e4 => format!("{:.1} k", n / 1e3),
        n => format!("{n:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_says_how_much_was_read_and_who_is_busy() {
        let samples = "# TYPE stream_busy_ratio gauge\n\
            stream_busy_ratio{operator=\"count\"} 0.7312\n\
            stream_busy_ratio{operator=\"out\"} 0.0100\n\
            stream_records_total{operator=\"out\",direction=\"in\"} 5\n\
            stream_records_total{operator=\"out\",direction=\"out\"} 0\n\
            stream_records_total{operator=\"words\",direction=\"in\"} 1234567\n\
            stream_records_total{operator=\"words\",direction=\"out\"} 0\n\
            stream_waits{source=\"words\"} 0\n# EOF\n";
        assert_eq!(progress(samples), "1.2 M records read, count works 73 %");
        assert_eq!(progress(""), "0 records read");
        assert!(progress("stream_waits{source=\"x\"} 1\n").contains("held up"));
        let waits = "stream_checkpoint_waits{operator=\"x\"} 1\n";
        assert_eq!(
            progress(waits),
            "0 records read, its checkpoint waits for disk or blobs"
        );
    }

    #[test]
    fn it_fits_into_a_line_of_progress() {
        let long = "n".repeat(64);
        let samples = format!(
            "stream_busy_ratio{{operator=\"{long}\"}} 0.5\nstream_waits{{source=\"{long}\"}} 1\n\
             stream_checkpoint_waits{{operator=\"{long}\"}} 1\n"
        );
        assert!(progress(&samples).len() <= 200);
    }
}
