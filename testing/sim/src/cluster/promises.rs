//! What is promised. Each promise is checked from the [`Fact`]s alone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use incumbent_cluster_core::message::{Command, Order};
use incumbent_cluster_core::{
    Attempt, Desired, JobId, JobRecord, JobState, NodeNonce, Rank, TaskId,
};
use incumbent_core::Seal;

use super::fact::Fact;
use super::plan::Plan;
use crate::clock::Instant;
use crate::oracle::Broken;

/// A promise, and how it was broken.
type Break = (&'static str, String);

/// What is known of the past, as far as a promise hangs on it.
pub(super) struct Promises {
    is_truthful: bool,
    spares_tasks: bool,
    finite: BTreeSet<JobId>,
    submitted: BTreeSet<JobId>,
    canceled: BTreeSet<JobId>,
    records: BTreeMap<JobId, Arc<JobRecord>>,
    /// Which process and slot the store has ever said a rank of an attempt is at.
    placed: BTreeMap<TaskId, (NodeNonce, u32)>,
    /// The highest attempt of a job whose end the store has ever said.
    ended: BTreeMap<JobId, Attempt>,
    alive: BTreeMap<(NodeNonce, TaskId), (u32, bool)>,
}

impl Promises {
    pub(super) fn new(plan: &Plan) -> Self {
        let finite = (0_u128..)
            .zip(&plan.jobs)
            .filter(|(_, job)| job.works.is_some());
        Self {
            is_truthful: plan.is_truthful(),
            spares_tasks: plan.spares_tasks(),
            finite: finite.map(|(index, _)| JobId::new(index + 1)).collect(),
            submitted: BTreeSet::new(),
            canceled: BTreeSet::new(),
            records: BTreeMap::new(),
            placed: BTreeMap::new(),
            ended: BTreeMap::new(),
            alive: BTreeMap::new(),
        }
    }

    pub(super) fn see(&mut self, at: Instant, fact: &Fact) -> Result<(), Broken> {
        let seen = match fact {
            Fact::Submitted { job } => {
                self.submitted.insert(*job);
                Ok(())
            }
            Fact::CancelAcknowledged { job } => {
                self.canceled.insert(*job);
                Ok(())
            }
            Fact::Stored { record } => self.stored(record),
            Fact::Sent { seal, order } => self.sent(*seal, order),
            Fact::Began {
                node,
                slot,
                task,
                is_exclusive,
            } => self.began(*node, *slot, *task, *is_exclusive),
            Fact::Gone { node, task } => {
                self.alive.remove(&(*node, *task));
                Ok(())
            }
            Fact::Healed => Ok(()),
            Fact::Settled => self.settled(),
        };
        seen.map_err(|(promise, how)| Broken { at, promise, how })
    }

    fn stored(&mut self, record: &Arc<JobRecord>) -> Result<(), Break> {
        let job = record.id;
        if let Some(before) = self.records.get(&job) {
            if record.attempt < before.attempt || record.incarnation != before.incarnation {
                let how = format!(
                    "{job} was at attempt {}, and is at {}",
                    before.attempt, record.attempt
                );
                return Err(("attempts of a job rise", how));
            }
            if before.state.is_terminal() && record.state != before.state {
                let how = format!("{job} was {:?}, and is {:?}", before.state, record.state);
                return Err(("what has ended stays so", how));
            }
            if before.desired == Desired::Canceled && record.desired != Desired::Canceled {
                return Err((
                    "a canceled job stays canceled",
                    format!("{job} is wanted again"),
                ));
            }
        }
        if self.spares_tasks && record.attempt > Attempt(1) {
            let how = format!("{job} is at attempt {}: {:?}", record.attempt, record.cause);
            return Err(("no task notices the death of a JobManager", how));
        }
        for (rank, placement) in (0..).zip(&record.placements) {
            let task = TaskId {
                job,
                incarnation: record.incarnation,
                attempt: record.attempt,
                rank: Rank(rank),
            };
            let node = record.nodes[placement.node as usize].nonce;
            let before = self.placed.insert(task, (node, placement.slot));
            if before.is_some_and(|before| before != (node, placement.slot)) {
                return Err((
                    "a rank of an attempt stays where it is",
                    format!("{task} has moved"),
                ));
            }
        }
        let has_ended = match record.state {
            JobState::Running => None,
            JobState::Waiting => record.attempt.0.checked_sub(1).map(Attempt),
            JobState::Restarting
            | JobState::Stopping
            | JobState::Suspended
            | JobState::Finished
            | JobState::Failed
            | JobState::Canceled => Some(record.attempt),
        };
        // The intent to cancel ends the attempt too.
        let is_unwanted = record.desired == Desired::Canceled;
        let has_ended = has_ended.or(is_unwanted.then_some(record.attempt));
        let earlier = record.attempt.0.checked_sub(1).map(Attempt);
        let ended = self.ended.entry(job).or_default();
        *ended = (*ended)
            .max(has_ended.unwrap_or_default())
            .max(earlier.unwrap_or_default());
        self.records.insert(job, Arc::clone(record));
        Ok(())
    }

    fn sent(&self, seal: Seal, order: &Order) -> Result<(), Break> {
        match &order.command {
            Command::Deploy(deploy) => {
                let task = deploy.task;
                if self.placed.get(&task) != Some(&(order.to, deploy.slot)) {
                    let how = format!("{seal:?} deploys {task}, which no record places there");
                    return Err(("an attempt is written before it is deployed", how));
                }
            }
            Command::End { task, .. } => {
                let ended = self.ended.get(&task.job).copied().unwrap_or_default();
                let is_placed = self
                    .placed
                    .get(task)
                    .is_some_and(|(node, _)| *node == order.to);
                if is_placed && task.attempt > ended {
                    let how = format!("{seal:?} ends {task}, whose end no record says");
                    return Err((
                        "the end of an attempt is written before its tasks are ended",
                        how,
                    ));
                }
            }
            Command::Report { .. }
            | Command::Forget { .. }
            | Command::Contract { .. }
            | Command::Drain => {}
        }
        Ok(())
    }

    fn began(
        &mut self,
        node: NodeNonce,
        slot: u32,
        task: TaskId,
        is_exclusive: bool,
    ) -> Result<(), Break> {
        for ((other_node, other), (other_slot, _)) in &self.alive {
            if *other_node == node && *other_slot == slot {
                return Err((
                    "a slot has one task",
                    format!("{task} begins beside {other}"),
                ));
            }
            let is_double =
                other.job == task.job && (other.attempt != task.attempt || other.rank == task.rank);
            if is_exclusive && self.is_truthful && is_double {
                let how = format!("{task} begins while {other} runs");
                return Err((
                    "two attempts of an exclusive job never run at the same time",
                    how,
                ));
            }
        }
        self.alive.insert((node, task), (slot, is_exclusive));
        Ok(())
    }

    fn settled(&self) -> Result<(), Break> {
        for job in &self.submitted {
            let Some(record) = self.records.get(job) else {
                return Err((
                    "a submission that was acknowledged is not lost",
                    format!("{job} is gone"),
                ));
            };
            self.is_well(record)
                .map_err(|how| ("every job that can run runs after all faults", how))?;
        }
        Ok(())
    }

    fn is_well(&self, record: &JobRecord) -> Result<(), String> {
        let job = record.id;
        let alive: Vec<TaskId> = self
            .alive
            .keys()
            .map(|(_, task)| *task)
            .filter(|task| task.job == job)
            .collect();
        let wanted = self.canceled.contains(&job) || record.desired == Desired::Canceled;
        match record.state {
            JobState::Canceled if wanted => {}
            JobState::Finished if self.finite.contains(&job) => {}
            JobState::Running if !wanted && self.finite.contains(&job) => return Ok(()),
            JobState::Running if !wanted => {
                let ranks: BTreeSet<Rank> = alive.iter().map(|task| task.rank).collect();
                let is_whole = ranks.len() == record.spec.tasks as usize;
                let is_present = alive.iter().all(|task| task.attempt == record.attempt);
                if is_whole && is_present {
                    return Ok(());
                }
                return Err(format!(
                    "{job} is at attempt {}, but these tasks run: {alive:?}",
                    record.attempt
                ));
            }
            _ => {
                return Err(format!(
                    "{job} is {:?}, desired {:?}: {:?}",
                    record.state, record.desired, record.cause
                ));
            }
        }
        match alive.first() {
            Some(task) => Err(format!("{job} is {:?}, but {task} runs", record.state)),
            None => Ok(()),
        }
    }
}
