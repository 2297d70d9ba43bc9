//! The backend contract as one suite, and [`Unreliable`], the wrapper that loses requests and
//! answers.
//!
//! Any backend runs the suite in three lines, in `tests/conformance.rs` of its crate. Each claim is
//! a test with a name:
//!
//! ```no_run
//! # use incumbent_conformance::Place;
//! # fn my_place() -> Place { unimplemented!() }
//! mod bare { incumbent_conformance::bare!(super::my_place()); }
//! mod unreliable { incumbent_conformance::unreliable!(super::my_place()); }
//! ```
//!
//! A [`Place`] opens handles of one and the same store, each as independent of the others as
//! another process would be. If it can remove a key as a person would ([`Place::remove_by_hand`]),
//! the claims about such keys are checked too. If the expression gives `None`, because a service is
//! absent, the tests report that they are skipped.
//!
//! ```text
//!   claims ──► Place::open ──► Unreliable (second module only) ──► the backend
//!      └─────► Place::open_reliable, to look at the end ───────────────▲
//! ```
//!
//! # What it shows, and what it cannot
//!
//! A passing suite shows that the claims held on one machine for a few hundred calls. It does not
//! kill processes, fill disks or cut networks; the author of a backend tests that separately. The
//! suite itself is tested on backends that are broken on purpose (`tests/it`): the claim that names
//! a flaw catches it.

pub mod calls;
pub mod claims;
mod dice;
mod faults;
mod history;
pub mod log;
pub mod outages;
mod place;
mod settle;
mod suite;
mod unreliable;
mod words;

pub use faults::{Faults, WatchMode};
pub use place::{Handle, Place};
pub use suite::{BARE, Claim, UNRELIABLE, check, check_unreliable};
pub use unreliable::Unreliable;

#[doc(hidden)]
pub use suite::run;
