//! A write-ahead log of opaque bytes, with snapshots.
//!
//! A server that keeps its state in memory appends every change here before it acknowledges it, and
//! writes a snapshot of the state now and then. After a crash it gets back the newest snapshot and
//! the entries after it. One process at a time has the directory open.
//!
//! ```text
//!  append ─► waiting ─► writer: write, sync ─► durable        one thread; entries appended in between are the next batch
//!                          │
//!                          ▼
//!  log-…01  log-…02  log-…03        snapshot-…0a  snapshot-…1f        lock
//! ```
//!
//! What was published as durable survives `kill -9` and a loss of power. The last write before a
//! crash may be torn: it was not acknowledged, so it is removed and reported. Anything else that
//! does not check is an error that names the file and the place. Nothing is guessed.
//!
//! ```
//! use incumbent_journal::{Found, Journal, Options};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let dir = tempfile::tempdir()?;
//! # let dir = dir.path();
//! # let options = || Options { segment_bytes: 1 << 20, buffer_bytes: 1 << 18, ..Options::default() };
//! let found = Journal::open(dir, options(), |_| Ok(()))?;
//! found.journal.append(1, b"one")?;
//! found.journal.append(2, b"two")?;
//! found.journal.wait_durable(2).await?;
//! found.journal.snapshot(1, |out| out.write_all(b"the state after 1"))?.done().await?;
//! found.journal.close().await?;
//!
//! let mut seen = Vec::new();
//! Journal::open(dir, options(), |found| {
//!     match found {
//!         Found::Snapshot { index, bytes } => seen.push((index, bytes.to_vec())),
//!         Found::Entry { index, bytes } => seen.push((index, bytes.to_vec())),
//!     }
//!     Ok(())
//! })?;
//! assert_eq!(seen, [(1, b"the state after 1".to_vec()), (2, b"two".to_vec())]);
//! # Ok(()) }
//! ```
//!
//! Start reading in `format/sector.rs` and `format/scan.rs`, which tell torn from damaged;
//! then `log.rs` and `recover.rs`. The reasons are in `docs/design/0006-journal.md`.

mod disk;
mod error;
mod files;
mod format;
mod found;
mod journal;
mod kept;
mod lock;
mod log;
mod open;
mod options;
mod reading;
mod recover;
mod running;
mod segment;
mod shared;
mod snapshot;
mod syncs;
#[cfg(test)]
mod tests;
mod writer;

pub use error::{AppendError, BoxError, Failure, OpenError, SnapshotError};
pub use found::{Amount, Found, Torn};
pub use journal::Journal;
pub use open::Recovered;
pub use options::Options;
pub use running::SnapshotTask;
pub use shared::Durable;
pub use syncs::SyncTimes;
