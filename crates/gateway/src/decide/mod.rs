//! What is decided about a request. Pure: no clock, no socket, no task.

pub(crate) mod endpoint;
pub(crate) mod problem;
pub(crate) mod repeat;
pub(crate) mod route;
pub(crate) mod slow_start;
