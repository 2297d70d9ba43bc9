//! [`ModelState`]: everything the model knows at one moment. Small numbers throughout, for millions of these are kept.

use incumbent_core::{Epoch, Nonce};

use super::Bounds;
use super::creator::{Creator, MAX_CREATORS};

/// The most leaders a [`Bounds`] may ask for.
pub const MAX_LEADERS: usize = 3;
/// The most ordinary records; the floor is one more.
pub const MAX_RECORDS: usize = 2;
/// The most handles of one leader on ordinary records; the floor's handle is one more.
pub const MAX_HANDLES: usize = 4;
/// Epochs end below this. Every campaign raises the epoch by one at most, so it is enough for all
/// terms of all leaders.
pub const MAX_EPOCHS: usize = 16;
/// Terms of one leader end here, because a nonce is the number of a leader and of its term.
pub const MAX_TERMS: u8 = 5;

/// Everything at one moment: the store, the requests under way to it, the leaders, and what was
/// promised so far.
#[derive(Clone, Debug)]
pub(super) struct ModelState {
    pub(super) root: Root,
    /// The records, then the floor.
    pub(super) records: [Record; MAX_RECORDS + 1],
    pub(super) leaders: [Leader; MAX_LEADERS],
    pub(super) creators: [Creator; MAX_CREATORS],
    /// Writes whose sender no longer waits for them, or has sent them again. Any may land at any
    /// time, or never.
    pub(super) network: Vec<Write>,
    /// The same for the root.
    pub(super) root_network: Vec<RootWrite>,
    pub(super) budget: Budget,
    pub(super) promised: Promised,
}

/// What the adversary may still do.
#[derive(Clone, Copy, Debug)]
pub(super) struct Budget {
    pub(super) lost_answers: u8,
    pub(super) root_deletions: u8,
    pub(super) root_restores: u8,
    pub(super) renewals: u8,
}

/// What the outside world was told so far. No process knows it; the promises are checked against
/// it.
#[derive(Clone, Debug)]
pub(super) struct Promised {
    /// Commits reported as not applied.
    pub(super) refused: Commits,
    /// Commits that landed.
    pub(super) landed: Commits,
    /// The nonce that led each epoch.
    pub(super) led: [Term; MAX_EPOCHS],
}

/// Who wins terms.
#[derive(Clone, Copy, Debug)]
pub(super) struct Root {
    pub(super) seal: Option<Seal>,
    /// The root of the term before, of which somebody has a backup.
    pub(super) backup: Option<Seal>,
    pub(super) version: u8,
}

/// One record: what the store holds, then what was promised about it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Record {
    pub(super) body: Option<Body>,
    pub(super) version: u8,
    /// The history of a record that was physically deleted.
    pub(super) buried: Commits,
    /// Commits that were acknowledged, or that an opener has read.
    pub(super) relied_on: Commits,
    /// Commits whose content an acknowledged deletion took away.
    pub(super) deleted: Commits,
    /// The highest seal the record ever had.
    pub(super) top: Seal,
    /// The last term that opened the record, if none higher did before.
    pub(super) opener: Seal,
}

/// What a record holds. A body without content is vacant: never used, or a tombstone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Body {
    pub(super) seal: Seal,
    pub(super) sequence: u8,
    /// The creator that made the record without leading, counted from 1; 0 if none did.
    pub(super) created: u8,
    /// No leader has written since.
    pub(super) unled: bool,
    /// The commits since the last deletion.
    pub(super) content: Commits,
    /// All commits and deletions this body stands on. Real bodies do not say so.
    pub(super) history: Commits,
}

/// The term that wrote a body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Seal {
    pub(super) epoch: u8,
    pub(super) term: Term,
}

/// The nonce of a term: 0 for nobody, else the leader's number and its term's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Term(pub(super) u8);

/// A set of commits; deletions count. Every commit of every leader has its own bit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Commits(pub(super) u16);

/// What a write expects to find.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Expected {
    Absent,
    Version(u8),
    /// Only mutations say so.
    Anything,
}

/// A write on its way to a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Write {
    pub(super) record: u8,
    pub(super) expected: Expected,
    pub(super) body: Body,
    pub(super) kind: WriteKind,
    /// The commit this write makes; empty for a seal.
    pub(super) commit: Commits,
}

/// What a write is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum WriteKind {
    Seal,
    Commit,
    Delete,
    /// Leaves nothing, where the bounds say so.
    Erase,
    /// Without leading, where nothing is.
    Create,
}

/// A write on its way to the root: a claim, or the renewal of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct RootWrite {
    pub(super) expected: Expected,
    pub(super) seal: Seal,
}

/// One process that campaigns and leads.
#[derive(Clone, Copy, Debug)]
pub(super) struct Leader {
    pub(super) role: Role,
    pub(super) seal: Seal,
    /// The last sequence number used in this term.
    pub(super) sequence: u8,
    /// The version of the root this leader wrote last.
    pub(super) root_version: u8,
    /// The highest epoch seen anywhere.
    pub(super) seen: u8,
    pub(super) terms: u8,
    pub(super) commits: u8,
    pub(super) deletes: u8,
    /// Handles on records, then the floor's.
    pub(super) handles: [Handle; MAX_HANDLES + 1],
}

