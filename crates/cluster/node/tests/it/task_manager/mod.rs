//! A TaskManager as a process, with real tasks, under a leader that does what the tests say.

mod artifacts;
mod contract;
mod draining;
mod ending;
mod harness;
mod http;
mod isolation;
mod leaders;
mod logs;
mod starting;
