//! What is done with objects: one file for each kind of request.

pub(crate) mod delete;
pub(crate) mod patch;
pub(crate) mod quota;
pub(crate) mod read;
pub(crate) mod watch;
pub(crate) mod write;
