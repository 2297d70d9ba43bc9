//! `as-of=live`: all ranks are asked side by side, at their TaskManagers.

use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use futures::StreamExt as _;
use incumbent_cluster_core::{JobId, JobRecord, JobState, Rank};

use super::super::Api;
use super::super::locate::task;
use super::super::problem::Problem;
use super::AS_OF_CHECKPOINT;
use crate::query::{Question, RankAnswer};
use crate::task_manager::QUERY_TIME;
use crate::wire::{self, WireError};

/// Ranks that are asked at a time.
const SIDE_BY_SIDE: usize = 64;

/// What the way to a TaskManager may take besides [`QUERY_TIME`].
const WAY: Duration = Duration::from_secs(3);

/// What ranks have answered, and of which attempt they are.
pub(super) struct Told {
    pub(super) answers: Vec<(u32, RankAnswer)>,
    pub(super) attempt: u32,
}

/// Why a rank did not answer.
enum Failed {
    /// The record may be behind: read it, and ask again.
    Moved(Problem),
    /// It would be so again.
    For(Problem),
}

/// Whether there are tasks that may answer.
pub(super) fn runs(record: &JobRecord) -> bool {
    match record.state {
        JobState::Running | JobState::Stopping => !record.placements.is_empty(),
        JobState::Waiting
        | JobState::Restarting
        | JobState::Suspended
        | JobState::Finished
        | JobState::Failed
        | JobState::Canceled => false,
    }
}

/// Asks all ranks. If one owns the key, its answer is the only one.
pub(super) async fn ask(api: &Arc<Api>, id: JobId, question: &Question) -> Result<Told, Problem> {
    let record = api.state.records.get(api, id).await?;
    match ask_ranks(api, &record, question).await {
        Ok(told) => Ok(told),
        Err(Failed::For(problem)) => Err(problem),
        Err(Failed::Moved(_)) => {
            let record = api.state.records.read(api, id).await?;
            let asked = ask_ranks(api, &record, question).await;
            asked.map_err(|(Failed::Moved(problem) | Failed::For(problem))| problem)
        }
    }
}

async fn ask_ranks(api: &Api, record: &JobRecord, question: &Question) -> Result<Told, Failed> {
    if !runs(record) {
        return Err(Failed::Moved(not_running(record)));
    }
    let ranks = (0..).zip(&record.placements).map(|(rank, _)| Rank(rank));
    let asked =
        ranks.map(|rank| async move { (rank, ask_rank(api, record, rank, question).await) });
    let asked: Vec<_> = asked.collect();
    let mut asked = futures::stream::iter(asked).buffer_unordered(SIDE_BY_SIDE);
    let attempt = record.attempt.0;
    let (mut answers, mut failed) = (Vec::new(), None);
    while let Some((rank, answer)) = asked.next().await {
        match answer {
            // Nobody else can know better: a rank that is slow does not matter.
            Ok(answer) if answer.is_owner && answer.refused.is_none() => {
                let answers = vec![(rank.0, answer)];
                return Ok(Told { answers, attempt });
            }
            Ok(answer) => answers.push((rank.0, answer)),
            Err(why) => failed = failed.or(Some(why)),
        }
    }
    match failed {
        Some(failed) => Err(failed),
        None => Ok(Told { answers, attempt }),
    }
}

async fn ask_rank(
    api: &Api,
    record: &JobRecord,
    rank: Rank,
    question: &Question,
) -> Result<RankAnswer, Failed> {
    let id = record.id;
    let Some(node) = record.node_of(rank) else {
        return Err(Failed::Moved(not_running(record)));
    };
    let path = format!("{}/query", wire::task(&task(record, record.attempt, rank)));
    let asked = api
        .node
        .client()
        .post(&node.address, &path, question, QUERY_TIME + WAY);
    let error = match asked.await {
        Ok(answer) => return Ok(answer),
        Err(error) => error,
    };
    let about = format!("Rank {rank} of job {id} is on {}: {error}.", node.name);
    let slow = || {
        let detail = format!("{about} {}", again(record));
        let title = "The task did not answer in time";
        Problem::new(StatusCode::GATEWAY_TIMEOUT, "slow-task", title, detail)
    };
    Err(match &error {
        WireError::Late { .. } => Failed::For(slow()),
        WireError::Refused { problem, .. } if problem.is("slow-task") => Failed::For(slow()),
        WireError::Refused { problem, .. } if problem.is("too-many") => Failed::For(
            Problem::unavailable("too-many", "Too many at a time", about),
        ),
        WireError::Refused { problem, .. } if problem.is("not-queryable") => {
            let detail = format!(
                "{about} Its program does not answer queries, or has not begun to: \
                 docs/guide/task-contract.md says how."
            );
            let title = "The task answers no queries";
            Failed::For(Problem::new(
                StatusCode::CONFLICT,
                "not-queryable",
                title,
                detail,
            ))
        }
        WireError::Refused { problem, .. }
            if problem.is("bad-answer") || problem.is("answer-too-large") =>
        {
            let name = match problem.is("bad-answer") {
                true => "bad-answer",
                false => "answer-too-large",
            };
            let title = "The task's answer cannot be used";
            Failed::For(Problem::new(StatusCode::BAD_GATEWAY, name, title, about))
        }
        _ => Failed::Moved(Problem::node_unreached(format!(
            "{about} The job may be on its way to another attempt. {}",
            again(record)
        ))),
    })
}

/// What to do if a task does not answer.
fn again(record: &JobRecord) -> String {
    match record.restore_point() {
        Some(_) => format!("Ask again, or for what was stored last: {AS_OF_CHECKPOINT}."),
        None => "Ask again.".to_owned(),
    }
}

fn not_running(record: &JobRecord) -> Problem {
    let stored = if record.restore_point().is_some() {
        format!("What it has stored is there all the same: ask with {AS_OF_CHECKPOINT}.")
    } else if record.is_checkpointing() {
        "It has completed no checkpoint, so nothing of its state is stored either.".to_owned()
    } else {
        "It makes no checkpoints, so nothing of its state is stored either.".to_owned()
    };
    let id = record.id;
    let detail = format!("Job {id} does not run, so nobody knows its live state. {stored}");
    Problem::new(
        StatusCode::CONFLICT,
        "not-running",
        "The job does not run",
        detail,
    )
}
