//! [`Faults`]: what goes wrong, and how often.

use super::mode::{ClusterMode, ClusterMutation};
use crate::dice::Dice;

/// Probabilities in parts of a thousand, and what else goes wrong.
#[derive(Clone, Debug, Default)]
pub(super) struct Faults {
    pub(super) lost: u32,
    pub(super) slow: u32,
    pub(super) late_write: u32,
    pub(super) refused: u32,
    /// A task fails by itself, per start.
    pub(super) task_fails: u32,
    pub(super) contract: ContractFaults,
    pub(super) blobs: BlobFaults,
    pub(super) upsets: Vec<Upset>,
    /// The longest pause between two upsets, in leases. Rare ones last longer, and what follows
    /// from them is not disturbed by the next.
    pub(super) pause: u64,
}

/// How often a task that speaks the contract does what it should not.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ContractFaults {
    /// It is killed, per step of the contract.
    pub(super) dies: u32,
    /// It exits with 0 without a reason, per step of the contract.
    pub(super) exits: u32,
    /// It takes long for a checkpoint.
    pub(super) is_slow: u32,
    /// It never acknowledges anything, per start.
    pub(super) hangs: u32,
}

/// How often the blobs do what they should not, per call.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct BlobFaults {
    /// The call or its answer is lost.
    pub(super) lost: u32,
    /// A write lands long after it was given up.
    pub(super) late: u32,
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
    BlobOutage,
    WrongVerdict,
}

/// The longest pause between two upsets where they are rare, in leases.
const RARE: u64 = 8;

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

impl Faults {
    pub(super) fn new(mode: ClusterMode, dice: &mut Dice) -> Self {
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
            ClusterMode::Checkpoints => (dice.chance(700), dice.chance(700), dice.chance(700)),
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
        if task_managers {
            faults.contract = ContractFaults {
                dies: dice.pick(&[0, 5, 30]),
                exits: dice.pick(&[0, 0, 5]),
                is_slow: dice.pick(&[0, 30, 200]),
                hangs: dice.pick(&[0, 0, 50]),
            };
        }
        if network {
            faults.blobs = BlobFaults {
                lost: dice.pick(&[0, 20, 150]),
                late: dice.pick(&[0, 20, 100]),
            };
            faults.some(dice, &[Upset::BlobOutage]);
        }
        faults
    }

    /// Of the many things that go wrong, those in which a rule that is left out shows itself.
    pub(super) fn showing(mut self, mutation: ClusterMutation) -> Self {
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
