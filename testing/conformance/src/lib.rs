//! The backend contract as one suite, and [`Unreliable`], the wrapper that loses requests and
//! answers.
//!
//! Any backend runs it in three lines, as `tests/conformance.rs` of its crate; each claim is a test
//! with a name:
//!
//! ```no_run
//! # use incumbent_conformance::Place;
//! # fn my_place() -> Place { unimplemented!() }
//! mod bare { incumbent_conformance::bare!(super::my_place()); }
//! mod unreliable { incumbent_conformance::unreliable!(super::my_place()); }
//! ```
//!
//! A [`Place`] says how to open handles of one and the same store, each as independent of the
//! others as another process would be. If it says how a person removes a key
//! ([`Place::remove_by_hand`]), what must hold of such keys is checked too. If the expression gives
//! `None`, because a service is absent, the tests say that they are skipped.
//!
//! ```text
//!   claims ──► Place::open ──► Unreliable (second module only) ──► the backend
//!      └─────► Place::open_reliable, to look at the end ───────────────▲
//! ```
//!
//! # What it shows, and what it cannot
//!
//! A passing suite shows that the claims held on one machine for some hundred calls. It does not
//! kill processes, fill disks or cut networks; the author of a backend tests that separately. The
//! suite itself is tested on backends that are broken on purpose (`tests/it`): each flaw is caught
//! by the claim that names it.

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
