//! [`JobPlan`]: a job, and what its owner does with it.

use std::collections::BTreeMap;

use incumbent_cluster_core::checkpoint::RestoreFrom;
use incumbent_cluster_core::{Checkpointing, Isolation, JobSpec, Restart, SavepointId};

use super::mode::ClusterMode;
use super::world::job_of;
use crate::clock::MILLISECOND;
use crate::dice::Dice;
use crate::history::Item;

/// The longest delay of a restart, in milliseconds.
pub(super) const LONGEST_DELAY: u64 = 1000;

/// Records of a partition that a task reads in a second.
pub(super) const RECORDS_A_SECOND: u64 = 100;

/// A job, and what its owner does with it.
#[derive(Clone, Debug)]
pub(super) struct JobPlan {
    pub(super) tasks: u32,
    pub(super) isolation: Isolation,
    pub(super) restart: Restart,
    pub(super) submitted_at: u64,
    pub(super) canceled_at: Option<u64>,
    /// How long a task works before it exits with 0; `None` for ever. Of a job that checkpoints:
    /// how long its input takes to be read.
    pub(super) works: Option<u64>,
    pub(super) checkpoints: Option<CheckpointsPlan>,
    pub(super) restore: Option<RestoreFrom>,
    /// What its owner wants, in turn, and not before when.
    pub(super) wishes: Vec<(u64, Wish)>,
}

/// How a job checkpoints, and what it reads.
#[derive(Clone, Debug)]
pub(super) struct CheckpointsPlan {
    pub(super) settings: Checkpointing,
    /// Into how many parts the input is split: each belongs to one rank.
    pub(super) partitions: u32,
    /// Whether each rank stores two files, and not one.
    pub(super) has_two_files: bool,
}

/// What an owner wants of the leader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    Savepoint(SavepointId),
    Stop(SavepointId),
    Resume,
    Rescale(u32),
    RemoveSavepoint(SavepointId),
    Cancel,
    /// Forget the job, which has ended.
    Remove,
}

impl JobPlan {
    pub(super) fn new(tasks: u64, chaos: u64, mode: ClusterMode, dice: &mut Dice) -> Self {
        let spared = mode.spares_tasks();
        let isolation = match dice.index(3) {
            0 => Isolation::Fenced,
            // A leader that pauses for longer than the timeout costs exclusive tasks, by design.
            1 if !spared => Isolation::Exclusive {
                timeout_ms: Some(dice.range(500, 3000)),
            },
            // Without proofs it would wait for a person.
            _ if spared || mode == ClusterMode::TaskManagers => {
                Isolation::Exclusive { timeout_ms: None }
            }
            _ => Isolation::Exclusive {
                timeout_ms: Some(dice.range(3000, 6000)),
            },
        };
        Self {
            tasks: u32::try_from(tasks).expect("few"),
            isolation,
            restart: Restart::ExponentialDelay {
                initial_ms: 50,
                max_ms: LONGEST_DELAY,
                reset_after_ms: 5_000,
                attempts: None,
            },
            submitted_at: dice.range(0, chaos),
            canceled_at: dice.chance(200).then(|| dice.range(0, chaos)),
            works: dice.chance(200).then(|| dice.range(MILLISECOND, chaos)),
            checkpoints: None,
            restore: None,
            wishes: Vec::new(),
        }
    }

    /// Makes some of the jobs checkpoint, and gives their owners wishes. `room` is how many tasks
    /// find slots.
    pub(super) fn enrich(
        jobs: &mut [Self],
        room: u64,
        chaos: u64,
        mode: ClusterMode,
        dice: &mut Dice,
    ) {
        let taken: u32 = jobs.iter().map(|job| job.tasks).sum();
        let spare = room - u64::from(taken);
        for index in 0..jobs.len() {
            let is_checkpointing = mode == ClusterMode::Checkpoints || dice.chance(400);
            if is_checkpointing {
                jobs[index].checkpoint(chaos, mode, dice);
            }
            if is_checkpointing && index > 0 && dice.chance(500) {
                Self::restore(jobs, index, chaos, dice);
            }
            if is_checkpointing || dice.chance(200) {
                // Most of what is wanted has slots.
                let tasks = u64::from(jobs[index].tasks);
                let most = if dice.chance(800) {
                    tasks + spare
                } else {
                    room
                };
                jobs[index].want(index, most, chaos, dice);
            }
            jobs[index].cancel(dice);
        }
    }

    /// The input, if it checkpoints: how many records each partition has.
    pub(super) fn records(&self) -> u64 {
        self.works.map_or(u64::MAX, |works| {
            works * RECORDS_A_SECOND / (1000 * MILLISECOND)
        })
    }

