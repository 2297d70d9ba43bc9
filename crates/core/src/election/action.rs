//! What an election asks for.

use crate::root::Root;
use crate::{Epoch, HolderName, Seal, Version};

/// Something to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Read the root, and tell `Event::RootRead` or `Event::RootUnread`.
    ReadRoot,
    /// Read the seals of all records of the group, the floor included; tell `Event::SealsScanned`
    /// or `Event::SealsUnread`.
    ScanSeals,
    /// Swap the root, `None` expecting it to be absent; tell `Event::RootSwapped`.
    SwapRoot {
        /// The version to be replaced.
        expected: Option<Version>,
        /// The new body.
        root: Box<Root>,
    },
    /// Seal the floor with this seal; tell `Event::Floor`.
    SealFloor {
        /// The term.
        seal: Seal,
    },
    /// This process leads. Tell the application.
    Granted {
        /// The term.
        seal: Seal,
        /// Why the root could be had.
        vacancy: Vacancy,
    },
    /// This process led and does not any more. Tell the application.
    Lost {
        /// The term.
        seal: Seal,
        /// Why.
        why: LostBecause,
    },
    /// A change is in the root.
    Changed {
        /// The change.
        ticket: u64,
    },
    /// A change will not be made: this process does not lead.
    Refused {
        /// The change.
        ticket: u64,
    },
    /// Somebody asks the leading application to hand over.
    AskedToResign {
        /// Who is to lead next, if named.
        to: Option<HolderName>,
    },
}

/// Why a root could be claimed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Vacancy {
    /// There was no root: the group is new, or its root was deleted.
    Absent,
    /// Its holder gave it up.
    Released,
    /// It did not change for the lease found in it.
    Expired,
    /// Its holder was proven dead.
    ProvenDead,
    /// It was this very process's, from a term that is over.
    Own,
}

/// How a term ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LostBecause {
    /// Somebody else leads, at this epoch.
    Superseded(Epoch),
    /// No renewal was acknowledged until the renew deadline.
    DeadlinePassed,
    /// The root was deleted.
    RootGone,
    /// The application resigned, and the root says so.
    Resigned,
    /// The application resigned; whether the root says so is unknown. If not, others wait for the
    /// lease.
    ResignedUnheard,
}
