//! Checkpoints in words: for `why`, and for the command line. Pure: the present moment is an
//! argument.

use std::time::{Duration, SystemTime};

use incumbent_cluster_core::view::{
    AbortedCheckpointView, CheckpointView, JobView, PendingCheckpointView,
};

/// Most ranks that are named one by one.
const MOST_NAMED: usize = 10;

/// What there is to say of a job's checkpoints that are completed, one line each; nothing if it
/// makes none. What it waits for is among the leader's reasons.
pub fn about_checkpoints(job: &JobView, now: SystemTime) -> Vec<String> {
    let Some(checkpoints) = &job.checkpoints else {
        return Vec::new();
    };
    let mut lines = vec![match &job.checkpoint {
        Some(last) => format!("its last completed checkpoint is {}", completed(last, now)),
        None => "no checkpoint of it is completed yet".to_owned(),
    }];
    if let Some(from) = &checkpoints.restored_from {
        lines.push(format!("it has started from {from}"));
    }
    lines
}

/// A checkpoint that is being made, and for whom it waits.
pub fn pending(checkpoint: &PendingCheckpointView) -> String {
    let what = match &checkpoint.savepoint {
        Some(id) => format!("savepoint {id} (checkpoint {})", checkpoint.number),
        None => format!("checkpoint {}", checkpoint.number),
    };
    let since = duration(Duration::from_millis(checkpoint.for_ms));
    match checkpoint.missing[..] {
        [] => {
            format!("{what} is acknowledged by all ranks, after {since}, and is being written down")
        }
        ref missing => format!(
            "{what} is being made since {since}; {} not acknowledged it",
            ranks_have(missing)
        ),
    }
}

/// A checkpoint that was aborted, and why. That says which ranks were late.
pub fn aborted(checkpoint: &AbortedCheckpointView) -> String {
    let AbortedCheckpointView {
        number,
        at,
        why,
        late: _,
    } = checkpoint;
    format!("checkpoint {number} was aborted at {at}: {why}")
}

/// A completed checkpoint in a line.
pub fn completed(checkpoint: &CheckpointView, now: SystemTime) -> String {
    let age = age(&checkpoint.completed_at, now);
    let age = age.unwrap_or_else(|| checkpoint.completed_at.clone());
    let tasks = match checkpoint.tasks {
        1 => "1 task".to_owned(),
        tasks => format!("{tasks} tasks"),
    };
    format!(
        "{}, {age}: {} of {tasks} in {}, by attempt {}",
        checkpoint.number,
        bytes(checkpoint.bytes),
        duration(Duration::from_millis(checkpoint.took_ms)),
        checkpoint.attempt
    )
}

/// How long ago that was, as in `0.8 s ago`. The clock is another node's: what it says is of the
/// future is now.
pub fn age(at: &str, now: SystemTime) -> Option<String> {
    let at = humantime::parse_rfc3339(at).ok()?;
    let age = now.duration_since(at).unwrap_or_default();
    Some(format!("{} ago", duration(age)))
}

/// Which ranks, as in `ranks 0, 2 and 5`.
pub fn ranks(ranks: &[u32]) -> String {
    let named: Vec<String> = ranks.iter().take(MOST_NAMED).map(u32::to_string).collect();
    match (&named[..], ranks.len()) {
        ([], _) => "no rank".into(),
        ([one], _) => format!("rank {one}"),
        (_, all) if all > MOST_NAMED => {
            format!("ranks {} and {} more", named.join(", "), all - MOST_NAMED)
        }
        ([before @ .., last], _) => format!("ranks {} and {last}", before.join(", ")),
    }
}

fn ranks_have(which: &[u32]) -> String {
    let have = if which.len() == 1 { "has" } else { "have" };
    format!("{} {have}", ranks(which))
}

/// A time, with as many digits as people need.
pub fn duration(time: Duration) -> String {
    match time.as_secs() {
        0 if time.as_millis() < 100 => format!("{} ms", time.as_millis()),
        0..10 => format!("{:.1} s", time.as_secs_f64()),
        seconds @ 10..120 => format!("{seconds} s"),
        seconds @ 120..7200 => format!("{} min", seconds / 60),
        seconds @ 7200..172_800 => format!("{} h", seconds / 3600),
        seconds => format!("{} days", seconds / 86_400),
    }
}

#[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
fn bytes(number: u64) -> String {
    let mut shown = number as f64;
    for unit in ["B", "KiB", "MiB", "GiB"] {
        if shown < 1000.0 {
            return match unit {
                "B" => format!("{number} B"),
                unit => format!("{shown:.1} {unit}"),
            };
        }
        shown /= 1024.0;
    }
    format!("{shown:.1} TiB")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> SystemTime {
        humantime::parse_rfc3339("2026-01-01T00:01:00Z").unwrap()
    }

    #[test]
    fn a_completed_checkpoint_says_its_age_size_and_time() {
        let checkpoint = CheckpointView {
            number: 41,
            attempt: 2,
            tasks: 4,
            completed_at: "2026-01-01T00:00:59.2Z".into(),
            bytes: 40 * 1024 * 1024,
            took_ms: 120,
            savepoint: None,
        };
        let told = completed(&checkpoint, now());
        assert_eq!(
            told,
            "41, 0.8 s ago: 40.0 MiB of 4 tasks in 0.1 s, by attempt 2"
        );
        // A leader whose clock is ahead.
        assert_eq!(age("2026-01-01T00:02:00Z", now()).unwrap(), "0 ms ago");
    }

    #[test]
    fn the_ranks_that_are_waited_for_are_named() {
        let mut checkpoint = PendingCheckpointView {
            number: 8,
            for_ms: 12_000,
            missing: vec![0, 2, 5],
            savepoint: None,
        };
        let told = pending(&checkpoint);
        assert_eq!(
            told,
            "checkpoint 8 is being made since 12 s; ranks 0, 2 and 5 have not acknowledged it"
        );
        checkpoint.missing = vec![2];
        assert!(pending(&checkpoint).ends_with("rank 2 has not acknowledged it"));
        checkpoint.missing = (0..100).collect();
        assert!(pending(&checkpoint).contains("8, 9 and 90 more have not"));
        checkpoint.missing = Vec::new();
        assert!(pending(&checkpoint).contains("acknowledged by all ranks"));
    }
}
