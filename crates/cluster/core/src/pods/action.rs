//! [`PodsAction`]: what those who ask for pods want done.

use crate::demand::Supply;
use crate::leader::Story;

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PodsAction {
    /// Ask for a pod of this name. The answer is a [`PodsEvent::Asked`](super::PodsEvent). It may
    /// be asked for again under the same name, which makes it once.
    Ask {
        /// Its name.
        name: String,
    },
    /// Delete this pod, and no other of its name. The answer is a
    /// [`PodsEvent::Deleted`](super::PodsEvent).
    Delete {
        /// Its name.
        name: String,
        /// Which.
        uid: String,
    },
    /// Tell the leader that this TaskManager is to leave, if nothing is in it.
    Retire {
        /// Its name.
        name: String,
    },
    /// Tell the leader what is done.
    Say(Box<Supply>),
    /// Log a line.
    Tell(Story),
}
