//! The binary, end to end: real processes on the file backend, killed, stopped and observed.
//!
//! Needs a Linux with a shell, `sleep` and `setsid`. There is one file per theme. `harness.rs`
//! starts processes and ends them, even if the test fails.

#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod cluster;
mod command;
mod counter;
mod dashboards;
mod diagnostics;
mod disk;
mod flink;
mod flink_moves;
mod gateway;
mod harness;
mod kubernetes;
mod look;
mod pages;
mod purge;
mod records;
mod secrets;
mod serve;
mod served;
mod settings;
mod takeover;
mod terminal;
mod warm;
mod watched;
