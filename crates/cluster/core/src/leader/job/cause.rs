//! Causes: what failed first, in words.

use super::Job;
use super::rank::RankState;
use crate::message::{EndedHow, TaskEnd};
use crate::record::LARGEST_CAUSE;
use crate::{Cause, CauseKind, Rank, exit};

/// Most of the last lines of a task that a cause keeps.
const MOST_LINES: usize = 20;

/// Longest message of a cause, in bytes. The lines get the rest of [`LARGEST_CAUSE`].
const LONGEST_MESSAGE: usize = 1024;

/// A cause without a rank.
pub(in crate::leader) fn plain(kind: CauseKind, message: String) -> Cause {
    Cause {
        kind,
        message: shortened(&message, LONGEST_MESSAGE),
        rank: None,
        node: None,
        exit_code: None,
        signal: None,
        last_lines: Vec::new(),
    }
}

/// A cause that is about one rank.
pub(in crate::leader) fn about(job: &Job, rank: usize, kind: CauseKind, message: String) -> Cause {
    let id = job.task(rank).rank;
    Cause {
        rank: Some(id),
        node: job.record.node_of(id).map(|node| node.name.clone()),
        ..plain(kind, message)
    }
}

/// What it means that this rank has ended while its attempt goes on; `None` if it is no failure.
///
/// A TaskManager that is drained ends what was not moved in time.
pub(super) fn of_rank(job: &Job, rank: usize, is_drained: bool) -> Option<Cause> {
    let RankState::Ended(end) = &job.ranks[rank].state else {
        return None;
    };
    let id = job.task(rank).rank;
    let at = job
        .record
        .node_of(id)
        .map_or("a TaskManager", |node| &node.name);
    let (kind, message) = match &end.how {
        EndedHow::Exited { code: 0 } if !job.record.is_checkpointing() => return None,
        EndedHow::Exited { code: 0 } if job.is_rank_done(&job.ranks[rank]) => return None,
        EndedHow::Exited { code: 0 } => (CauseKind::TaskFailed, left_early(job, rank, at)),
        EndedHow::Exited { code } => (
            CauseKind::TaskFailed,
            format!("rank {id} on {at} exited with {code}{}", meaning(*code)),
        ),
        EndedHow::Signaled { signal } => (
            CauseKind::TaskFailed,
            format!("rank {id} on {at} was ended by signal {signal}"),
        ),
        EndedHow::NotStarted { why } => (
            CauseKind::NotStarted,
            format!("rank {id} could not be started on {at}: {why}"),
        ),
        EndedHow::Isolated => (
            CauseKind::Isolated,
            format!("{at} ended rank {id}: no leader had answered it for the isolation timeout"),
        ),
        EndedHow::Ordered if is_drained => (
            CauseKind::Drained,
            format!("{at} is drained and ended rank {id}, which was not moved in time"),
        ),
        EndedHow::Ordered => (
            CauseKind::TaskLost,
            format!("{at} ended rank {id}, though this leader has not ordered it"),
        ),
        EndedHow::NotRestored { why } => (
            CauseKind::NotRestored,
            format!("rank {id} could not start from its checkpoint on {at}: {why}"),
        ),
        EndedHow::Unknown => (
            CauseKind::TaskLost,
            format!("{at} does not have rank {id} any more"),
        ),
    };
    let (exit_code, signal) = match end.how {
        EndedHow::Exited { code } => (Some(code), None),
        EndedHow::Signaled { signal } => (None, Some(signal)),
        _ => (None, None),
    };
    let cause = about(job, rank, kind, message);
    let room = LARGEST_CAUSE.saturating_sub(cause.message.len());
    Some(Cause {
        exit_code,
        signal,
        last_lines: last_lines(&end.last_lines, room),
        ..cause
    })
}

/// What a code means besides that the rank has failed.
fn meaning(code: i32) -> &'static str {
    match code {
        exit::PEER_LOST => ": it has lost another task of this job, and that is the cause",
        exit::OF_NO_USE => ": it says that another attempt would fail in the same way",
        _ => "",
    }
}

/// A rank of a job that checkpoints has exited with 0 before it was told to stop.
fn left_early(job: &Job, rank: usize, at: &str) -> String {
    let has_finished = job.ranks[rank].contract.has_finished;
    let advice = if has_finished {
        "it had finished, and what is staged is published when the last checkpoint is committed: \
         a task stays until it is told to stop"
    } else {
        "the job checkpoints, so a task whose input has ended says POST /v1/finish, and stays until \
         it is told to stop"
    };
    format!("rank {rank} on {at} exited with 0 without being told to stop: {advice}")
}

/// The end of a task that its TaskManager has reported once and does not have any more.
pub(super) fn lost() -> TaskEnd {
    TaskEnd {
        how: EndedHow::Unknown,
        last_lines: Vec::new(),
        at: String::new(),
    }
}

/// The cause that a record has while a person cancels the job.
pub(super) fn canceled() -> Cause {
    plain(CauseKind::Canceled, "a person canceled the job".to_owned())
}

/// The newest lines that fit.
fn last_lines(lines: &[String], room: usize) -> Vec<String> {
    let mut left = room;
    let mut kept: Vec<String> = Vec::new();
    for line in lines.iter().rev().take(MOST_LINES) {
        // What JSON makes of quotes and control characters, at most.
        let size = 6 * line.len() + 4;
        let line = if size <= left {
            line.clone()
        } else if kept.is_empty() {
            shortened(line, left / 6)
        } else {
            break;
        };
        left = left.saturating_sub(6 * line.len() + 4);
        kept.push(line);
    }
    kept.reverse();
    kept
}

/// The beginning of a text, if it is too long.
fn shortened(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    let mut end = most;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}…", &text[..end])
}

/// A rank in words.
pub(in crate::leader) fn ranks_text(ranks: &[Rank]) -> String {
    match ranks {
        [one] => format!("rank {one}"),
        many => {
            let shown: Vec<_> = many.iter().take(8).map(Rank::to_string).collect();
            let more = if many.len() > 8 { ", …" } else { "" };
            format!("ranks {}{more}", shown.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_lines_are_kept_and_fit() {
        let lines: Vec<String> = (0..1000).map(|n| format!("line {n}")).collect();
        let kept = last_lines(&lines, LARGEST_CAUSE);
        assert_eq!(kept.len(), MOST_LINES);
        assert_eq!(kept.last().map(String::as_str), Some("line 999"));
        let huge = last_lines(&["ä".repeat(100_000)], LARGEST_CAUSE);
        assert!(huge[0].len() < LARGEST_CAUSE && huge[0].ends_with('…'));
    }
}
