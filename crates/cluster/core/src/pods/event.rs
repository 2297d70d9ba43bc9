//! [`PodsEvent`]: what those who ask for pods learn.

use super::PodSeen;
use crate::demand::Demand;

/// What is learned.
#[derive(Clone, Debug)]
pub enum PodsEvent {
    /// The pods of the cluster are being listed. What is made from now on may not be in the list.
    Listing,
    /// All pods of the cluster, of whichever epoch.
    Listed(Vec<PodSeen>),
    /// They cannot be listed, and why. It is tried again.
    Unlisted(String),
    /// A pod is new, or has changed.
    Seen(Box<PodSeen>),
    /// A pod is gone.
    Gone {
        /// Its name.
        name: String,
        /// Which pod of that name.
        uid: String,
    },
    /// What became of a request for a pod.
    Asked {
        /// Its name.
        name: String,
        /// What became of it.
        outcome: Asked,
    },
    /// What became of a request to delete a pod.
    Deleted {
        /// Its name.
        name: String,
        /// What became of it.
        outcome: Deleted,
    },
    /// What the jobs need has changed.
    Demand(Demand),
    /// Nothing but the time has changed.
    Tick,
}

/// What became of a request for a pod.
#[derive(Clone, Debug)]
pub enum Asked {
    /// It is there: made now, or by an earlier request of the same name.
    Made(Box<PodSeen>),
    /// Something that is not of this cluster has its name.
    Taken,
    /// Kubernetes refused it, and nothing was made; in its own words.
    Refused(String),
    /// It may have been made, or may still be.
    Unknown(String),
}

/// What became of a request to delete a pod.
#[derive(Clone, Debug)]
pub enum Deleted {
    /// It is marked, or gone; or there is another pod of its name.
    Done,
    /// It may not have been done, and why: it is tried again.
    Not(String),
}
