//! The contract between Incumbent and the store that keeps its records.
//!
//! A backend only connects and translates: elections, sealing, retries and discovery are written
//! once above it. It must offer four things, which [`Backend`] states in full:
//!
//! - a **linearizable read** of one body;
//! - a **compare-and-swap** of one body, whose outcome is typed ([`Swapped`], [`Failure`]). There
//!   is no other way to write: an unconditional write cannot be expressed;
//! - a **list** of the keys of a group;
//! - a **watch** that hints that something may have changed. It may lag, repeat, coalesce or fall
//!   silent: safety and progress do not depend on it, only speed.
//!
//! It may offer two more: **presence**, which shows that a holder lives and when it vanishes, and
//! is a hint too; and **erasing** a key at a version, so that nothing of it is left.
//!
//! The crate `incumbent-conformance` checks all of this in three lines.

//! # What all stores share
//!
//! Each of these is written and tested once: [`hosts`] (the servers in an address), [`hints`] (one
//! watch, many listeners), [`Pace`] (pauses between attempts), [`outage`] (reports a failure once,
//! and its end once), [`causes()`] (an error as one line without secrets). `incumbent-tls` reads
//! the files for TLS.

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

/// Random bits for [`Pace`], which does not draw any itself.
pub fn jitter() -> u64 {
    rand::random()
}
