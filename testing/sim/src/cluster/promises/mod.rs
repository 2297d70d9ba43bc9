//! What is promised. Each promise is checked from the [`Fact`]s alone.

mod checkpoints;
mod files;
mod output;
mod wishes;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use incumbent_cluster_core::checkpoint::Intent;
use incumbent_cluster_core::message::{Command, Order};
use incumbent_cluster_core::{
    Attempt, CauseKind, Desired, JobId, JobRecord, JobState, NodeNonce, Rank, TaskId,
};
use incumbent_core::Seal;

use self::checkpoints::Checkpoints;
use self::wishes::Wishes;
use super::fact::Fact;
use super::jobs::{JobPlan, Wish};
use super::plan::Plan;
use super::world::item_of;
use crate::clock::{Instant, MILLISECOND};
use crate::history::Item;
use crate::oracle::Broken;

/// What a commit has dropped is deleted within this time, if the job goes on and there are no
/// faults.
const TIDY_WITHIN: Instant = 3000 * MILLISECOND;

/// A promise, and how it was broken.
type Break = (&'static str, String);

/// What is known of the past, as far as a promise hangs on it.
pub(super) struct Promises {
    is_truthful: bool,
    spares_tasks: bool,
    jobs: Vec<JobPlan>,
    /// How many tasks find slots.
    room: u32,
    submitted: BTreeSet<JobId>,
    wishes: Wishes,
    checkpoints: Checkpoints,
    healed_at: Instant,
    records: BTreeMap<JobId, Arc<JobRecord>>,
    /// Which process and slot the store has ever said a rank of an attempt is at.
    placed: BTreeMap<TaskId, (NodeNonce, u32)>,
    /// The highest attempt of a job whose end the store has ever said.
    ended: BTreeMap<JobId, Attempt>,
    alive: BTreeMap<(NodeNonce, TaskId), (u32, bool)>,
}

impl Promises {
    pub(super) fn new(plan: &Plan) -> Self {
        Self {
            is_truthful: plan.is_truthful(),
            spares_tasks: plan.mode.spares_tasks(),
            jobs: plan.jobs.clone(),
            room: plan.slots * u32::try_from(plan.task_managers.len()).expect("few"),
            submitted: BTreeSet::new(),
            wishes: Wishes::default(),
            checkpoints: Checkpoints::default(),
            healed_at: 0,
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
            Fact::Wished { job, wish } => {
                self.wishes.asked(*job, *wish);
                if let Wish::RemoveSavepoint(id) = wish {
                    self.checkpoints.files.unwanted(*id);
                }
                Ok(())
            }
            Fact::Acknowledged { job, wish } => {
                self.wishes.acknowledged(*job, *wish);
                Ok(())
            }
            Fact::Shown { job, savepoints } => {
                let files = &self.checkpoints.files;
                match savepoints.iter().find(|id| !files.has_savepoint(**id)) {
                    Some(id) => Err((
                        "a savepoint stays until it is removed",
                        format!("{job} is said to have {id}"),
                    )),
                    None => Ok(()),
                }
            }
            Fact::Asked { task, number, seal } => self.checkpoints.asked(*task, *number, *seal),
            Fact::Published { task, piece } => self.checkpoints.outputs.publish(*task, *piece),
            Fact::NotRestored { task } => self.not_restored(*task),
            Fact::Wrote { key, content } => self.checkpoints.files.wrote(at, key, content),
            Fact::Deleted { key } => self.checkpoints.files.deleted(key),
            Fact::Stored { record, seal } => self.stored(at, record, *seal),
            Fact::Erased { job } => self.erased(*job),
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
            Fact::Healed => {
                self.healed_at = at;
                Ok(())
            }
            Fact::Settled => self.settled(at),
        };
        seen.map_err(|(promise, how)| Broken { at, promise, how })
    }

    fn plan(&self, job: JobId) -> &JobPlan {
        match item_of(job) {
            Item::Record(index) => &self.jobs[usize::from(index)],
            Item::Root | Item::Floor => unreachable!("not the record of a job"),
        }
    }

    fn not_restored(&self, task: TaskId) -> Result<(), Break> {
        let record = self.records.get(&task.job);
        if record.is_some_and(|record| record.attempt == task.attempt) {
            let how = format!("{task} finds nothing");
            return Err(("what the present attempt starts from is there", how));
        }
        Ok(())
    }

    fn erased(&mut self, job: JobId) -> Result<(), Break> {
        let state = self.records.get(&job).map(|record| record.state);
        if !state.is_some_and(JobState::is_terminal) || !self.wishes.is_removed(job) {
            let how = format!("{job} was {state:?}");
            return Err(("only what has ended and is not wanted is erased", how));
        }
        self.checkpoints.files.erased(job)
    }

    fn stored(&mut self, at: Instant, record: &Arc<JobRecord>, seal: Seal) -> Result<(), Break> {
        let job = record.id;
        let plan = &self.jobs[usize::try_from(job.get() - 1).expect("few")];
        let before = self.records.get(&job).map(|before| &**before);
        self.wishes.stored(plan, before, record)?;
        if plan.checkpoints.is_some() {
            self.checkpoints.stored(at, plan, before, record, seal)?;
        }
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
        let of_owner = [
            CauseKind::Rescaled,
            CauseKind::Stopped,
            CauseKind::Canceled,
            CauseKind::Refused,
        ];
        let mut causes = record.ended.iter().map(|ended| ended.cause.kind);
        if self.spares_tasks && causes.any(|kind| !of_owner.contains(&kind)) {
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
                if self.plan(task.job).checkpoints.is_some() {
                    self.checkpoints.deploys(deploy)?;
                }
            }
            Command::Contract { gang, order } => self.checkpoints.tells(seal, *gang, *order)?,
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
            Command::Report { .. } | Command::Forget { .. } | Command::Drain => {}
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

    /// What the record of a job said before what happens now.
    pub(super) fn record(&self, job: JobId) -> Option<&JobRecord> {
        self.records.get(&job).map(|record| &**record)
    }

    /// Whether all is well already, and every input that ends has ended.
    pub(super) fn are_settled(&self, at: Instant) -> bool {
        let ends = |record: &JobRecord| {
            self.plan(record.id).works.is_some() && record.state == JobState::Running
        };
        !self.records.values().any(|record| ends(record)) && self.settled(at).is_ok()
    }

    fn settled(&self, at: Instant) -> Result<(), Break> {
        for job in &self.submitted {
            if self.wishes.is_removed(*job) {
                continue;
            }
            let Some(record) = self.records.get(job) else {
                return Err((
                    "a submission that was acknowledged is not lost",
                    format!("{job} is gone"),
                ));
            };
            self.is_well(record)
                .map_err(|how| ("every job that can run runs after all faults", how))?;
            self.wishes
                .are_granted(record, &self.checkpoints.files, self.is_full())
                .map_err(|how| ("a wish that was acknowledged is granted", how))?;
            let last = self.checkpoints.last_commit.get(job).copied().unwrap_or(0);
            let since = last.min(at.saturating_sub(TIDY_WITHIN));
            let litter = self
                .checkpoints
                .files
                .litter(record, since.saturating_sub(TIDY_WITHIN));
            if let Some(litter) = litter.filter(|_| record.state == JobState::Running) {
                let how = format!("{litter:?} is still there");
                return Err(("the janitor takes what no record can name", how));
            }
        }
        Ok(())
    }

    /// Whether there are more tasks than slots, since owners have rescaled their jobs.
    fn is_full(&self) -> bool {
        let wanted = self.records.values().map(|record| match record.state {
            JobState::Suspended | JobState::Finished | JobState::Failed | JobState::Canceled => 0,
            _ => match record.intent {
                Some(Intent::Rescale { tasks }) => tasks.max(record.tasks()),
                _ => record.tasks(),
            },
        });
        wanted.sum::<u32>() > self.room
    }

    fn is_well(&self, record: &JobRecord) -> Result<(), String> {
        let job = record.id;
        let plan = self.plan(job);
        let alive: Vec<TaskId> = self
            .alive
            .keys()
            .map(|(_, task)| *task)
            .filter(|task| task.job == job)
            .collect();
        let wanted = self.wishes.is_canceled(job) || record.desired == Desired::Canceled;
        let is_finite = plan.works.is_some();
        match record.state {
            JobState::Canceled if wanted => {}
            JobState::Finished if is_finite => {}
            JobState::Suspended if self.wishes.may_be_stopped(job) => {}
            // What it was to start from is not there.
            JobState::Failed | JobState::Waiting
                if plan.restore.is_some() && record.attempt.0 == 0 => {}
            JobState::Waiting | JobState::Restarting if self.is_full() => {}
            // A wish that the owner could not be told of may have taken effect.
            JobState::Running if !wanted && !self.wishes.is_stopped(job) => {
                if is_finite {
                    return Ok(());
                }
                let ranks: BTreeSet<Rank> = alive.iter().map(|task| task.rank).collect();
                let is_whole = ranks.len() == record.placements.len();
                let is_present = alive.iter().all(|task| task.attempt == record.attempt);
                if !is_whole || !is_present {
                    return Err(format!(
                        "{job} is at attempt {}, but these tasks run: {alive:?}",
                        record.attempt
                    ));
                }
                let last = self.checkpoints.last_commit.get(&job).copied().unwrap_or(0);
                if plan.checkpoints.is_some() && last <= self.healed_at {
                    return Err(format!("{job} has completed no checkpoint since {last}"));
                }
                return Ok(());
            }
            _ => {
                return Err(format!(
                    "{job} is {:?}, desired {:?}, intent {:?}, closing {:?}: {:?}",
                    record.state, record.desired, record.intent, record.closing, record.cause
                ));
            }
        }
        match alive.first() {
            Some(task) => Err(format!("{job} is {:?}, but {task} runs", record.state)),
            None => Ok(()),
        }
    }
}
