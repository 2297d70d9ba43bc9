//! What happened, as a list of [`Fact`]s. The invariants see nothing else.

use incumbent_core::root::TermState;
use incumbent_core::{Epoch, Nonce, Seal};

/// One life of one node: a restarted node is another process.
pub type Process = u32;

/// What a record has as its data: the number of the commit that put it there, zero for a tombstone.
pub type Value = u64;

/// The number of one thing the workload does to a record.
pub type Op = u64;

/// What has a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Item {
    /// Who leads.
    Root,
    /// The highest epoch that was led.
    Floor,
    /// Some data.
    Record(u8),
}

/// What a body says, as far as a promise hangs on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Body {
    /// The root.
    Root {
        /// The term.
        seal: Seal,
        /// The number of the write within the term.
        seq: u64,
        /// How far the term has come.
        state: Stage,
        /// The lease in nanoseconds.
        lease: u64,
        /// The change that published the endpoint; zero if there is none.
        endpoint: u64,
    },
    /// The floor or a record.
    Record {
        /// The term that wrote it last.
        seal: Seal,
        /// The number of the write within the term.
        seq: u64,
        /// The data.
        value: Value,
        /// No leader has written it since it was created.
        unled: bool,
    },
}

/// How far a term has come, or how it looks to an observer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    /// Won.
    Activating,
    /// Serving.
    Active,
    /// Given up.
    Released,
}

/// The parts of a simulation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Things go wrong.
    Chaos,
    /// Nothing goes wrong any more. Requests that were under way may still arrive.
    Healed,
    /// By now a leader must be active and have committed on every record. The work goes on.
    Settled,
    /// The work ends.
    Resting,
    /// Nobody has had anything to do for a while.
    Idle,
    /// The end.
    Over,
}

/// What a leading application changes in the root.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RootChange {
    /// It serves.
    Activate,
    /// The endpoint is published, by this change.
    Publish,
    /// It is gone.
    Withdraw,
}

/// What the workload does to a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Deed {
    /// Anybody reads it.
    Read,
    /// A leader opens it.
    Open {
        /// The leader.
        seal: Seal,
    },
    /// A leader commits.
    Commit {
        /// The leader.
        seal: Seal,
        /// The number of the write.
        seq: u64,
        /// The data it replaces.
        after: Value,
        /// The new data.
        value: Value,
    },
    /// Somebody who does not lead creates it.
    Create {
        /// The number of the creation, as the seal that it bears.
        seal: Seal,
        /// The data.
        value: Value,
    },
}

/// What the workload learns about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// This was there.
    Saw(Value),
    /// It is done.
    Committed,
    /// It did not happen and never will.
    Refused,
    /// Nobody knows.
    Unknown,
}

/// Something that happened.
#[derive(Clone, Debug, Hash)]
pub enum Fact {
    /// Another part of the simulation begins.
    Phase(Phase),
    /// A process came to life, on this node.
    Started {
        /// The process.
        process: Process,
        /// The node.
        node: usize,
    },
    /// A process was killed.
    Killed {
        /// The process.
        process: Process,
    },
    /// A process was told that the holder of a term is dead.
    ToldDead {
        /// The process.
        process: Process,
        /// The term.
        nonce: Nonce,
    },
    /// A process sent a write.
    Asked {
        /// The process.
        process: Process,
        /// What it writes.
        item: Item,
        /// What it expects.
        expected: Option<u64>,
        /// What it would write.
        body: Body,
    },
    /// Something was written.
    Written {
        /// What.
        item: Item,
        /// The version it has now.
        version: u64,
        /// What it says now.
        body: Body,
        /// By a person, without regard to its version.
        by_hand: bool,
    },
    /// Something was taken away.
    Removed {
        /// What.
        item: Item,
        /// The erasure, as the write of a tombstone; `None` if a person did it.
        write: Option<Body>,
    },
    /// A process leads.
    Granted {
        /// The process.
        process: Process,
        /// The term.
        seal: Seal,
    },
    /// A process does not lead any more.
    Lost {
        /// The process.
        process: Process,
        /// The term.
        seal: Seal,
    },
    /// A process holds, or has, another right to act.
    Guard {
        /// The process.
        process: Process,
        /// The term and until when, in true time.
        right: Option<(Seal, u64)>,
    },
    /// A leading application asks for a change of the root.
    Changes {
        /// The term.
        seal: Seal,
        /// The change, by a number that only rises.
        ticket: u64,
        /// What it is.
        change: RootChange,
    },
    /// The process learns that a change is in the root.
    Changed {
        /// The change.
        ticket: u64,
    },
    /// An observer gets another view than before.
    Viewed {
        /// The process.
        process: Process,
        /// The leader: its stage and its term; `None` for no leader.
        leader: Option<(Stage, Epoch, Nonce)>,
    },
    /// The workload begins something.
    Began {
        /// Its number.
        op: Op,
        /// The process that does it.
        process: Process,
        /// The record.
        record: u8,
        /// What it does.
        deed: Deed,
    },
    /// The workload learns the outcome. Without this the outcome stays open.
    Ended {
        /// Its number.
        op: Op,
        /// What came of it.
        outcome: Outcome,
    },
    /// A process wants to be woken at once again and again.
    Spins {
        /// The process.
        process: Process,
    },
}

impl Body {
    /// The term that wrote it.
    pub fn seal(&self) -> Seal {
        match self {
            Self::Root { seal, .. } | Self::Record { seal, .. } => *seal,
        }
    }

    /// Whether it is a record as a process creates it that does not lead.
    pub fn is_creation(&self) -> bool {
        matches!(self, Self::Record { seal, .. } if seal.epoch == Epoch::ZERO)
    }

    /// Whether it begins a term.
    pub fn is_claim(&self) -> bool {
        matches!(
            self,
            Self::Root {
                seq: 1,
                state: Stage::Activating,
                ..
            }
        )
    }
}

impl From<TermState> for Stage {
    fn from(state: TermState) -> Self {
        match state {
            TermState::Activating => Self::Activating,
            TermState::Active => Self::Active,
            TermState::Released => Self::Released,
        }
    }
}

/// The nonces of a process begin here.
pub fn first_nonce(process: Process, salt: u32) -> Nonce {
    Nonce::new((u128::from(process) << 64) | (u128::from(salt) << 32))
}

/// The number of a creation by this process.
pub fn creation(process: Process, op: Op) -> Nonce {
    Nonce::new((u128::from(process) << 64) | (1 << 63) | u128::from(op))
}

/// The process that a nonce belongs to.
pub fn process_of(nonce: Nonce) -> Process {
    Process::try_from(nonce.get() >> 64).expect("made by `first_nonce`")
}
