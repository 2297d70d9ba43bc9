//! What tasks that speak the contract are waited for, in words.

use std::time::Duration;

use incumbent_core::Now;

use super::span;
use crate::Rank;
use crate::checkpoint::{Goal, Intent, RestoreFrom};
use crate::leader::LeaderConfig;
use crate::leader::gangs;
use crate::leader::job::checkpoints::Stage;
use crate::leader::job::{self, Job, cause};
use crate::leader::nodes::Nodes;

/// A checkpoint that takes longer is worth a line.
const SLOW: Duration = Duration::from_secs(2);

/// What a job that checkpoints waits for.
pub(super) fn lines(
    job: &Job,
    nodes: &Nodes,
    config: &LeaderConfig,
    now: Now,
    lines: &mut Vec<String>,
) {
    if job.checkpointing().is_none() {
        return;
    }
    if let Some(which) = ranks(job, |rank| rank.runs() && !rank.is_ready()) {
        lines.push(format!(
            "no checkpoint begins before each task is ready (POST /v1/ready); not yet: {which}"
        ));
    }
    pending(job, now, lines);
    if job.has_outage(nodes) {
        lines.push(
            "the blobs do not answer one of its TaskManagers: no checkpoint begins until they do"
                .to_owned(),
        );
    }
    if let Some(aborted) = &job.checkpoints.last_aborted
        && job.checkpoints.aborted_in_row > 0
    {
        let most = job.checkpointing().map_or(1, |how| how.failures);
        lines.push(format!(
            "checkpoint {} was aborted at {}: {}; {} of {most} in a row, then the attempt fails",
            aborted.number, aborted.at, aborted.why, job.checkpoints.aborted_in_row
        ));
    }
    intent(job, nodes, config, now, lines);
}

fn pending(job: &Job, now: Now, lines: &mut Vec<String>) {
    let Some(pending) = &job.checkpoints.pending else {
        return;
    };
    let since = now.time.since(pending.begun_at);
    if since < SLOW {
        return;
    }
    let (number, since) = (pending.number, span(since));
    lines.push(match pending.stage {
        Stage::Asked => format!(
            "checkpoint {number} was asked for {since} ago, and not acknowledged by {}",
            cause::ranks_text(&pending.missing())
        ),
        Stage::Storing { .. } => {
            format!("checkpoint {number} was asked for {since} ago: its manifest is being written")
        }
        Stage::Stored { .. } => {
            format!("checkpoint {number} was asked for {since} ago: the store has not taken it yet")
        }
    });
}

fn intent(job: &Job, nodes: &Nodes, config: &LeaderConfig, now: Now, lines: &mut Vec<String>) {
    let Some(intent) = job.record.intent else {
        return;
    };
    lines.push(match intent {
        Intent::Savepoint { id } => format!("it is making savepoint {id}"),
        Intent::Stop { savepoint } => format!("it is being stopped with savepoint {savepoint}"),
        Intent::Rescale { tasks } if gangs::has_all(job, nodes, now.time) => {
            format!("it is being given {tasks} tasks: a checkpoint comes first")
        }
        Intent::Rescale { tasks } => {
            let free: u32 = nodes.with_free().map(|(free, ..)| free).sum();
            format!(
                "it is to have {tasks} tasks and waits for slots: it holds {}, and {free} are free",
                job.held.len()
            )
        }
    });
    let wake = job.checkpoint_wake(nodes, config, now.time);
    if let Some(at) = wake.filter(|_| job.checkpoints.pending.is_none()) {
        lines.push(format!(
            "its checkpoint is tried again in {}",
            span(at.since(now.time))
        ));
    }
}

/// What is left of a job whose last checkpoint is committed.
pub(super) fn closing(job: &Job, lines: &mut Vec<String>) {
    let Some(closing) = job.record.closing else {
        return;
    };
    let goal = match closing.goal {
        Goal::Suspended => "it is being stopped",
        Goal::Finished => "its input has ended",
    };
    let number = closing.number;
    let still = ranks(job, |rank| !rank.has_closed(number));
    lines.push(match still {
        Some(which) => format!(
            "{goal}: checkpoint {number} is its last one; {which} publishes what is staged, and \
             ends"
        ),
        None => format!("{goal}: checkpoint {number} is its last one, and all of it is published"),
    });
}

/// What a job starts from that was not found yet.
pub(super) fn waits_for_origin(job: &Job, lines: &mut Vec<String>) {
    let is_open = job.record.origin.is_none() && job.record.attempt.0 == 0;
    match job.record.spec.restore.filter(|_| is_open) {
        Some(RestoreFrom::Savepoint { savepoint }) => {
            lines.push(format!(
                "it starts from savepoint {savepoint}, which is looked for"
            ));
        }
        Some(RestoreFrom::Job { job, .. }) => {
            lines.push(format!(
                "it starts from job {job}, whose record is looked for"
            ));
        }
        None => {}
    }
}

/// The ranks for which this holds, in words.
fn ranks(job: &Job, is_meant: impl Fn(&job::rank::Rank) -> bool) -> Option<String> {
    let meant: Vec<Rank> = (0..job.ranks.len())
        .filter(|at| is_meant(&job.ranks[*at]))
        .map(|at| job.task(at).rank)
        .collect();
    (!meant.is_empty()).then(|| cause::ranks_text(&meant))
}
