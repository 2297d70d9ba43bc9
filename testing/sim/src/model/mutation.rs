//! [`Mutation`]: a rule of the protocol left out, so that a test sees the promise it was made for break.

use std::fmt;

/// A rule left out, or [`Mutation::None`] for the protocol as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mutation {
    /// The protocol as it is.
    None,
    /// Commits replace whatever is there, at any version.
    UnconditionalWrite,
    /// Seals replace whatever is there, at any version.
    UnconditionalSeal,
    /// The root is won by writing it, at any version.
    UnconditionalRoot,
    /// A lost root is created anew at epoch 1: no look at the seals, no floor.
    EpochReused,
    /// Terms are told apart by their epoch only, never by their nonce.
    NoNonce,
    /// A record is opened by reading it.
    ReadWithoutSeal,
    /// The state is what was read first, not what the successful swap was made on.
    ReadBeforeSeal,
    /// A record is sealed again although a higher seal was read on it.
    OpenIgnoresSeal,
    /// After a conflict the version is read again and the own value written there, under any seal.
    CommitFromForeignVersion,
    /// A vacant record is open once it is sealed: nobody looks at the floor. Harmless as long as no
    /// record is erased.
    VacantUnconfirmed,
    /// A record is erased at any version.
    UnconditionalErase,
    /// A deleted record leaves a tombstone that bears no seal.
    TombstoneWithoutSeal,
    /// A leader counts as leading as soon as it has won the root.
    NoFloor,
    /// A leader that finds its own root by reading leads on, without a look at the floor.
    OwnRootBelieved,
    /// An absent root is created without a look at the seals. Harmless: the floor alone keeps
    /// epochs apart, and a candidate that it fences knows how high to go next time. So the look
    /// only saves that detour.
    NoScan,
    /// A commit without an answer is reported as not applied.
    UnknownTakenAsNotApplied,
    /// A commit refused after a lost answer is reported as not applied, without looking who wrote.
    OwnWriteTakenAsForeign,
    /// A commit refused after a lost answer, with another write in its place, is reported as not
    /// applied.
    RefusalTakenAsNotApplied,
    /// A commit without an answer is sent again as a new one, on what is read then.
    RetryWithoutRecognition,
    /// A record that bears the own seal is opened by reading it.
    ReopenWithoutReseal,
    /// Every write of the own term is taken for the very attempt that is in doubt.
    SequenceNotCompared,
    /// A creation replaces whatever is there.
    UnconditionalCreate,
    /// A creation replaces a tombstone.
    CreatedOverTombstone,
    /// A creator that finds data takes them for its own.
    CreationNotRecognized,
    /// Seals and commits do not keep the number of the creation.
    CreationForgotten,
    /// A creation without an answer is reported as not made.
    CreationTakenAsNotApplied,
    /// A record that no leader has written is open once it is sealed: nobody looks at the floor.
    /// Harmless as long as no record is erased.
    UnledUnconfirmed,
    /// Sealing a created record hides that no leader has written it. Shows with three leaders only,
    /// because the first that looks at it knows.
    UnledForgotten,
}

impl Mutation {
    /// Every rule left out in turn, without [`Mutation::None`], the harmless [`Mutation::NoScan`],
    /// and [`Mutation::UnledForgotten`], which needs a larger world.
    pub const ALL: [Self; 26] = [
        Self::UnconditionalWrite,
        Self::UnconditionalSeal,
        Self::UnconditionalRoot,
        Self::EpochReused,
        Self::NoNonce,
        Self::ReadWithoutSeal,
        Self::ReadBeforeSeal,
        Self::OpenIgnoresSeal,
        Self::CommitFromForeignVersion,
        Self::VacantUnconfirmed,
        Self::UnconditionalErase,
        Self::TombstoneWithoutSeal,
        Self::NoFloor,
        Self::OwnRootBelieved,
        Self::UnknownTakenAsNotApplied,
        Self::OwnWriteTakenAsForeign,
        Self::RefusalTakenAsNotApplied,
        Self::RetryWithoutRecognition,
        Self::ReopenWithoutReseal,
        Self::SequenceNotCompared,
        Self::UnconditionalCreate,
        Self::CreatedOverTombstone,
        Self::CreationNotRecognized,
        Self::CreationForgotten,
        Self::CreationTakenAsNotApplied,
        Self::UnledUnconfirmed,
    ];

    /// The rule that is left out, as the module documentation states it.
    pub fn rule(self) -> &'static str {
        match self {
            Self::None => "no rule is left out",
            Self::UnconditionalWrite | Self::UnconditionalSeal => {
                "1: a record is written only by compare-and-swap"
            }
            Self::UnconditionalRoot => "2: one compare-and-swap of the root wins a term",
            Self::EpochReused | Self::NoScan => {
                "5: after the loss of the root, epochs start above every seal"
            }
            Self::NoNonce => "3: a seal is an epoch and the nonce of its term",
            Self::ReadWithoutSeal => "3: seal before reading",
            Self::ReadBeforeSeal => "3: the state is what the successful seal was made on",
            Self::OpenIgnoresSeal => "4: a higher seal means fenced",
            Self::CommitFromForeignVersion => {
                "4: write only from a version this leader sealed or wrote"
            }
            Self::VacantUnconfirmed => "5: the floor says whether a vacant record is open",
            Self::UnconditionalErase => "5: a record is erased at a version",
            Self::TombstoneWithoutSeal => "5: a tombstone keeps the seal",
            Self::NoFloor => "5: a leader seals the floor before it counts as one",
            Self::OwnRootBelieved => "5: a leader that finds its root put back looks at the floor",
            Self::UnknownTakenAsNotApplied => "6: no answer means unknown",
            Self::OwnWriteTakenAsForeign => "6: a refused swap may itself have landed before",
            Self::RefusalTakenAsNotApplied => "6: a swap refused after a lost answer stays unknown",
            Self::RetryWithoutRecognition => "6: an unknown swap is repeated as the same swap",
            Self::ReopenWithoutReseal => "6: after an unknown outcome a record is sealed again",
            Self::SequenceNotCompared => "6: every attempt has its own sequence number",
            Self::UnconditionalCreate => "7: a creation replaces nothing",
            Self::CreatedOverTombstone => "7: a creation replaces nothing, not even a tombstone",
            Self::CreationNotRecognized => "7: a creator looks whose creation it finds",
            Self::CreationForgotten => "7: a record keeps the number of its creation",
            Self::CreationTakenAsNotApplied => "7: no answer to a creation means unknown",
            Self::UnledUnconfirmed | Self::UnledForgotten => {
                "7: the floor says whether a created record is open"
            }
        }
    }
}

impl fmt::Display for Mutation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}
