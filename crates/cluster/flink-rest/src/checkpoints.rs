//! `/jobs/:id/checkpoints`, its configuration, and the details of one.

use incumbent_cluster_core::Checkpointing;
use incumbent_cluster_core::view::{
    AbortedCheckpointView, CheckpointView, CheckpointsView, JobView, PendingCheckpointView,
};
use serde_json::{Map, Value, json};

use crate::errors::Failure;
use crate::plan::vertex_id;
use crate::{state, times};

/// The checkpoints of a job that makes some.
fn of(job: &JobView) -> Result<&CheckpointsView, Failure> {
    job.checkpoints.as_ref().ok_or_else(|| {
        Failure::not_found(format!("Checkpointing was not enabled for job {}.", job.id))
    })
}

/// `/jobs/:id/checkpoints`.
pub(crate) fn statistics(job: &JobView, now: i64) -> Result<Value, Failure> {
    let all = of(job)?;
    let completed = || all.completed.iter().rev();
    let newest = completed().next();
    let savepoint = completed().find(|checkpoint| checkpoint.savepoint.is_some());
    let failed = all.last_aborted.as_ref();
    let mut history: Vec<(u64, Value)> = completed()
        .map(|checkpoint| (checkpoint.number, completed_one(job, checkpoint)))
        .collect();
    history.extend(
        all.pending
            .as_ref()
            .map(|pending| (pending.number, pending_one(job, pending, now))),
    );
    history.extend(failed.map(|aborted| (aborted.number, failed_one(job, aborted))));
    history.sort_by_key(|(number, _)| std::cmp::Reverse(*number));
    let restored = restored(job, all);
    Ok(json!({
        "counts": counts(all, restored.is_some()),
        "summary": summary(&all.completed),
        "latest": {
            "completed": newest.map(|checkpoint| completed_one(job, checkpoint)),
            "savepoint": savepoint.map(|checkpoint| completed_one(job, checkpoint)),
            "failed": failed.map(|aborted| failed_one(job, aborted)),
            "restored": restored,
        },
        "history": history.into_iter().map(|(_, one)| one).collect::<Vec<_>>(),
    }))
}

/// How many there were. Numbers rise with each one that is begun, and only the last are kept: so
/// those that were aborted long ago count as completed.
fn counts(all: &CheckpointsView, is_restored: bool) -> Value {
    let pending = all.pending.as_ref().map_or(0, |pending| pending.number);
    let aborted = all
        .last_aborted
        .as_ref()
        .map_or(0, |aborted| aborted.number);
    let completed = all
        .completed
        .last()
        .map_or(0, |checkpoint| checkpoint.number);
    json!({
        "restored": u8::from(is_restored),
        "total": pending.max(aborted).max(completed),
        "in_progress": u8::from(all.pending.is_some()),
        "completed": completed,
        "failed": all.aborted_in_row,
    })
}

/// What the present attempt started from, if an earlier one of the job had made it.
fn restored(job: &JobView, all: &CheckpointsView) -> Option<Value> {
    let before = |checkpoint: &&CheckpointView| checkpoint.attempt < job.attempt;
    let from = all.completed.iter().rev().find(before)?;
    let since = job.tasks.iter().filter_map(|task| task.since.as_deref());
    let at = since.map(times::at).filter(|at| *at > 0).min();
    Some(json!({
        "id": from.number,
        "restore_timestamp": at.unwrap_or_else(|| times::at(&from.completed_at)),
        "is_savepoint": from.savepoint.is_some(),
        "external_path": location(job, from),
    }))
}

/// Where a checkpoint is: what `savepointPath` and `/savepoint-disposal` take.
fn location(job: &JobView, checkpoint: &CheckpointView) -> String {
    match &checkpoint.savepoint {
        Some(savepoint) => savepoint.clone(),
        None => format!("{}@{}", job.id, checkpoint.number),
    }
}

