//! The contract between Incumbent and the place that keeps its records.
//!
//! A backend connects and translates, nothing else: elections, sealing, retries and discovery are
//! written once above it. It must offer four things, which [`Backend`] states in full:
//!
//! - a **linearizable read** of one body;
//! - a **compare-and-swap** of one body, whose outcome is typed ([`Swapped`], [`Failure`]). There
//!   is no other way to write: an unconditional write cannot be expressed;
//! - a **list** of what a group has;
//! - a **watch** that hints that something may have changed. It may lag, repeat, coalesce or fall
//!   silent: no safety and no progress hangs on it, only speed.
//!
//! It may offer two more: **presence**, that a holder is seen to live, and to vanish, which too is
//! a hint; and to **erase** a key at a version, so that nothing is left of it.
//!
//! The crate `incumbent-conformance` checks all of it in three lines.

//! # What all stores share
//!
//! So that each of these is written and tested once: [`hosts`] (the servers in an address),
//! [`hints`] (one watch, many listeners), [`Pace`] (pauses between attempts), [`outage`] (a failure
//! is reported once, and so is its end), [`causes()`] (an error as one line without secrets). Files
//! for TLS are read by `incumbent-tls`.

mod address;
mod causes;
mod contract;
pub mod hints;
pub mod hosts;
pub mod outage;

pub use address::{Address, BadAddress};
pub use causes::{causes, redacted};
pub use contract::{
    Backend, BoxError, Erased, Expected, Failure, Gone, Hint, Limits, Listed, Presence, Reach,
    Rights, Stored, Swapped, Unread, WatchStream,
};
pub use incumbent_core::{BadName, GroupName, Key, Nonce, Pace, RecordName, Version};

/// Random bits for [`Pace`], which draws none itself.
pub fn jitter() -> u64 {
    rand::random()
}
