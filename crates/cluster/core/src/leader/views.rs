//! What is shown of jobs and TaskManagers.

use std::time::Duration;

use incumbent_core::{Seal, Time};

use super::LeaderConfig;
use super::job::Job;
use super::job::orders::peers_of;
use super::job::rank::RankState;
use super::jobs::Jobs;
use super::nodes::{Node, Nodes};
use crate::demand::Supply;
use crate::view::{
    AbortedCheckpointView, CheckpointView, CheckpointsView, ClusterView, DamagedJobView,
    GivenUpSavepointView, JobView, LeaderView, NodeKind, NodeView, NodeViewState,
    PendingCheckpointView, TaskView, TaskViewState,
};
use crate::{JobState, NodeNonce, Rank};

/// A job, without what only the view of one job has.
pub(super) fn job(job: &Job, nodes: &Nodes, seal: Seal, now: Time) -> JobView {
    let record = &job.record;
    let peers = peers_of(record);
    let tasks: Vec<TaskView> = (0..record.placements.len())
        .map(|rank| task(job, rank, nodes, peers[rank].clone(), now))
        .collect();
    JobView {
        id: record.id.to_string(),
        name: record.spec.name.clone(),
        state: state(job, &tasks),
        attempt: record.attempt.0,
        epoch: seal.epoch.get(),
        tasks,
        wanted_tasks: record.tasks(),
        checkpoint: record.checkpoints.last().map(CheckpointView::of),
        checkpoints: None,
        savepoints: Vec::new(),
        restarts: record.restarts,
        cause: record.cause.clone(),
        desired: record.desired,
        intent: record.intent,
        why: Vec::new(),
        submitted_at: record.submitted_at.clone(),
        ended_at: record.ended_at.clone(),
        incarnation: record.incarnation.to_string(),
        attempts: Vec::new(),
        spec: None,
    }
}

/// A placed job is `running` when every rank runs, is done, or is unknown because its TaskManager
/// is silent; until then it is what it was before it was placed.
fn state(job: &Job, tasks: &[TaskView]) -> JobState {
    let is_up = |task: &TaskView| match task.state {
        TaskViewState::Running | TaskViewState::Unknown => true,
        TaskViewState::Ended => job
            .ranks
            .get(task.rank as usize)
            .is_some_and(|r| r.is_done()),
        TaskViewState::Placed | TaskViewState::Starting | TaskViewState::Ending => false,
    };
    match job.record.state {
        JobState::Running if tasks.iter().all(is_up) => JobState::Running,
        JobState::Running if job.failure.is_some() || job.record.attempt.0 > 1 => {
            JobState::Restarting
        }
        JobState::Running => JobState::Waiting,
        other => other,
    }
}

fn task(job: &Job, rank: usize, nodes: &Nodes, address: String, now: Time) -> TaskView {
    let id = u32::try_from(rank).expect("a job has at most MOST_TASKS ranks");
    let is_silent = job
        .nonce_of(rank)
        .is_some_and(|nonce| nodes.is_silent(nonce, now));
    let (state, pid, since) = match job.ranks.get(rank).map(|rank| &rank.state) {
        Some(RankState::Ended(end)) => (
            TaskViewState::Ended,
            None,
            Some(end.at.clone()).filter(|at| !at.is_empty()),
        ),
        None => (TaskViewState::Ended, None, None),
        _ if is_gone(job, rank, nodes) => (TaskViewState::Ended, None, None),
        Some(RankState::Unreported) => (TaskViewState::Unknown, None, None),
        Some(_) if is_silent => (TaskViewState::Unknown, None, None),
        Some(RankState::Absent) if job.record.is_to_run() => (TaskViewState::Placed, None, None),
        Some(RankState::Absent) => (TaskViewState::Ended, None, None),
        Some(RankState::Starting) => (TaskViewState::Starting, None, None),
        Some(RankState::Running { pid, since }) => {
            (TaskViewState::Running, Some(*pid), Some(since.clone()))
        }
        Some(RankState::Ending { pid }) => (TaskViewState::Ending, *pid, None),
    };
    TaskView {
        rank: id,
        state,
        node: job.record.node_of(Rank(id)).map(|node| node.name.clone()),
        pid,
        since,
        address: Some(address),
        progress: (job.ranks.get(rank)).and_then(|rank| rank.progress.clone()),
    }
}

/// Most ranks that are named one by one.
const MOST_RANKS: usize = 100;

