//! What happens to objects, as it happens.
//!
//! ```text
//! watch.rs    one watch for all groups -> hints
//! pod.rs      the leader's pod -> a proof of its end
//! events.rs   the text of a watch -> events;  pauses.rs   before a watch starts again
//! ```

pub(crate) mod events;
mod pauses;
pub(crate) mod pod;
pub(crate) mod watch;
