//! The fake speaks the contract: its tasks are ready at once, and store what they are asked for.

use std::sync::Arc;

use futures::stream;
use incumbent_cluster_core::checkpoint::{CheckpointId, PartKind, PartPlace, RankPart, StoredFile};
use incumbent_cluster_core::message::{Acked, Command, ContractOrder, EndedHow, Gang, Order};
use incumbent_cluster_core::{JobId, TaskId};

use super::{Fake, Known, Shared, ended};

impl Fake {
    /// From now on, checkpoints above this number are stored and not acknowledged; or all are
    /// acknowledged again.
    pub(in super::super) fn hold_above(&self, above: Option<u64>) {
        let mut state = self.shared.state();
        state.hold_above = above;
        for (task, acked) in std::mem::take(&mut state.held) {
            state.stored(task, acked);
        }
        drop(state);
        self.shared.changed.notify_one();
    }

    /// The numbers of the parts of checkpoints that are stored and not acknowledged.
    pub(in super::super) fn held(&self) -> Vec<u64> {
        let state = self.shared.state();
        state.held.iter().map(|(_, acked)| acked.number).collect()
    }

    /// The highest number that a task of the job has seen.
    pub(in super::super) fn seen(&self, job: JobId) -> u64 {
        let state = self.shared.state();
        let tasks = state.tasks.values().filter(|task| task.task.job == job);
        tasks.map(|task| task.contract.seen).max().unwrap_or(0)
    }

    /// The highest number that each task of the job was told as committed.
    pub(in super::super) fn committed(&self, job: JobId) -> Vec<u64> {
        let state = self.shared.state();
        let tasks = state.tasks.values().filter(|task| task.task.job == job);
        tasks.map(|task| task.contract.committed).collect()
    }
}

impl Known {
    /// Tells the tasks of a gang what the leader says by the contract. Files come later.
    pub(super) fn tell(&mut self, gang: Gang, order: ContractOrder) {
        let is_here = |task: TaskId| {
            (task.job, task.incarnation, task.attempt) == (gang.job, gang.incarnation, gang.attempt)
        };
        let here = self.tasks.values_mut().filter(|task| is_here(task.task));
        for task in here {
            let contract = &mut task.contract;
            let settled = match order {
                ContractOrder::Begin => {
                    contract.has_begun = true;
                    continue;
                }
                ContractOrder::Checkpoint { number, .. } => {
                    contract.seen = contract.seen.max(number);
                    continue;
                }
                ContractOrder::Stop => {
                    contract.was_stopped = true;
                    task.state = ended(EndedHow::Exited { code: 0 });
                    continue;
                }
                ContractOrder::Committed { number } => {
                    contract.committed = contract.committed.max(number);
                    number
                }
                ContractOrder::Aborted { number } => number,
            };
            contract.seen = contract.seen.max(settled);
            contract.acked.take_if(|acked| acked.number <= settled);
            let task = task.task;
            self.held
                .retain(|(held, acked)| *held != task || acked.number > settled);
        }
    }

    /// The tasks that are to store a part for this order.
    pub(super) fn asked(&self, order: &Order) -> Vec<PartPlace> {
        let Command::Contract {
            gang,
            order: ContractOrder::Checkpoint { number, savepoint },
        } = order.command
        else {
            return Vec::new();
        };
        let checkpoint = CheckpointId {
            job: gang.job,
            incarnation: gang.incarnation,
            attempt: gang.attempt,
            number,
            savepoint,
        };
        let tasks = self.tasks.values().filter(|report| {
            let task = report.task;
            (task.job, task.incarnation, task.attempt) == (gang.job, gang.incarnation, gang.attempt)
                && report.contract.seen < number
        });
        let places = tasks.map(|report| PartPlace {
            checkpoint,
            rank: report.task.rank,
            kind: PartKind::Numbered,
        });
        places.collect()
    }

    /// A part is stored.
    fn stored(&mut self, task: TaskId, acked: Acked) {
        if self.hold_above.is_some_and(|above| acked.number > above) {
            self.held.push((task, acked));
        } else {
            self.acknowledge(task, acked);
        }
    }

    fn acknowledge(&mut self, task: TaskId, acked: Acked) {
        if let Some(report) = self.tasks.get_mut(&task)
            && report.contract.seen == acked.number
            && report.contract.committed < acked.number
        {
            report.contract.acked = Some(acked);
        }
    }
}

/// Stores a file for each of these parts. If blobs do not take it, nothing is acknowledged.
pub(super) async fn store(shared: Arc<Shared>, places: Vec<PartPlace>) {
    for place in places {
        let content = format!("rank {} at {}", place.rank, place.checkpoint.number);
        let content = stream::iter([Ok::<_, std::io::Error>(content.into())]);
        let blobs = shared.node.blobs();
        if let Ok(file) = blobs.put_checkpoint_file(place, "state", content).await {
            let (task, acked) = acked(place, file);
            shared.state().stored(task, acked);
            shared.changed.notify_one();
        }
    }
}

/// What a task says about its part.
fn acked(place: PartPlace, file: StoredFile) -> (TaskId, Acked) {
    let CheckpointId {
        job,
        incarnation,
        attempt,
        number,
        ..
    } = place.checkpoint;
    let task = TaskId {
        job,
        incarnation,
        attempt,
        rank: place.rank,
    };
    let part = RankPart {
        is_finished: false,
        files: vec![file],
    };
    (task, Acked { number, part })
}
