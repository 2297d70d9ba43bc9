//! [`ClusterMode`] and [`ClusterMutation`]: which faults there are, and which rule is left out.

use clap::ValueEnum;

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
    /// As `everything`, and every job checkpoints: tasks are late, never acknowledge, and exit
    /// where they should not; blobs lose answers and are out; owners stop, resume and rescale.
    Checkpoints,
}

impl ClusterMode {
    /// Every mode.
    pub const ALL: [Self; 7] = [
        Self::Calm,
        Self::JobManagers,
        Self::TaskManagers,
        Self::Network,
        Self::Everything,
        Self::Verdicts,
        Self::Checkpoints,
    ];

    /// Whether no task may ever notice anything but the wishes of its owner.
    pub(super) fn spares_tasks(self) -> bool {
        matches!(self, Self::Calm | Self::JobManagers)
    }
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
    /// A leader says that a checkpoint is committed before the store has confirmed the swap (R12).
    CommittedBeforeSwap,
    /// The tasks of an attempt are ended before the store has confirmed that it has ended (R3, R5).
    KillBeforeSwap,
    /// Numbers of checkpoints that TaskManagers have seen are used again, and so are the names of
    /// files (R12).
    NumbersAgain,
    /// What a rank of an older attempt has acknowledged counts for the present one (R12).
    OlderAcksCount,
    /// A checkpoint is committed though a rank has not acknowledged it (R12).
    RankMissing,
    /// A new leader does not say again what an earlier one has committed (R10, R12).
    CommittedNotRepeated,
    /// An attempt starts from another checkpoint than the newest (R12).
    RestoreOlder,
    /// A job is suspended, or finished, when its last checkpoint is committed, and not when what is
    /// staged is published (R5).
    ClosedUnpublished,
    /// Exit 0 of a rank finishes a job that checkpoints (R6).
    ExitFinishes,
    /// The janitor goes by the numbers in paths and does not read the manifests (R15).
    JanitorByListing,
    /// The janitor takes all that is not listed, also what is newer than the list (R15).
    JanitorTakesNewer,
    /// The janitor never deletes anything.
    JanitorIdle,
    /// A savepoint is removed though another job starts from it, or its own job (R15).
    RemovedInUse,
    /// Tasks publish what they have staged when it is acknowledged, and do not wait for the commit
    /// (R13).
    PublishedWhenAcked,
    /// Tasks forget what they had staged for a checkpoint that was skipped (R13).
    SkippedForgotten,
}

impl ClusterMutation {
    /// Every rule left out in turn; without [`ClusterMutation::None`].
    pub const ALL: [Self; 22] = [
        Self::CountFromReceipt,
        Self::AdoptInHaste,
        Self::AcknowledgeWithoutGuard,
        Self::ActBeforeSwap,
        Self::UnknownIsNotApplied,
        Self::GuardsHoldNothing,
        Self::SilenceBeforeGrant,
        Self::CommittedBeforeSwap,
        Self::KillBeforeSwap,
        Self::NumbersAgain,
        Self::OlderAcksCount,
        Self::RankMissing,
        Self::CommittedNotRepeated,
        Self::RestoreOlder,
        Self::ClosedUnpublished,
        Self::ExitFinishes,
        Self::JanitorByListing,
        Self::JanitorTakesNewer,
        Self::JanitorIdle,
        Self::RemovedInUse,
        Self::PublishedWhenAcked,
        Self::SkippedForgotten,
    ];
}
