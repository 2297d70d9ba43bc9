//! What a seed makes of a simulation: hosts, jobs and what goes wrong.

use std::time::Duration;

use clap::ValueEnum;
use incumbent_cluster_core::{Isolation, Restart};
use incumbent_core::Timing;

use crate::clock::{MILLISECOND, TRUE_RATE};
use crate::dice::Dice;
use crate::faults::{DRIFT_PERMILLE, nanos, timing};

/// Which kinds of faults there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, ValueEnum)]
pub enum ClusterMode {
    /// Messages take their time; nothing else happens.
    Calm,
    /// JobManagers are killed and pause. No task may notice.
    JobManagers,
    /// TaskManagers and tasks are killed and pause.
    TaskManagers,
    /// Messages are lost and late, hosts are cut off from each other and from the store.
    Network,
    /// All of the above.
    Everything,
    /// All of it, and living TaskManagers are taken for dead. Exclusive attempts may overlap.
    Verdicts,
}

impl ClusterMode {
    /// Every mode.
    pub const ALL: [Self; 6] = [
        Self::Calm,
        Self::JobManagers,
        Self::TaskManagers,
        Self::Network,
        Self::Everything,
        Self::Verdicts,
    ];
}

/// A rule left out, so that a test sees its promise break.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ClusterMutation {
    /// Nothing is left out.
    None,
    /// The isolation timeout counts from the receipt of an acknowledgement instead of from the
    /// sending of the report (R8).
    CountFromReceipt,
    /// A leader gives up ranks of exclusive jobs after three tenths of a second of silence (R8).
    AdoptInHaste,
    /// A deposed leader acknowledges reports (R8).
    AcknowledgeWithoutGuard,
    /// A leader acts before the store has confirmed its write (R3).
    ActBeforeSwap,
    /// A write whose outcome is unknown is taken for one that did not happen (R3).
    UnknownIsNotApplied,
    /// A refused connection proves the death of a TaskManager whose guards still end its tasks
    /// (R9).
    GuardsHoldNothing,
    /// A leader counts the silence of a TaskManager from the beginning of time, not from its grant
    /// (R8).
    SilenceBeforeGrant,
}

impl ClusterMutation {
    /// Every rule left out in turn; without [`ClusterMutation::None`].
    pub const ALL: [Self; 7] = [
        Self::CountFromReceipt,
        Self::AdoptInHaste,
        Self::AcknowledgeWithoutGuard,
        Self::ActBeforeSwap,
        Self::UnknownIsNotApplied,
        Self::GuardsHoldNothing,
        Self::SilenceBeforeGrant,
    ];
}

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

/// A job, and what its owner does with it.
#[derive(Clone, Debug)]
pub(super) struct JobPlan {
    pub(super) tasks: u32,
    pub(super) isolation: Isolation,
    pub(super) restart: Restart,
    pub(super) submitted_at: u64,
    pub(super) canceled_at: Option<u64>,
    /// How long a task works before it exits with 0; `None` for ever.
    pub(super) works: Option<u64>,
}

/// Probabilities in parts of a thousand, and what else goes wrong.
#[derive(Clone, Debug, Default)]
pub(super) struct Faults {
    pub(super) lost: u32,
    pub(super) slow: u32,
    pub(super) late_write: u32,
    pub(super) refused: u32,
    /// A task fails by itself, per start.
    pub(super) task_fails: u32,
    pub(super) upsets: Vec<Upset>,
    /// The longest pause between two upsets, in leases. Rare ones last longer, and what follows
    /// from them is not disturbed by the next.
    pub(super) pause: u64,
}

/// Something that goes wrong for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Upset {
    KillLeader,
    KillJobManager,
    PauseLeader,
    KillTaskManager,
    PauseTaskManager,
    KillTask,
    CutStore,
    CutPair,
    /// The leader and a TaskManager reach each other, and nobody else.
    Island,
    /// The acknowledgements to a TaskManager take longer than a lease, and then it is cut off.
    LateAcks,
    Outage,
    WrongVerdict,
}

const JOB_MANAGER_UPSETS: [Upset; 3] =
    [Upset::KillLeader, Upset::KillJobManager, Upset::PauseLeader];
const TASK_MANAGER_UPSETS: [Upset; 3] = [
    Upset::KillTaskManager,
    Upset::PauseTaskManager,
    Upset::KillTask,
];
const NETWORK_UPSETS: [Upset; 5] = [
    Upset::CutStore,
    Upset::CutPair,
    Upset::Island,
    Upset::LateAcks,
    Upset::Outage,
];

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
        Self {
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
        }
    }

    /// How long after the end of all faults every job that can run must run.
    ///
    /// The lease of a leader that is gone is waited out, with a request that was lost; then the
    /// silence of a TaskManager that is gone; then the longest delay of a restart.
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
    }

    /// Whether an exclusive attempt is never doubled: verdicts tell the truth.
    pub(super) fn is_truthful(&self) -> bool {
        self.mode != ClusterMode::Verdicts
    }

    /// Whether no task may ever notice anything.
    pub(super) fn spares_tasks(&self) -> bool {
        matches!(self.mode, ClusterMode::Calm | ClusterMode::JobManagers)
    }
}

/// The longest pause between two upsets where they are rare, in leases.
const RARE: u64 = 8;

/// The longest delay of a restart, in milliseconds.
const LONGEST_DELAY: u64 = 1000;

impl JobPlan {
    fn new(tasks: u64, chaos: u64, mode: ClusterMode, dice: &mut Dice) -> Self {
        let spared = matches!(mode, ClusterMode::Calm | ClusterMode::JobManagers);
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
        }
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

impl Faults {
    fn new(mode: ClusterMode, dice: &mut Dice) -> Self {
        let mut faults = Self {
            pause: dice.pick(&[1, 1, RARE]),
            ..Self::default()
        };
        let (job_managers, task_managers, network) = match mode {
            ClusterMode::Calm => (false, false, false),
            ClusterMode::JobManagers => (true, false, false),
            ClusterMode::TaskManagers => (dice.chance(500), true, false),
            ClusterMode::Network => (dice.chance(500), false, true),
            ClusterMode::Everything | ClusterMode::Verdicts => (true, true, true),
        };
        if job_managers {
            faults.some(dice, &JOB_MANAGER_UPSETS);
        }
        if task_managers {
            faults.task_fails = dice.pick(&[0, 50, 300]);
            faults.some(dice, &TASK_MANAGER_UPSETS);
        }
        if network {
            faults.lost = dice.pick(&[0, 20, 150]);
            faults.slow = dice.pick(&[0, 20, 200]);
            faults.late_write = dice.pick(&[0, 20, 100]);
            faults.refused = dice.pick(&[0, 20, 100]);
            faults.some(dice, &NETWORK_UPSETS);
        }
        if mode == ClusterMode::Verdicts {
            faults.upsets.push(Upset::WrongVerdict);
        }
        faults
    }

    /// Of the many things that go wrong, those in which a rule that is left out shows itself.
    fn showing(mut self, mutation: ClusterMutation) -> Self {
        let upset = match mutation {
            ClusterMutation::CountFromReceipt => Upset::LateAcks,
            ClusterMutation::AcknowledgeWithoutGuard => Upset::Island,
            _ => return self,
        };
        (self.upsets, self.pause) = (vec![upset], RARE);
        self
    }

    pub(super) fn are_rare(&self) -> bool {
        self.pause == RARE
    }

    fn some(&mut self, dice: &mut Dice, of: &[Upset]) {
        self.upsets
            .extend(of.iter().filter(|_| dice.chance(600)).copied());
    }
}
