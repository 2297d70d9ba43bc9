//! [`Action`]: what an election asks its driver to do.

use crate::root::Root;
use crate::{Epoch, HolderName, Seal, Version};

/// What the driver has to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Read the root; answer with `Event::RootRead` or `Event::RootUnread`.
    ReadRoot,
    /// Read the seals of all records of the group, the floor included; answer with
    /// `Event::SealsScanned` or `Event::SealsUnread`.
    ScanSeals,
    /// Swap the root; answer with `Event::RootSwapped`. `None` expects the root to be absent.
    SwapRoot {
        /// The version to be replaced.
        expected: Option<Version>,
        /// The new body.
        root: Box<Root>,
    },
    /// Seal the floor with this seal; answer with `Event::Floor`. A later one replaces an earlier
    /// one.
    SealFloor {
        /// The term.
        seal: Seal,
    },
    /// This process leads: the application may begin.
    Granted {
        /// The term.
        seal: Seal,
        /// Why the root could be claimed.
        vacancy: Vacancy,
    },
    /// This process does not lead any more: the application must stop.
    Lost {
        /// The term.
        seal: Seal,
        /// Why the term ended.
        why: LostBecause,
    },
    /// A change that the application asked for is in the root.
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
    /// Its holder was this process, in a term that is over.
    Own,
}

/// How a term ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LostBecause {
    /// Another leader has this epoch.
    Superseded(Epoch),
    /// No renewal was acknowledged before the renew deadline.
    DeadlinePassed,
    /// The root was deleted.
    RootGone,
    /// The application resigned, and the root says so.
    Resigned,
    /// The application resigned, and it is unknown whether the root says so. If not, others wait
    /// for the lease.
    ResignedUnheard,
}
