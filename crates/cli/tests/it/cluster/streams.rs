//! Jobs of `incumbent-stream` on a real cluster, under faults.

mod input;
mod job;
mod storm;
mod upgrade;
