//! The one vertex of a job, its gang, and the resources below it. A subtask is a rank.

use incumbent_cluster_core::view::{ClusterView, JobView, NodeView, TaskView};
use serde_json::{Value, json};

use crate::errors::Failure;
use crate::plan::{vertex_id, vertex_name};
use crate::{state, times};

/// The largest number of key groups of a Flink; ours have no such limit.
const MAX_PARALLELISM: i32 = 32_768;

/// Refuses a vertex that the job does not have.
pub(crate) fn check(job: &JobView, vertex: &str) -> Result<(), Failure> {
    let is_id = vertex.len() == 32 && vertex.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !is_id {
        return Err(Failure::bad_id("vertexid", vertex));
    }
    match vertex.eq_ignore_ascii_case(vertex_id(job)) {
        true => Ok(()),
        false => Err(Failure::not_found(format!("JobVertex {vertex} not found"))),
    }
}

/// The task of a subtask, if it is placed.
pub(crate) fn subtask<'a>(job: &'a JobView, index: &str) -> Result<&'a TaskView, Failure> {
    let rank: u32 = index
        .parse()
        .map_err(|_| Failure::bad_id("subtaskindex", index))?;
    let found = job.tasks.iter().find(|task| task.rank == rank);
    found.ok_or_else(|| {
        Failure::not_found(format!(
            "Invalid subtask index for vertex {}",
            vertex_id(job)
        ))
    })
}

/// As the view of the job has it.
pub(crate) fn in_job(job: &JobView, now: i64) -> Value {
    let start = start(job);
    json!({
        "id": vertex_id(job),
        "slotSharingGroupId": vertex_id(job),
        "name": vertex_name(job),
        "maxParallelism": MAX_PARALLELISM,
        "parallelism": state::tasks(job),
        "status": state::of_gang(job),
        "start-time": start.unwrap_or(times::NEVER),
        "end-time": end(job).unwrap_or(times::NEVER),
        "duration": duration(job, start, now),
        "tasks": state::counts(job),
        "metrics": io(),
    })
}

/// `/jobs/:id/vertices/:v`.
pub(crate) fn details(job: &JobView, cluster: &ClusterView, now: i64) -> Value {
    let subtasks = job
        .tasks
        .iter()
        .map(|task| attempt(job, task, cluster, now));
    json!({
        "id": vertex_id(job),
        "name": vertex_name(job),
        "parallelism": state::tasks(job),
        "maxParallelism": MAX_PARALLELISM,
        "now": now,
        "aggregated": aggregated(job, now),
        "subtasks": subtasks.collect::<Vec<_>>(),
    })
}

/// `…/subtasks/:i` and `…/subtasks/:i/attempts/:a`.
pub(crate) fn attempt(job: &JobView, task: &TaskView, cluster: &ClusterView, now: i64) -> Value {
    let node = node_of(task, cluster);
    let start = task.since.as_deref().map(times::at);
    let place = node.map_or_else(|| unknown(task), |node| node.address.clone());
    json!({
        "subtask": task.rank,
        "status": state::of_task(job, task),
        // Flink counts from 0.
        "attempt": job.attempt.saturating_sub(1),
        "endpoint": place,
        // As 1.20 called it before.
        "host": place,
        "start-time": start.unwrap_or(times::NEVER),
        "end-time": end(job).unwrap_or(times::NEVER),
        "duration": duration(job, start, now),
        "metrics": io(),
        "taskmanager-id": node.map_or_else(|| unknown(task), |node| node.nonce.clone()),
        "status-duration": status_duration(job, task, now),
        // A mistake of old that Flink repeats.
        "start_time": start.unwrap_or(times::NEVER),
    })
}

