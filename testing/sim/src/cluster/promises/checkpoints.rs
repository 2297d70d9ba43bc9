//! What is promised of checkpoints: numbers, orders, and what a commit needs.

use std::collections::{BTreeMap, BTreeSet};

use incumbent_cluster_core::checkpoint::{Goal, RestorePoint};
use incumbent_cluster_core::message::{ContractOrder, Deploy, Gang};
use incumbent_cluster_core::{Attempt, JobId, JobRecord, JobState, TaskId};
use incumbent_core::Seal;

use super::Break;
use super::files::Files;
use super::output::Outputs;
use crate::cluster::jobs::JobPlan;

/// What is known of the checkpoints of all jobs.
#[derive(Debug, Default)]
pub(super) struct Checkpoints {
    pub(super) files: Files,
    pub(super) outputs: Outputs,
    /// The highest number that was ever committed.
    highest: BTreeMap<JobId, u64>,
    committed: BTreeSet<(JobId, u64)>,
    closing: BTreeSet<JobId>,
    started: BTreeSet<JobId>,
    /// What each attempt starts from.
    restores: BTreeMap<(JobId, Attempt), Option<RestorePoint>>,
    /// Which term wanted each number.
    asked: BTreeMap<(JobId, Attempt, u64), Seal>,
    /// The highest number that each task has heard of.
    heard: BTreeMap<TaskId, u64>,
    /// When a checkpoint of each job was committed last.
    pub(super) last_commit: BTreeMap<JobId, u64>,
}

impl Checkpoints {
    /// The record of a job that checkpoints says this now, and said `before`.
    pub(super) fn stored(
        &mut self,
        at: u64,
        plan: &JobPlan,
        before: Option<&JobRecord>,
        record: &JobRecord,
        seal: Seal,
    ) -> Result<(), Break> {
        let job = record.id;
        self.files.stored(record)?;
        if let Some(origin) = &record.origin
            && self.started.insert(job)
        {
            let manifest = self.files.manifest(origin)?;
            let states: Vec<_> = self.files.states(manifest).into_iter().flatten().collect();
            self.outputs.start(job, &states);
        }
        if record.closing.is_some() {
            self.closing.insert(job);
        }
        let numbers = record.checkpoints.iter().map(|one| one.number);
        if !numbers.clone().is_sorted_by(|one, next| one < next) {
            let how = format!("{job} has {:?}", numbers.collect::<Vec<_>>());
            return Err(("numbers of checkpoints rise", how));
        }
        let highest = self.highest.get(&job).copied().unwrap_or(0);
        let newest = record.checkpoints.last().map_or(0, |one| one.number);
        if newest < highest {
            let how = format!("{job} was at checkpoint {highest}, and is at {newest}");
            return Err(("numbers of checkpoints rise", how));
        }
        if newest > highest {
            self.last_commit.insert(job, at);
            self.committed(plan, before, record, seal)?;
        }
        if before.is_none_or(|before| before.attempt < record.attempt) {
            let point = record.restore_point();
            self.restores.insert((job, record.attempt), point);
        }
        self.ended(plan, before, record)
    }

    /// A checkpoint is new in the record.
    fn committed(
        &mut self,
        plan: &JobPlan,
        before: Option<&JobRecord>,
        record: &JobRecord,
        seal: Seal,
    ) -> Result<(), Break> {
        const WHOLE: &str =
            "a checkpoint has what each rank of one attempt has stored for one term";
        let job = record.id;
        let newest = record.checkpoints.last().expect("the caller has looked");
        self.highest.insert(job, newest.number);
        self.committed.insert((job, newest.number));
        let present = before.map_or(Attempt(0), |before| before.attempt);
        let is_live = before
            .is_some_and(|before| matches!(before.state, JobState::Running | JobState::Stopping));
        if newest.attempt != present || !is_live {
            let how = format!(
                "{job} has {newest:?} while {:?} at attempt {present}",
                before.map(|before| before.state)
            );
            return Err(("only the present attempt commits", how));
        }
        let point = newest.restore_point(job, record.incarnation);
        let manifest = self.files.manifest(&point)?;
        let ranks = before.map_or(0, |before| before.placements.len());
        if manifest.id != point.from
            || manifest.ranks.len() != ranks
            || newest.tasks as usize != ranks
        {
            let how = format!("{job} has {ranks} ranks, and {newest:?} {:?}", manifest.id);
            return Err((WHOLE, how));
        }
        let mut states = Vec::with_capacity(ranks);
        for (rank, state) in self.files.states(manifest).into_iter().enumerate() {
            let Some(state) = state else {
                let how = format!("{job}: rank {rank} has stored nothing for {newest:?}");
                return Err((WHOLE, how));
            };
            let is_finished = manifest.ranks[rank].is_finished;
            let is_right = match state.asked {
                Some(asked) => !is_finished && asked == (newest.number, seal),
                None => is_finished,
            };
            let is_whose = state.attempt == newest.attempt && state.rank.0 as usize == rank;
            if !is_right || !is_whose {
                let how = format!("{job}: {seal:?} commits {} with {state:?}", newest.number);
                return Err((WHOLE, how));
            }
            states.push(state);
        }
        let count = plan.checkpoints.as_ref().map_or(0, |plan| plan.partitions);
        self.outputs.commit(job, count, &states)
    }

