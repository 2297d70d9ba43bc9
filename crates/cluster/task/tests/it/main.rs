//! The crate and the Python file against a small double of the task socket.

#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod contract;
#[allow(dead_code, reason = "its other user needs more of it")]
mod fake;
mod python;
mod queries;
mod sink;
