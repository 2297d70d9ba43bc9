//! Tests with real processes that are killed and stopped.

#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod apart;
mod command;
mod ending;
mod left_behind;
mod many;
mod runner_lost;
mod support;
