//! Flink's REST API, the part that its own command line and dashboard use, served by any node.
//!
//! ```text
//!   /jobs/overview      ─┐                     ┌─ overview jobs job plan exceptions vertices
//!   /v1/jobs/overview   ─┤ which.rs: whose is  │  checkpoints metrics taskmanagers jobmanager
//!   PATCH /v1/jobs/{id} ─┤ a path below /v1    │  (pure: our views to Flink's bodies)
//!                        └──► a handler ──► ask.rs ──► this node's own /v1, in process
//!   GET /v1/jobs/{id}   ────────────────────────────► /v1
//! ```
//!
//! It knows nothing but what `/v1` says, so it is held while nobody leads, and refused to those who
//! may not ask, as `/v1` is; [`with_refusals`] says that in Flink's form. It keeps nothing: a
//! trigger *is* the savepoint that it makes, so any node can say what became of it.
//! `docs/design/0016-flink-rest.md` has the tables: which state of ours is which of Flink's, and
//! what differs.
//!
//! # Limits
//!
//! | what | limit | when it is reached |
//! |---|---|---|
//! | an answer of `/v1` that is turned into one of Flink's | [`LARGEST_ANSWER`] | 502 |
//! | jobs in a list | [`MOST_JOBS`], the newest | the rest is left out |
//! | body of a request, but for uploads | [`LARGEST_BODY`] | 413 |
//! | metrics that are named at a time | [`MOST_METRICS`] | 400 |
//! | upload of a program | 1 GiB, [`MOST_UPLOADS`] at a time | 413, 503 |
//! | uploads that a node lists | [`MOST_LISTED`], the newest | older ones still run by their id |

mod applications;
mod ask;
mod checkpoints;
mod errors;
mod exceptions;
mod jars;
mod java;
mod job;
mod jobmanager;
mod jobs;
mod logs;
mod metrics;
mod multipart;
mod overview;
mod plan;
mod resources;
mod routes;
mod savepoints;
mod state;
mod taskmanagers;
#[cfg(test)]
mod tests;
mod times;
mod vertices;
mod which;

pub use ask::{LARGEST_ANSWER, LARGEST_BODY};
pub use jars::{MOST_LISTED, MOST_UPLOADS};
pub use jobs::MOST_JOBS;
pub use metrics::MOST_METRICS;
pub use routes::{routes, with_refusals};

/// What `flink-version` says. Flink's tools show it and compare it with nothing.
pub const VERSION: &str = concat!("Incumbent ", env!("CARGO_PKG_VERSION"));
