//! [`Creator`]: a process that creates a record without leading.

use super::Bounds;
use super::state::{Body, Commits, Expected, Seal, Write, WriteKind};

/// The most creators a [`Bounds`] may ask for.
pub const MAX_CREATORS: usize = 2;
/// How often a creator begins: again after an unknown outcome, under the same number.
pub(super) const TRIES: u8 = 2;
/// The record that creators create.
pub(super) const CREATED_RECORD: u8 = 0;

/// A process that creates the first record, once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Creator {
    pub(super) phase: CreatorPhase,
    pub(super) tries: u8,
}

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CreatorPhase {
    /// Not begun, or given up without an answer.
    Idle,
    /// Waiting for the answer; an earlier one to the same request may have been lost.
    Writing { lost: bool },
    /// The creation was refused: about to read what is there instead.
    Refused { lost: bool },
    /// Knows what became of it.
    Done,
}

impl Creator {
    pub(super) const IDLE: Self = Self {
        phase: CreatorPhase::Idle,
        tries: 0,
    };

    /// Whether it may still learn what became of its creation.
    pub(super) fn is_in_doubt(self) -> bool {
        self.phase != CreatorPhase::Done
    }
}

impl Bounds {
    /// What a creator writes. It is the same each time.
    pub(super) fn creation(&self, creator: u8) -> Write {
        let commit = self.creation_of(creator);
        Write {
            record: CREATED_RECORD,
            expected: Expected::Absent,
            body: Body {
                seal: Seal::NOBODY,
                sequence: 1,
                created: creator + 1,
                unled: true,
                content: commit,
                history: commit,
            },
            kind: WriteKind::Create,
            commit,
        }
    }

    /// The bit of a creation: those of creators come after those of leaders.
    pub(super) fn creation_of(&self, creator: u8) -> Commits {
        Commits(1 << (self.leaders * (self.commits + self.deletes) + creator))
    }
}
