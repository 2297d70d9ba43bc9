//! [`Event`]: what the machine learns.

use std::time::Duration;

use incumbent::{Epoch, HolderName};

/// What has happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::run::warm) enum Event {
    /// The command runs.
    Started,
    /// It is warm: it may lead.
    Warm,
    Granted(Epoch),
    /// Its endpoints are published, and the term is active.
    Published,
    NotReady,
    /// The term is over, for this reason; the hard deadline comes so soon.
    Lost {
        why: String,
        hard_in: Duration,
    },
    /// Somebody asked to hand over, to this candidate if one is named.
    Asked(Option<HolderName>),
    /// The endpoints are withdrawn.
    Withdrawn,
    /// The command says that it stands by, in answer to what it was told under this number.
    Acknowledged(u64),
    HookEnded {
        is_good: bool,
    },
    /// This signal has stopped the command; it does nothing until it continues.
    Halted(i32),
    Continued,
    /// The command, and all that it had started, has ended. `by_itself`: nobody here asked for it.
    Exited {
        code: u8,
        by_itself: bool,
        pause: Duration,
    },
    /// This program is to end.
    Terminate,
    /// The time has come that [`Machine::next`](super::Machine::next) named.
    Time,
}
