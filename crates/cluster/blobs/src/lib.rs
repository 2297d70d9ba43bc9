//! Files of the cluster, behind one narrow door.
//!
//! Records are small and swapped; whatever is larger is a file here: artifacts (the programs that
//! jobs run), the tails of the logs of tasks that have ended, and jobs that ended long ago. All
//! nodes of a cluster open the same blobs by the same URL.
//!
//! ```text
//! cluster.json                                            which cluster these blobs belong to
//! artifacts/<sha256>                                      a program or file, named by its digest
//! uploads/<random>                                        uploads that are not finished
//! jobs/<job>/<incarnation>/logs/<attempt>/<rank>/<stream> the last lines of a task that has ended
//! archive/<job>/<incarnation>                             a job that ended long ago, as JSON
//! check-<random>                                          written, read and deleted by a check
//! ```
//!
//! # What holds
//!
//! - **A file is whole or absent.** It gets its name when all of it is on the disk, and a write
//!   that was acknowledged survives a loss of power.
//! - **No name ever holds two contents.** Artifacts are named by their digest; all other files are
//!   created and never replaced, and their paths carry the incarnation of the job and the number of
//!   the attempt. So what an older attempt writes late overwrites nothing.
//! - **Nothing is deleted by guessing.** [`Blobs::remove_job`] deletes below the name of exactly
//!   one job, after it has checked that the blobs still belong to this cluster. Files under names
//!   that are not in the picture above are left alone.
//! - **A directory that is gone is not an empty one.** If a volume is unmounted while the cluster
//!   runs, nothing is written to its mount point, and nothing is reported as missing: both are
//!   [`Error::Unavailable`].
//! - **Every operation ends** within [`OPERATION`], at most [`OPERATIONS`] are under way at once,
//!   and no operation blocks the threads that serve. Nothing is retried here.
//!
//! ```
//! use futures::stream;
//! use incumbent_cluster_blobs::{Blobs, Digest};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let blobs = Blobs::open("memory:").await?;
//! blobs.belongs_to("5f0c2a").await?;
//! let program = stream::iter([Ok::<_, std::io::Error>("#!/bin/sh\n".into()), Ok("echo hello\n".into())]);
//! let artifact = blobs.put_artifact(program, None).await?;
//! assert_eq!(artifact.digest, Digest::of(b"#!/bin/sh\necho hello\n"));
//!
//! # let dir = tempfile::tempdir()?; let cache = dir.path();
//! blobs.fetch_artifact(artifact.digest, &cache.join("hello")).await?;
//! assert_eq!(std::fs::read_to_string(cache.join("hello"))?, "#!/bin/sh\necho hello\n");
//! # Ok(()) }
//! ```
//!
//! Start reading in `blobs.rs`; `store.rs` is the door to the library behind it.

mod answer;
mod archive;
mod artifact;
mod blobs;
mod checkpoint;
mod digest;
mod error;
mod fetch;
mod leftovers;
mod listing;
mod log_tail;
mod manifest;
mod names;
mod page;
mod parts;
mod place;
mod presence;
mod remove;
mod restore;
mod s3;
mod savepoint;
mod store;
mod tidy;
mod upload;

pub use archive::{ArchivedJob, MAX_ARCHIVED_JOB};
pub use artifact::{Artifact, MAX_ARTIFACT};
pub use blobs::Blobs;
pub use checkpoint::MAX_CHECKPOINT_FILE;
pub use digest::{BadDigest, Digest};
pub use error::{BoxError, Error};
pub use leftovers::{LEFTOVER_AGE, Leftovers};
pub use log_tail::{LogTail, MAX_LOG_TAIL};
pub use page::{MAX_PAGE, Page};
pub use remove::Removed;
pub use savepoint::{ListedSavepoint, MarkedSavepoint, SAVEPOINT_FORMAT};
pub use store::{OPERATION, OPERATIONS, Written};
pub use tidy::{MOST_DELETED, Tidied};
