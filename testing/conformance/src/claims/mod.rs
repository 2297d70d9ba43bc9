//! The claims. Each is a function that panics if the claim does not hold.
//!
//! The claims named for concurrency, history and dropping, and [`list_shows_exactly_what_exists`],
//! settle unknown outcomes. So they also hold on handles that lose calls and answers.

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