    /// What has to be before a job has ended as wanted.
    fn ended(
        &self,
        plan: &JobPlan,
        before: Option<&JobRecord>,
        record: &JobRecord,
    ) -> Result<(), Break> {
        let job = record.id;
        let is_new = before.is_none_or(|before| before.state != record.state);
        let count = plan.checkpoints.as_ref().map_or(0, |plan| plan.partitions);
        let closing = before.and_then(|before| before.closing);
        match record.state {
            JobState::Finished if is_new => {
                self.outputs
                    .is_whole(job, count, Some(plan.records()))
                    .map_err(|how| ("a finished job has its whole output", how))?;
                if closing.map(|closing| closing.goal) == Some(Goal::Finished) {
                    return Ok(());
                }
                let how = format!("{job} is finished, and was closing {closing:?}");
                Err(("a job finishes with a last checkpoint", how))
            }
            JobState::Suspended if is_new && !record.checkpoints.is_empty() => self
                .outputs
                .is_whole(job, count, None)
                .map_err(|how| ("what is staged is published before a job is suspended", how)),
            _ => Ok(()),
        }
    }

    /// A task is ordered to start.
    pub(super) fn deploys(&self, deploy: &Deploy) -> Result<(), Break> {
        let key = (deploy.task.job, deploy.task.attempt);
        let placed = self.restores.get(&key).cloned().flatten();
        if deploy.restore != placed {
            let how = format!(
                "{} starts from {:?}, and is to start from {placed:?}",
                deploy.task, deploy.restore
            );
            return Err(("an attempt starts from the newest checkpoint", how));
        }
        Ok(())
    }

    /// A leader tells the ranks of an attempt.
    pub(super) fn tells(&self, seal: Seal, gang: Gang, order: ContractOrder) -> Result<(), Break> {
        let job = gang.job;
        let is_committed = |number| self.committed.contains(&(job, number));
        match order {
            ContractOrder::Committed { number } if !is_committed(number) => {
                let how = format!("{seal:?} says that {number} of {job} is committed");
                Err(("only what a record says is said to be committed", how))
            }
            ContractOrder::Aborted { number } if is_committed(number) => {
                let how = format!("{seal:?} says that {number} of {job} is aborted");
                Err(("what is committed is not said to be aborted", how))
            }
            ContractOrder::Stop if !self.closing.contains(&job) => {
                let how = format!("{seal:?} stops {job}, whose last checkpoint no record says");
                Err(("the end is written before tasks are told to stop", how))
            }
            _ => Ok(()),
        }
    }

    /// A task hears of a checkpoint.
    pub(super) fn asked(&mut self, task: TaskId, number: u64, seal: Seal) -> Result<(), Break> {
        let before = self.heard.insert(task, number);
        if before.is_some_and(|before| before >= number) {
            let how = format!("{task} hears of checkpoint {number} after {before:?}");
            return Err(("numbers of checkpoints rise", how));
        }
        let key = (task.job, task.attempt, number);
        let first = *self.asked.entry(key).or_insert(seal);
        if first != seal {
            let how = format!("{task}: {first:?} and {seal:?} want checkpoint {number}");
            return Err(("a number is used by one term", how));
        }
        Ok(())
    }
}
