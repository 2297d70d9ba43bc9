//! The answer on its way to the client: its body, what ends it early, and what follows an upgrade.

pub(crate) mod body;
pub(crate) mod ending;
pub(crate) mod flow;
pub(crate) mod pass_on;
pub(crate) mod room;
pub(crate) mod tunnel;
pub(crate) mod whole;