    /// What is submitted.
    pub(super) fn spec(&self, index: usize) -> JobSpec {
        JobSpec {
            name: format!("job-{index}"),
            tasks: self.tasks,
            command: vec!["true".into()],
            artifact: None,
            env: BTreeMap::new(),
            env_files: BTreeMap::new(),
            restart: self.restart.clone(),
            isolation: self.isolation,
            grace_ms: 200,
            endpoints: Vec::new(),
            checkpoints: self.checkpoints.as_ref().map(|plan| plan.settings.clone()),
            restore: self.restore,
        }
    }

    fn checkpoint(&mut self, chaos: u64, mode: ClusterMode, dice: &mut Dice) {
        // A leader that pauses for longer than the timeout costs a checkpoint, by design.
        let timeout_ms = match mode.spares_tasks() {
            true => 60_000,
            false => dice.range(400, 2500),
        };
        self.checkpoints = Some(CheckpointsPlan {
            settings: Checkpointing {
                interval_ms: Some(dice.range(50, 1000)),
                timeout_ms,
                failures: dice.pick(&[1, 3, 3]),
                keep: dice.pick(&[1, 2, 3]),
            },
            partitions: u32::try_from(dice.range(1, 7)).expect("few"),
            has_two_files: dice.chance(300),
        });
        self.works = dice.chance(400).then(|| dice.range(MILLISECOND, chaos / 2));
        // Endless input says more about what follows.
        if dice.chance(500) {
            self.canceled_at = None;
        }
    }

    /// It starts from an earlier one, whose input it has.
    fn restore(jobs: &mut [Self], index: usize, chaos: u64, dice: &mut Dice) {
        let from = dice.index(index);
        let Some(plan) = jobs[from].checkpoints.clone() else {
            return;
        };
        let savepoint = jobs[from].wishes.iter().find_map(|(at, wish)| match wish {
            Wish::Savepoint(id) | Wish::Stop(id) => Some((*at, *id)),
            _ => None,
        });
        let (not_before, restore) = match savepoint {
            Some((at, savepoint)) if dice.chance(600) => (at, RestoreFrom::Savepoint { savepoint }),
            _ => {
                let job = job_of(Item::Record(u8::try_from(from).expect("few")));
                let checkpoint = None;
                (
                    jobs[from].submitted_at,
                    RestoreFrom::Job { job, checkpoint },
                )
            }
        };
        let works = jobs[from].works;
        // There is seldom something to start from at once.
        let not_before = not_before + dice.range(chaos / 8, chaos / 2);
        let job = &mut jobs[index];
        job.restore = Some(restore);
        job.works = works;
        job.submitted_at = not_before.min(chaos + chaos / 8);
        let own = job.checkpoints.as_mut().expect("it checkpoints");
        own.partitions = plan.partitions;
    }

    fn want(&mut self, index: usize, room: u64, chaos: u64, dice: &mut Dice) {
        let is_checkpointing = self.checkpoints.is_some();
        let mut at = self.submitted_at + dice.range(0, chaos / 4);
        let mut is_stopped = false;
        let mut tasks = u64::from(self.tasks);
        let mut made: Vec<SavepointId> = Vec::new();
        for step in 0..dice.range(0, 6) {
            let id = SavepointId::new((index as u128 + 1) << 32 | u128::from(step));
            let wish = match dice.index(6) {
                _ if is_stopped => Wish::Resume,
                0 | 1 => Wish::Stop(id),
                2 | 3 => {
                    tasks = (tasks + dice.range(0, room.max(2) - 1)) % room + 1;
                    Wish::Rescale(u32::try_from(tasks).expect("few"))
                }
                4 if !made.is_empty() => Wish::RemoveSavepoint(dice.pick(&made)),
                _ if is_checkpointing => Wish::Savepoint(id),
                _ => continue,
            };
            is_stopped = matches!(wish, Wish::Stop(_));
            match wish {
                Wish::Savepoint(id) | Wish::Stop(id) => made.push(id),
                Wish::RemoveSavepoint(id) => made.retain(|one| *one != id),
                _ => {}
            }
            self.wishes.push((at, wish));
            at += dice.range(0, chaos / 3);
        }
    }

    fn cancel(&mut self, dice: &mut Dice) {
        if let Some(at) = self.canceled_at {
            let at = at.max(self.submitted_at);
            self.wishes.retain(|(then, _)| *then < at);
            self.wishes.push((at, Wish::Cancel));
            if dice.chance(600) {
                self.wishes.push((at, Wish::Remove));
            }
        } else if let Some(works) = self.works.filter(|_| dice.chance(300)) {
            let last = self.wishes.last().map_or(0, |(at, _)| *at);
            let at = last.max(self.submitted_at + 2 * works);
            self.wishes.push((at, Wish::Remove));
        }
    }
}
