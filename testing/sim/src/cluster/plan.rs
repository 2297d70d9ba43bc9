//! What a seed makes of a simulation: hosts, jobs and what goes wrong.

use std::time::Duration;

use incumbent_cluster_core::Isolation;
use incumbent_core::Timing;

use super::faults::Faults;
use super::jobs::{JobPlan, LONGEST_DELAY};
use super::mode::{ClusterMode, ClusterMutation};
use crate::clock::{MILLISECOND, TRUE_RATE};
use crate::dice::Dice;
use crate::faults::{DRIFT_PERMILLE, nanos, timing};

/// Everything that is settled before the first event. Durations are in nanoseconds.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) mode: ClusterMode,
    pub(super) mutation: ClusterMutation,
    pub(super) timing: Timing,
    pub(super) job_managers: Vec<HostPlan>,
    pub(super) task_managers: Vec<HostPlan>,
    pub(super) slots: u32,
    pub(super) jobs: Vec<JobPlan>,
    pub(super) faults: Faults,
    pub(super) silence: Duration,
    pub(super) heartbeat: Duration,
    pub(super) patience: Duration,
    pub(super) chaos: u64,
}

/// A host, and the rates of its clock.
#[derive(Clone, Debug)]
pub(super) struct HostPlan {
    pub(super) clock_offset: u64,
    pub(super) clock_rate: u64,
}

impl Plan {
    pub(super) fn new(mode: ClusterMode, mutation: ClusterMutation, dice: &mut Dice) -> Self {
        let style = dice.index(3);
        let timing = timing(dice.range(500, 2000), style);
        let lease = nanos(timing.lease());
        let task_managers = dice.range(1, 4);
        let slots = dice.range(1, 4);
        let room = task_managers * slots;
        let faults = Faults::new(mode, dice).showing(mutation);
        let chaos = dice.range(6 * lease, 12 * lease) * if faults.are_rare() { 3 } else { 1 };
        let mut jobs: Vec<JobPlan> = Vec::new();
        // Slots that stay free are where the next attempt of a job that is cut off goes.
        let mut taken = if dice.chance(500) { room / 2 } else { 0 };
        for _ in 0..dice.range(1, 4) {
            let tasks = dice.range(1, room + 1).min(room - taken);
            if tasks == 0 {
                break;
            }
            taken += tasks;
            jobs.push(JobPlan::new(tasks, chaos, mode, dice));
        }
        let hosts = |count: u64, dice: &mut Dice| -> Vec<HostPlan> {
            (0..count).map(|_| HostPlan::new(dice)).collect()
        };
        let mut plan = Self {
            mode,
            mutation,
            timing,
            job_managers: hosts(dice.pick(&[2, 2, 3]), dice),
            task_managers: hosts(task_managers, dice),
            slots: u32::try_from(slots).expect("few"),
            jobs,
            faults,
            silence: Duration::from_millis(dice.range(1000, 3000)),
            heartbeat: Duration::from_millis(dice.range(100, 400)),
            patience: match mutation {
                // One that gives up a report sooner takes no late acknowledgement.
                ClusterMutation::CountFromReceipt => Duration::from_secs(4),
                _ => Duration::from_millis(dice.pick(&[200, 600, 4000])),
            },
            chaos,
        };
        JobPlan::enrich(&mut plan.jobs, room, chaos, mode, dice);
        plan
    }

    /// How long after the end of all faults every job that can run must run.
    ///
    /// The lease of a leader that is gone is waited out, with a request that was lost; then the
    /// silence of a TaskManager that is gone; then the longest delay of a restart. A task that
    /// never acknowledges costs an attempt, and what is wanted then needs another checkpoint.
    pub(super) fn recovery(&self) -> u64 {
        let isolation = self.jobs.iter().map(|job| match job.isolation {
            Isolation::Exclusive {
                timeout_ms: Some(timeout),
            } => timeout * MILLISECOND,
            _ => 0,
        });
        let lease = nanos(self.timing.lease());
        6 * lease
            + 2 * isolation.max().unwrap_or(0)
            + 2 * nanos(self.silence)
            + 4 * LONGEST_DELAY * MILLISECOND
            + self.checkpoints()
    }

    /// How long it takes until checkpoints go on.
    fn checkpoints(&self) -> u64 {
        let patience = |job: &JobPlan| {
            let plan = &job.checkpoints.as_ref()?.settings;
            let interval = plan.interval_ms.unwrap_or_default();
            Some(u64::from(plan.failures) * (plan.timeout_ms + interval) * MILLISECOND)
        };
        let longest = self.jobs.iter().filter_map(patience).max();
        // Where no task may notice anything, timeouts are not reached.
        longest.filter(|_| !self.mode.spares_tasks()).unwrap_or(0)
    }

    /// Whether an exclusive attempt is never doubled: verdicts tell the truth.
    pub(super) fn is_truthful(&self) -> bool {
        self.mode != ClusterMode::Verdicts
    }
}

impl HostPlan {
    fn new(dice: &mut Dice) -> Self {
        let drift = u64::from(DRIFT_PERMILLE) * (TRUE_RATE / 1000);
        Self {
            clock_offset: dice.range(0, 1 << 50),
            clock_rate: match dice.index(3) {
                0 => TRUE_RATE - drift,
                1 => TRUE_RATE + drift,
                _ => dice.range(TRUE_RATE - drift, TRUE_RATE + drift),
            },
        }
    }
}