/// What all checkpoints say, whatever became of them.
fn common(job: &JobView, id: u64, status: &str, is_savepoint: bool) -> Map<String, Value> {
    let subtasks = state::tasks(job);
    let fields = json!({
        "className": status.to_ascii_lowercase(),
        "id": id,
        "status": status,
        "is_savepoint": is_savepoint,
        "savepointFormat": if is_savepoint { Some("CANONICAL") } else { None },
        "checkpoint_type": if is_savepoint { "SAVEPOINT" } else { "CHECKPOINT" },
        "trigger_timestamp": 0,
        "latest_ack_timestamp": 0,
        "checkpointed_size": 0,
        "state_size": 0,
        "end_to_end_duration": 0,
        "alignment_buffered": 0,
        "processed_data": 0,
        "persisted_data": 0,
        "num_subtasks": subtasks,
        "num_acknowledged_subtasks": 0,
        "tasks": {},
    });
    match fields {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

fn with(mut fields: Map<String, Value>, more: Value) -> Value {
    if let Value::Object(more) = more {
        fields.extend(more);
    }
    Value::Object(fields)
}

fn completed_one(job: &JobView, checkpoint: &CheckpointView) -> Value {
    let done = times::at(&checkpoint.completed_at);
    let took = i64::try_from(checkpoint.took_ms).unwrap_or(i64::MAX);
    let fields = common(
        job,
        checkpoint.number,
        "COMPLETED",
        checkpoint.savepoint.is_some(),
    );
    with(
        fields,
        json!({
            "trigger_timestamp": done - took,
            "latest_ack_timestamp": done,
            "checkpointed_size": checkpoint.bytes,
            "state_size": checkpoint.bytes,
            "end_to_end_duration": took,
            "num_subtasks": checkpoint.tasks,
            "num_acknowledged_subtasks": checkpoint.tasks,
            "external_path": location(job, checkpoint),
            "discarded": false,
        }),
    )
}

fn pending_one(job: &JobView, pending: &PendingCheckpointView, now: i64) -> Value {
    let spent = i64::try_from(pending.for_ms).unwrap_or(i64::MAX);
    let fields = common(
        job,
        pending.number,
        "IN_PROGRESS",
        pending.savepoint.is_some(),
    );
    with(
        fields,
        json!({
            "className": "in_progress",
            "trigger_timestamp": now - spent,
            "latest_ack_timestamp": times::NEVER,
            "end_to_end_duration": spent,
            "num_acknowledged_subtasks": state::tasks(job).saturating_sub(pending.missing.len()),
        }),
    )
}

fn failed_one(job: &JobView, aborted: &AbortedCheckpointView) -> Value {
    let at = times::at(&aborted.at);
    let fields = common(job, aborted.number, "FAILED", false);
    with(
        fields,
        json!({
            "trigger_timestamp": at,
            "latest_ack_timestamp": times::NEVER,
            "num_acknowledged_subtasks": state::tasks(job).saturating_sub(aborted.late.len()),
            "failure_timestamp": at,
            "failure_message": aborted.why,
        }),
    )
}

fn summary(completed: &[CheckpointView]) -> Value {
    let of = |value: fn(&CheckpointView) -> u64| spread(completed.iter().map(value).collect());
    let sizes = of(|checkpoint| checkpoint.bytes);
    let zero = spread(vec![0; completed.len()]);
    json!({
        "checkpointed_size": sizes,
        "state_size": sizes,
        "end_to_end_duration": of(|checkpoint| checkpoint.took_ms),
        "alignment_buffered": zero,
        "processed_data": zero,
        "persisted_data": zero,
    })
}

/// The smallest, the largest and so on. Of nothing, there are no quantiles: Flink says `"NaN"`.
fn spread(mut values: Vec<u64>) -> Value {
    values.sort_unstable();
    let quantile = |share: f64| match values.len().checked_sub(1) {
        None => Value::from("NaN"),
        Some(last) => Value::from(values[(last as f64 * share).round() as usize] as f64),
    };
    let count = u64::try_from(values.len()).unwrap_or(1).max(1);
    json!({
        "min": values.first().copied().unwrap_or(0),
        "max": values.last().copied().unwrap_or(0),
        "avg": values.iter().sum::<u64>() / count,
        "p50": quantile(0.5),
        "p90": quantile(0.9),
        "p95": quantile(0.95),
        "p99": quantile(0.99),
        "p999": quantile(0.999),
    })
}

/// `/jobs/:id/checkpoints/config`.
pub(crate) fn config(job: &JobView) -> Result<Value, Failure> {
    let all = of(job)?;
    let wanted = job.spec.as_ref().and_then(|spec| spec.checkpoints.clone());
    let Checkpointing {
        timeout_ms,
        failures,
        ..
    } = wanted.unwrap_or_default();
    Ok(json!({
        "mode": "exactly_once",
        "interval": all.interval_ms,
        "timeout": timeout_ms,
        "min_pause": 0,
        "max_concurrent": 1,
        "externalization": { "enabled": true, "delete_on_cancellation": false },
        "state_backend": "Incumbent",
        "checkpoint_storage": "Incumbent",
        "unaligned_checkpoints": false,
        // Flink fails a job after one more than this.
        "tolerable_failed_checkpoints": failures.saturating_sub(1),
        "aligned_checkpoint_timeout": 0,
        "checkpoints_after_tasks_finish": true,
        "state_changelog_enabled": false,
        "changelog_periodic_materialization_interval": 0,
        "changelog_storage": "none",
    }))
}

/// One of those that are kept, pending, or aborted last.
enum One<'a> {
    Completed(&'a CheckpointView),
    Pending(&'a PendingCheckpointView),
    Failed(&'a AbortedCheckpointView),
}

fn find<'a>(job: &'a JobView, id: &str) -> Result<One<'a>, Failure> {
    let number: u64 = id
        .parse()
        .map_err(|_| Failure::bad_id("checkpointid", id))?;
    let all = of(job)?;
    let savepoints = job.savepoints.iter().map(|savepoint| &savepoint.checkpoint);
    let mut completed = all.completed.iter().chain(savepoints);
    let found = completed
        .find(|one| one.number == number)
        .map(One::Completed);
    let pending = || all.pending.as_ref().filter(|one| one.number == number);
    let failed = || all.last_aborted.as_ref().filter(|one| one.number == number);
    let found = found
        .or_else(|| pending().map(One::Pending))
        .or_else(|| failed().map(One::Failed));
    found.ok_or_else(|| {
        Failure::not_found(format!(
            "Could not find checkpointing statistics for checkpoint {number}."
        ))
    })
}

/// `/jobs/:id/checkpoints/details/:n`.
pub(crate) fn details(job: &JobView, id: &str, now: i64) -> Result<Value, Failure> {
    let mut one = match find(job, id)? {
        One::Completed(one) => completed_one(job, one),
        One::Pending(one) => pending_one(job, one, now),
        One::Failed(one) => failed_one(job, one),
    };
    one["tasks"] = json!({ vertex_id(job): task(&one) });
    Ok(one)
}

/// What is said of the vertex: what is said of the whole, as there is one vertex.
fn task(one: &Value) -> Value {
    const SAME: [&str; 11] = [
        "id",
        "status",
        "latest_ack_timestamp",
        "checkpointed_size",
        "state_size",
        "end_to_end_duration",
        "alignment_buffered",
        "processed_data",
        "persisted_data",
        "num_subtasks",
        "num_acknowledged_subtasks",
    ];
    let field = |name: &&str| ((*name).to_owned(), one[*name].clone());
    Value::Object(SAME.iter().map(field).collect())
}

/// `/jobs/:id/checkpoints/details/:n/subtasks/:v`.
pub(crate) fn of_subtasks(job: &JobView, id: &str, now: i64) -> Result<Value, Failure> {
    let found = find(job, id)?;
    let one = details(job, id, now)?;
    let (tasks, missing): (u32, &[u32]) = match found {
        One::Completed(one) => (one.tasks, &[]),
        One::Pending(one) => (count(job), &one.missing),
        One::Failed(one) => (count(job), &one.late),
    };
    let subtask = |rank: u32| match missing.contains(&rank) {
        true => json!({ "className": "pending", "index": rank, "status": "pending_or_failed" }),
        false => json!({
            "className": "completed",
            "index": rank,
            "status": "completed",
            // When each rank was done, and what it stored, is not kept.
            "ack_timestamp": one["latest_ack_timestamp"],
            "end_to_end_duration": one["end_to_end_duration"],
            "checkpointed_size": 0,
            "state_size": 0,
            "checkpoint": { "sync": 0, "async": one["end_to_end_duration"] },
            "alignment": { "buffered": 0, "processed": 0, "persisted": 0, "duration": 0 },
            "start_delay": 0,
            "unaligned_checkpoint": false,
            "aborted": false,
        }),
    };
    let zero = || spread(vec![0]);
    let number = |name: &str| one[name].as_u64().unwrap_or(0);
    let mut body = match task(&one) {
        Value::Object(fields) => fields,
        _ => Map::new(),
    };
    body.insert("summary".into(), json!({
        "checkpointed_size": spread(vec![number("checkpointed_size")]),
        "state_size": spread(vec![number("state_size")]),
        "end_to_end_duration": spread(vec![number("end_to_end_duration")]),
        "checkpoint_duration": { "sync": zero(), "async": spread(vec![number("end_to_end_duration")]) },
        "alignment": { "buffered": zero(), "processed": zero(), "persisted": zero(), "duration": zero() },
        "start_delay": zero(),
    }));
    body.insert(
        "subtasks".into(),
        (0..tasks).map(subtask).collect::<Vec<_>>().into(),
    );
    Ok(Value::Object(body))
}

fn count(job: &JobView) -> u32 {
    u32::try_from(state::tasks(job)).unwrap_or(u32::MAX)
}