/// The checkpoints of a job that makes some.
pub(super) fn checkpoints(job: &Job, config: &LeaderConfig, now: Time) -> Option<CheckpointsView> {
    let how = job.checkpointing()?;
    let ms = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let ranks = |ranks: &[Rank]| ranks.iter().take(MOST_RANKS).map(|rank| rank.0).collect();
    let pending = job.checkpoints.pending.as_ref();
    let aborted = job.checkpoints.last_aborted.as_ref();
    let interval_ms = how.interval_ms.unwrap_or(ms(config.checkpoint_interval));
    Some(CheckpointsView {
        pending: pending.map(|pending| PendingCheckpointView {
            number: pending.number,
            for_ms: ms(now.since(pending.begun_at)),
            missing: ranks(&pending.missing()),
            savepoint: pending.purpose.savepoint().map(|id| id.to_string()),
        }),
        last_aborted: aborted.map(|aborted| AbortedCheckpointView {
            number: aborted.number,
            at: aborted.at.clone(),
            why: aborted.why.clone(),
            late: ranks(&aborted.late),
        }),
        aborted_in_row: job.checkpoints.aborted_in_row,
        given_up: job
            .checkpoints
            .given_up()
            .map(|(id, why)| GivenUpSavepointView {
                id: id.to_string(),
                why: why.to_owned(),
            }),
        ..CheckpointsView::of(&job.record, interval_ms)
    })
}

fn is_gone(job: &Job, rank: usize, nodes: &Nodes) -> bool {
    job.nonce_of(rank)
        .and_then(|nonce| nodes.get(nonce))
        .is_some_and(|node| node.is_dead)
}

/// The TaskManagers. The JobManager adds what it knows: the id of the cluster, and the JobManagers.
pub(super) fn cluster(
    seal: Seal,
    nodes: &Nodes,
    jobs: &Jobs,
    is_complete: bool,
    supply: Option<&Supply>,
    now: Time,
) -> ClusterView {
    let names_in_use = nodes.names_in_use();
    let shown: Vec<NodeView> = (nodes.iter())
        .filter(|(_, node)| !node.is_past(&names_in_use))
        .map(|(nonce, node)| node_view(nonce, node, nodes, now))
        .collect();
    ClusterView {
        id: String::new(),
        leader: LeaderView {
            name: String::new(),
            pid: 0,
            address: String::new(),
            since: String::new(),
        },
        epoch: seal.epoch.get(),
        slots: shown.iter().map(|node| node.slots).sum(),
        slots_free: shown.iter().map(|node| node.slots_free).sum(),
        nodes: shown,
        is_complete,
        damaged: (jobs.damaged())
            .map(|(id, why)| DamagedJobView {
                id: id.to_string(),
                why: why.to_owned(),
            })
            .collect(),
        refused: Vec::new(),
        pods: supply.map_or_else(Vec::new, |supply| supply.pods.clone()),
    }
}

fn node_view(nonce: NodeNonce, node: &Node, nodes: &Nodes, now: Time) -> NodeView {
    let is_silent = !node.is_registered || nodes.is_silent(nonce, now);
    let state = if node.is_dead {
        NodeViewState::Dead
    } else if is_silent {
        NodeViewState::Silent
    } else if node.is_draining {
        NodeViewState::Draining
    } else {
        NodeViewState::Live
    };
    let info = node.info.as_ref().filter(|_| !node.is_dead);
    let silent_ms = now.since(nodes.silent_since(nonce)).as_millis();
    NodeView {
        kind: NodeKind::TaskManager,
        name: node.place.name.clone(),
        nonce: nonce.to_string(),
        // Also of one that is dead: by its pid its log is found.
        pid: node.info.as_ref().map_or(0, |info| info.pid),
        address: node.place.address.clone(),
        slots: info.map_or(0, |info| info.slots),
        slots_free: if state == NodeViewState::Live {
            node.slots.free()
        } else {
            0
        },
        state,
        silent_ms: u64::try_from(silent_ms).unwrap_or(u64::MAX),
        version: info.map(|info| info.version.clone()),
        seen: None,
        advertised: info.and_then(|info| info.advertise.clone()),
    }
}

/// A state as people read it.
pub(super) fn state_text(state: JobState) -> &'static str {
    match state {
        JobState::Waiting => "waiting",
        JobState::Running => "running",
        JobState::Restarting => "restarting",
        JobState::Stopping => "stopping",
        JobState::Suspended => "suspended",
        JobState::Finished => "finished",
        JobState::Failed => "failed",
        JobState::Canceled => "canceled",
    }
}