/// What a process is doing about leading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Not campaigning.
    Idle,
    /// The root is absent: looking at one record after the other for the highest seal.
    Scanning { next: u8, highest: u8 },
    /// Waiting for the answer to a swap of the root.
    Claiming { write: RootWrite },
    /// That swap was refused: about to read who won.
    Refused,
    /// The root is won; the floor is not yet sealed.
    Sealing,
    /// Leading; perhaps waiting for the answer to a renewal.
    Leading { renewal: Option<RootWrite> },
}

/// A leader's hold on one record.
#[derive(Clone, Copy, Debug)]
pub(super) struct Handle {
    pub(super) phase: Phase,
    /// Commits through this handle of which nobody knows whether they landed.
    pub(super) unknown: Commits,
}

/// What a handle is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Closed,
    /// Waiting for the answer to a write.
    Writing(Attempt),
    /// That write was refused: about to read who wrote instead.
    Refused(Attempt),
    /// Sealed, and found vacant: about to look at the floor. With what the outside world relied on
    /// when it was sealed: that is the moment of the read, not when the floor has answered.
    Confirming(Known, Commits),
    /// Open: this is what the leader knows, at a version it sealed or wrote itself.
    Open(Known),
}

/// A write that is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Attempt {
    pub(super) write: Write,
    /// An earlier answer to the very same write was lost.
    pub(super) lost: bool,
    /// What a commit was made on; for a seal, what was read first.
    pub(super) base: Known,
}

/// The state of a record as a leader knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) at: Expected,
    pub(super) created: u8,
    pub(super) unled: bool,
    pub(super) content: Commits,
    pub(super) history: Commits,
}

impl ModelState {
    /// Before anything: no root, no record, nobody campaigns.
    pub(super) fn start(bounds: &Bounds) -> Self {
        Self {
            root: Root {
                seal: None,
                backup: None,
                version: 0,
            },
            records: [Record::ABSENT; MAX_RECORDS + 1],
            leaders: [Leader::IDLE; MAX_LEADERS],
            creators: [Creator::IDLE; MAX_CREATORS],
            network: Vec::new(),
            root_network: Vec::new(),
            budget: Budget {
                lost_answers: bounds.lost_answers,
                root_deletions: bounds.root_deletions,
                root_restores: bounds.root_restores,
                renewals: bounds.renewals,
            },
            promised: Promised {
                refused: Commits::default(),
                landed: Commits::default(),
                led: [Term::default(); MAX_EPOCHS],
            },
        }
    }
}

impl Record {
    const ABSENT: Self = Self {
        body: None,
        version: 0,
        buried: Commits(0),
        relied_on: Commits(0),
        deleted: Commits(0),
        top: Seal::NOBODY,
        opener: Seal::NOBODY,
    };

    /// What the present state of the record stands on.
    pub(super) fn history(&self) -> Commits {
        self.body.map_or(self.buried, |body| body.history)
    }

    /// What a write must expect to replace the present state.
    pub(super) fn at(&self) -> Expected {
        match self.body {
            Some(_) => Expected::Version(self.version),
            None => Expected::Absent,
        }
    }

    /// What a reader learns.
    pub(super) fn known(&self) -> Known {
        Known {
            at: self.at(),
            created: self.body.map_or(0, |body| body.created),
            unled: self.body.is_some_and(|body| body.unled),
            content: self.body.map_or(Commits(0), |body| body.content),
            history: self.history(),
        }
    }
}

impl Root {
    /// What a write must expect to replace the present state.
    pub(super) fn at(&self) -> Expected {
        match self.seal {
            Some(_) => Expected::Version(self.version),
            None => Expected::Absent,
        }
    }
}

impl Leader {
    const IDLE: Self = Self {
        role: Role::Idle,
        seal: Seal::NOBODY,
        sequence: 0,
        root_version: 0,
        seen: 0,
        terms: 0,
        commits: 0,
        deletes: 0,
        handles: [Handle::CLOSED; MAX_HANDLES + 1],
    };
}

impl Handle {
    pub(super) const CLOSED: Self = Self {
        phase: Phase::Closed,
        unknown: Commits(0),
    };
}

impl Seal {
    pub(super) const NOBODY: Self = Self {
        epoch: 0,
        term: Term(0),
    };

    /// Whether a leader with the seal `mine` must stop when it finds this one: the rule of the core
    /// itself.
    pub(super) fn outranks(self, mine: Self) -> bool {
        self.as_core().outranks(mine.as_core())
    }

    fn as_core(self) -> incumbent_core::Seal {
        incumbent_core::Seal {
            epoch: Epoch::new(self.epoch.into()),
            nonce: Nonce::new(self.term.0.into()),
        }
    }
}

impl Term {
    /// The nonce of the `nth` term of a leader, counted from 1.
    pub(super) fn new(leader: usize, nth: u8) -> Self {
        Self(leader as u8 * (MAX_TERMS + 1) + nth)
    }

    /// The leader, and which of its terms.
    pub(super) fn parts(self) -> (usize, u8) {
        ((self.0 / (MAX_TERMS + 1)).into(), self.0 % (MAX_TERMS + 1))
    }
}

impl Commits {
    pub(super) fn is_empty(self) -> bool {
        self.0 == 0
    }

    #[must_use]
    pub(super) fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    #[must_use]
    pub(super) fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    pub(super) fn overlaps(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    pub(super) fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

impl Attempt {
    /// Whether a body was written by this very attempt.
    pub(super) fn wrote(&self, body: &Body) -> bool {
        body.seal == self.write.body.seal && body.sequence == self.write.body.sequence
    }
}
