//! Jobs as processes: alone, and against a double of the task socket.
//!
//! A job is this test binary itself, started with `--exact job::runs` and a file that says what it
//! does.

#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

#[allow(dead_code, reason = "its other user needs more of it")]
#[path = "../../../task/tests/it/fake.rs"]
mod fake;
mod gang;
mod job;
mod local;
mod peers;
mod task;
