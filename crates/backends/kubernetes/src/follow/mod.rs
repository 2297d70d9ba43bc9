//! What happens to objects, as it happens.

pub(crate) mod events;
pub(crate) mod pod;
pub(crate) mod watch;