/// `…/subtasktimes`.
pub(crate) fn times_of_subtasks(job: &JobView, cluster: &ClusterView, now: i64) -> Value {
    let subtasks = job.tasks.iter().map(|task| {
        let start = task.since.as_deref().map(times::at);
        let node = node_of(task, cluster);
        let place = node.map_or_else(|| unknown(task), |node| node.address.clone());
        let state = state::of_task(job, task);
        let at = |name: &&str| {
            let at = if *name == state {
                start.unwrap_or(0)
            } else {
                0
            };
            ((*name).to_owned(), Value::from(at))
        };
        json!({
            "subtask": task.rank,
            "endpoint": place,
            "host": place,
            "duration": duration(job, start, now),
            "timestamps": state::OF_TASKS.iter().map(at).collect::<serde_json::Map<_, _>>(),
        })
    });
    json!({
        "id": vertex_id(job),
        "name": vertex_name(job),
        "now": now,
        "subtasks": subtasks.collect::<Vec<_>>(),
    })
}

/// `…/taskmanagers`: the same by TaskManager.
pub(crate) fn by_task_manager(job: &JobView, cluster: &ClusterView, now: i64) -> Value {
    let mut names: Vec<&str> = job
        .tasks
        .iter()
        .filter_map(|task| task.node.as_deref())
        .collect();
    names.sort_unstable();
    names.dedup();
    let of = |name: &str| {
        let tasks: Vec<_> = (job.tasks.iter())
            .filter(|task| task.node.as_deref() == Some(name))
            .cloned()
            .collect();
        let here = JobView {
            // Those that are elsewhere are not missing here.
            wanted_tasks: 0,
            tasks,
            ..job.clone()
        };
        let node = cluster.nodes.iter().find(|node| node.name == name);
        let place = node.map_or_else(|| name.to_owned(), |node| node.address.clone());
        let start = start(&here);
        json!({
            "endpoint": place,
            "host": place,
            "status": state::of_gang(&here),
            "start-time": start.unwrap_or(times::NEVER),
            "end-time": end(job).unwrap_or(times::NEVER),
            "duration": duration(job, start, now),
            "metrics": io(),
            "status-counts": state::counts(&here),
            "taskmanager-id": node.map_or_else(|| name.to_owned(), |node| node.nonce.clone()),
            "aggregated": aggregated(&here, now),
        })
    };
    json!({
        "id": vertex_id(job),
        "name": vertex_name(job),
        "now": now,
        "taskmanagers": names.into_iter().map(of).collect::<Vec<_>>(),
    })
}

/// `…/accumulators`.
pub(crate) fn accumulators(job: &JobView) -> Value {
    json!({ "id": vertex_id(job), "user-accumulators": [] })
}

/// `…/subtasks/accumulators`.
pub(crate) fn subtask_accumulators(job: &JobView, cluster: &ClusterView) -> Value {
    let subtasks = job.tasks.iter().map(|task| {
        let node = node_of(task, cluster);
        let place = node.map_or_else(|| unknown(task), |node| node.address.clone());
        json!({
            "subtask": task.rank,
            "attempt": job.attempt.saturating_sub(1),
            "endpoint": place,
            "host": place,
            "user-accumulators": [],
        })
    });
    json!({
        "id": vertex_id(job),
        "parallelism": state::tasks(job),
        "subtasks": subtasks.collect::<Vec<_>>(),
    })
}

/// `…/subtasks/:i/attempts/:a/accumulators`.
pub(crate) fn attempt_accumulators(job: &JobView, task: &TaskView) -> Value {
    json!({
        "id": vertex_id(job),
        "subtask": task.rank,
        "attempt": job.attempt.saturating_sub(1),
        "user-accumulators": [],
    })
}

/// `…/flamegraph`: as Flink answers when they are turned off.
pub(crate) fn flame_graph() -> Value {
    json!({ "endTimestamp": -2 })
}

