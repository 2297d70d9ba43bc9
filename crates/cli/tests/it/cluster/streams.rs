//! Jobs of `incumbent-stream` on a real cluster, under faults.

mod clicks;
mod cut;
mod guide;
mod input;
mod job;
mod literal;
mod reference;
mod rows;
mod storm;
mod upgrade;
