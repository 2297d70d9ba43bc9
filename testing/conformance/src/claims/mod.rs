//! The claims, each a function that panics if it does not hold.
//!
//! Those named for concurrency, history and dropping, and [`list_shows_exactly_what_exists`],
//! settle what is unknown, and so hold on handles that lose calls and answers too.

mod bodies;
mod concurrent;
mod erased;
mod model;
mod names;
mod removed;
mod single;
mod watch;

pub use bodies::*;
pub use concurrent::*;
pub use erased::*;
pub use model::*;
pub use names::*;
pub use removed::*;
pub use single::*;
pub use watch::*;
