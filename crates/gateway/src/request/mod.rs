//! What is known and kept of a request and its client while it is under way.

pub(crate) mod activity;
pub(crate) mod client;
pub(crate) mod report;
pub(crate) mod tape;
