//! [`Action`]: what the machine wants done.

use std::time::Duration;

use incumbent::HolderName;

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::run::warm) enum Action {
    /// Start the command.
    Start,
    Campaign,
    EndCampaign,
    /// The guard kills the command at the deadlines of this term, from now on.
    Bind(u64),
    /// The guard knows no deadline any more.
    Free(u64),
    Tell(Tell),
    Signal(Which),
    /// Run the hook, under the deadlines of the term.
    Hook(Which),
    EndHook,
    /// Wait until the command is ready, publish its endpoints, activate the term.
    Publish,
    Withdraw,
    /// SIGTERM, and SIGKILL after the time to stop.
    Stop,
    /// End the command at once. An application that is not ours is no longer waited for.
    Kill(Because),
    /// Give up the term.
    Resign(Option<HolderName>),
    /// End with this code.
    Exit(u8),
}

/// Why a command is not waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::run::warm) enum Because {
    /// It was told to stand by, and has not acknowledged it in time.
    Unacknowledged,
    /// This program was asked to end a second time.
    AskedAgain,
}

/// What the command is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::run::warm) enum Tell {
    Standby(u64),
    Leader(u64),
    SteppingDown {
        number: u64,
        until: Duration,
        why: String,
    },
}

/// For which change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::run::warm) enum Which {
    Lead,
    Standby,
}