/// The TaskManager of a task.
pub(crate) fn node_of<'a>(task: &TaskView, cluster: &'a ClusterView) -> Option<&'a NodeView> {
    let name = task.node.as_deref()?;
    // A dead one may have had the same name.
    let of_name = || cluster.nodes.iter().filter(|node| node.name == name);
    let is_dead =
        |node: &&NodeView| node.state == incumbent_cluster_core::view::NodeViewState::Dead;
    of_name()
        .find(|node| !is_dead(node))
        .or_else(|| of_name().next())
}

fn unknown(task: &TaskView) -> String {
    task.node
        .clone()
        .unwrap_or_else(|| "(unassigned)".to_owned())
}

/// When the first of its tasks came to its state.
fn start(job: &JobView) -> Option<i64> {
    let since = job.tasks.iter().filter_map(|task| task.since.as_deref());
    since.map(times::at).filter(|at| *at > 0).min()
}

fn end(job: &JobView) -> Option<i64> {
    let ended = job.ended_at.as_deref().filter(|_| state::has_ended(job));
    ended.map(times::at)
}

fn duration(job: &JobView, start: Option<i64>, now: i64) -> i64 {
    match start {
        None => times::NEVER,
        Some(start) => (end(job).unwrap_or(now) - start).max(0),
    }
}

/// How long a task was in each state: the present one is known.
fn status_duration(job: &JobView, task: &TaskView, now: i64) -> Value {
    let state = state::of_task(job, task);
    let mut all = serde_json::Map::new();
    for name in [
        "CREATED",
        "SCHEDULED",
        "DEPLOYING",
        "INITIALIZING",
        "RUNNING",
    ] {
        let start = task.since.as_deref().map(times::at);
        let spent = match name == state {
            true => duration(job, start, now),
            false => times::NEVER,
        };
        all.insert(name.to_owned(), spent.into());
    }
    Value::Object(all)
}

/// Records and bytes of a task, as Flink measures them: nobody does here.
fn io() -> Value {
    json!({
        "read-bytes": 0,
        "read-bytes-complete": true,
        "write-bytes": 0,
        "write-bytes-complete": true,
        "read-records": 0,
        "read-records-complete": true,
        "write-records": 0,
        "write-records-complete": true,
        "accumulated-backpressured-time": 0,
        "accumulated-idle-time": 0,
        "accumulated-busy-time": 0.0,
    })
}

/// Statistics over the subtasks.
fn aggregated(job: &JobView, now: i64) -> Value {
    let zero = statistics(&[0]);
    let mut states = serde_json::Map::new();
    for name in [
        "CREATED",
        "SCHEDULED",
        "DEPLOYING",
        "INITIALIZING",
        "RUNNING",
    ] {
        let is_it = |task: &&TaskView| state::of_task(job, task) == name;
        let of = job.tasks.iter().filter(is_it).map(|task| {
            let start = task.since.as_deref().map(times::at);
            duration(job, start, now).max(0)
        });
        let of: Vec<i64> = of.collect();
        states.insert(name.to_owned(), statistics(&of));
    }
    json!({
        "metrics": {
            "read-bytes": zero,
            "write-bytes": zero,
            "read-records": zero,
            "write-records": zero,
            "accumulated-backpressured-time": zero,
            "accumulated-idle-time": zero,
            "accumulated-busy-time": zero,
        },
        "status-duration": states,
    })
}

/// The smallest, the largest, and so on, as Flink gives them.
pub(crate) fn statistics(values: &[i64]) -> Value {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    let last = sorted.len().saturating_sub(1);
    let quantile = |share: f64| {
        let at = (last as f64 * share).round() as usize;
        sorted.get(at).map_or(0.0, |value| *value as f64)
    };
    let sum: i64 = sorted.iter().sum();
    let count = i64::try_from(sorted.len()).unwrap_or(1).max(1);
    json!({
        "min": sorted.first().copied().unwrap_or(0),
        "max": sorted.last().copied().unwrap_or(0),
        "avg": sum / count,
        "sum": sum,
        "median": quantile(0.5),
        "p25": quantile(0.25),
        "p75": quantile(0.75),
        "p95": quantile(0.95),
    })
}
