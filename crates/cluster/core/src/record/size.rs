//! How large the record of a job can become, so that it is refused before it is too large.

use super::{JobRecord, LARGEST_CAUSE, MOST_ENDED_ATTEMPTS, MOST_WITH_LINES};
use crate::checkpoint::{MOST_CHECKPOINTS, MOST_SAVEPOINTS};

/// What a task takes in a record, in bytes: its placement, and a TaskManager of its own.
const TASK: usize = 280;

/// What an ended attempt takes that does not keep the last lines of its tasks.
const ENDED: usize = 1536;

/// What a completed checkpoint takes, or an origin.
const CHECKPOINT: usize = 420;

/// What a savepoint takes.
const SAVEPOINT: usize = 500;

/// How large the record of this job can become if it gets these many tasks, in bytes as JSON.
pub fn largest_size(record: &JobRecord, tasks: u32) -> usize {
    let spec = serde_json::to_vec(&record.spec).map_or(usize::MAX, |json| json.len());
    let rest = ENDED
        + tasks as usize * TASK
        + (MOST_WITH_LINES + 1) * LARGEST_CAUSE
        + (MOST_ENDED_ATTEMPTS - MOST_WITH_LINES) * ENDED
        + (MOST_CHECKPOINTS + 1) * CHECKPOINT
        + MOST_SAVEPOINTS * SAVEPOINT;
    spec.saturating_add(rest)
}

#[cfg(test)]
mod tests {
    use crate::checkpoint::{Checkpoint, ManifestPointer, Savepoint};
    use crate::record::{
        Cause, CauseKind, EndedAttempt, LARGEST_RECORD, LivenessAddress, PlacedNode, Placement,
    };
    use crate::tests::checkpointing;
    use crate::{Attempt, Incarnation, JobId, MOST_TASKS, NodeNonce, Rank, SavepointId};

    use super::*;

    fn checkpoint(number: u64) -> Checkpoint {
        Checkpoint {
            number,
            attempt: Attempt(u32::MAX),
            tasks: MOST_TASKS,
            savepoint: Some(SavepointId::new(u128::MAX)),
            manifest: ManifestPointer {
                object: format!("manifest-{}-{:032x}.json", u64::MAX, u128::MAX),
                sha256: "f".repeat(64),
            },
            bytes: u64::MAX,
            completed_at: "2026-11-30T02:48:17.123Z".to_owned(),
            took_ms: u64::MAX,
        }
    }

    fn cause(message: usize, lines: usize) -> Cause {
        Cause {
            kind: CauseKind::CheckpointsFailed,
            message: "m".repeat(message),
            rank: Some(Rank(999)),
            node: Some("task-manager-0123456789".to_owned()),
            exit_code: Some(-1),
            signal: None,
            last_lines: vec!["l".repeat(lines)],
        }
    }

    /// A thousand tasks on as many TaskManagers, with all that a record keeps.
    fn largest(command: usize) -> JobRecord {
        let mut spec = checkpointing("a", MOST_TASKS);
        spec.command = vec!["x".repeat(command)];
        let (id, incarnation) = (JobId::new(u128::MAX), Incarnation::new(u64::MAX));
        let at = "2026-11-30T02:48:17.123Z".to_owned();
        let mut record = JobRecord::new(id, incarnation, spec, at.clone(), u64::MAX);
        for number in 0..MOST_TASKS {
            record.nodes.push(PlacedNode {
                nonce: NodeNonce::new(u128::MAX),
                name: format!("tm-{number:06}"),
                address: "192.168.100.100:34567".to_owned(),
                liveness: Some(LivenessAddress {
                    address: "192.168.100.100:34568".to_owned(),
                    scope: None,
                    nonce: "f".repeat(32),
                }),
            });
            record.placements.push(Placement {
                node: number,
                slot: 0,
                port: 65535,
            });
        }
        for number in 0..MOST_ENDED_ATTEMPTS {
            let has_lines = number >= MOST_ENDED_ATTEMPTS - MOST_WITH_LINES;
            record.ended.push(EndedAttempt {
                attempt: Attempt(u32::MAX),
                ended_at: at.clone(),
                cause: cause(1000, if has_lines { 2500 } else { 0 }),
            });
        }
        record.cause = Some(cause(1000, 2500));
        record.checkpoints = (0..MOST_CHECKPOINTS as u64)
            .map(|at| checkpoint(u64::MAX - at))
            .collect();
        record.savepoints = (0..MOST_SAVEPOINTS as u64)
            .map(|at| Savepoint {
                id: SavepointId::new(u128::MAX),
                checkpoint: checkpoint(u64::MAX - at),
            })
            .collect();
        record.origin = Some(checkpoint(1).restore_point(id, incarnation));
        record
    }

    #[test]
    fn a_record_with_everything_is_not_larger_than_what_was_checked() {
        for command in [10, 40_000] {
            let record = largest(command);
            let size = serde_json::to_vec(&record).unwrap().len();
            let checked = largest_size(&record, MOST_TASKS);
            assert!(size <= checked, "{size} bytes, and {checked} were checked");
            assert!(checked <= LARGEST_RECORD, "{checked}");
        }
    }
}
