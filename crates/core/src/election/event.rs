//! [`Event`]: what the driver tells an election.

use crate::root::Root;
use crate::{EndpointName, Epoch, HolderName, Nonce, Seal, Version};

/// Something that happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// The time of `Election::wakeup` has come.
    Tick,
    /// The application wants to lead.
    Campaign,
    /// The application no longer wants to lead. If it leads, it gives up the term.
    Abstain,
    /// The leading application changes what the root says.
    Change {
        /// Names the change in `Action::Changed` and `Action::Refused`.
        ticket: u64,
        /// The change.
        change: Change,
    },
    /// The leading application has stopped its work and gives up the term, in favour of somebody if
    /// named.
    Resign {
        /// The candidate to lead next.
        prefer: Option<HolderName>,
    },
    /// A watch hints that the root may have changed, to this version if known.
    Hint {
        /// The version.
        version: Option<Version>,
    },
    /// The holder of the term with this nonce is proven dead, or taken for it.
    Dead {
        /// The nonce.
        nonce: Nonce,
    },
    /// A seal with this epoch refused a write of this process's present term: the term is over.
    SealSeen {
        /// The epoch.
        epoch: Epoch,
    },
    /// Answer to `Action::ReadRoot`.
    RootRead {
        /// What was found.
        root: Option<(Version, Box<Root>)>,
    },
    /// `Action::ReadRoot` got no answer.
    RootUnread,
    /// Answer to `Action::SwapRoot`.
    RootSwapped(SwapAnswer),
    /// Answer to `Action::ScanSeals`: the highest epoch found on any record of the group.
    SealsScanned {
        /// The epoch, zero if there was no record.
        highest: Epoch,
    },
    /// `Action::ScanSeals` got no answer.
    SealsUnread,
    /// Answer to `Action::SealFloor` for the term with this seal.
    Floor {
        /// The term.
        seal: Seal,
        /// The outcome.
        answer: FloorAnswer,
    },
}

/// What a leader changes in the root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is ready to serve.
    Activate,
    /// An endpoint is at this address.
    Publish(EndpointName, String),
    /// An endpoint is gone.
    Withdraw(EndpointName),
}

/// The outcome of a swap of the root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SwapAnswer {
    /// It happened.
    Committed(Version),
    /// It did not happen: the root is not in the expected state.
    Conflict,
    /// It did not happen, for another reason.
    NotApplied,
    /// Unknown: it may have happened, or may happen later.
    Unknown,
}

/// The outcome of sealing the floor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FloorAnswer {
    /// It carries the term's seal.
    Sealed,
    /// It carries a seal that outranks the term's.
    Fenced(Epoch),
    /// Unknown: the floor was not sealed in time.
    Failed,
}
