//! Files of the cluster, behind one narrow door.
//!
//! Records are small and swapped; whatever is larger is a file here: artifacts (the programs that
//! jobs run), what tasks store for checkpoints, the tails of the logs of tasks that have ended, and
//! jobs that ended long ago. All nodes of a cluster open the same blobs by the same URL.
//!
//! ```text
//! cluster.json                                            whose they are, the mark of the place
//! place.json                                              the mark, if cluster.json has none
//! artifacts/<sha256>                                      a program or file, named by its digest
//! uploads/<random>                                        uploads that are not finished
//! jobs/<job>/<incarnation>/logs/<attempt>/<rank>/<stream> the last lines of a task that has ended
//! jobs/<job>/<incarnation>/checkpoints/
//!     <attempt>/<number>/<rank>/<file>-<random>           a file of a checkpoint
//!     <attempt>/<number>/manifest-<epoch>-<random>.json   which files a checkpoint has
//!     <attempt>/final/<rank>/<file>-<random>              a file of a rank that has finished
//! savepoints/<savepoint>/
//!     <job>-<incarnation>/<attempt>-<number>/…            the same, of a savepoint
//!     savepoint.json                                      which of them was committed
//! archive/<job>/<incarnation>                             a job that ended long ago, as JSON
//! check-<random>                                          written, read and deleted by a check
//! ```
//!
//! # What holds
//!
//! - **A file is whole or absent.** It gets its name when all of it is on the disk, and a write
//!   that was acknowledged survives a loss of power.
//! - **No name ever holds two contents.** Artifacts are named by their digest, and each file of a
//!   checkpoint draws a name of its own; all other files are created and never replaced, and their
//!   paths carry the incarnation of the job and the number of the attempt. So what an older attempt
//!   writes late overwrites nothing.
//! - **What is read is what was stored.** A manifest has to have the digest that its record holds,
//!   and a file the digest that its manifest holds, or its last part is not handed out.
//! - **Nothing is deleted by guessing.** [`Blobs::tidy`] deletes what no committed checkpoint
//!   names, [`Blobs::remove_job`] and [`Blobs::remove_savepoint`] delete below the name of exactly
//!   one job or savepoint, [`Blobs::sweep`] what is unfinished and old. All of them check first
//!   that the blobs still belong to this cluster. Files under names that are not in the picture
//!   above are left alone, and reported.
//! - **A place that is gone is not an empty one.** If a volume is unmounted or a bucket is emptied
//!   while the cluster runs, nothing is written there, and nothing is reported as missing: both are
//!   [`Error::Unavailable`].
//! - **Two places are not one.** A place gets a random mark when a cluster claims it
//!   ([`Blobs::place`]), so the nodes of a cluster can tell whether they all have the same.
//! - **Every operation ends** within [`OPERATION`], at most [`OPERATIONS`] are under way at once,
//!   and no operation blocks the threads that serve. An upload has at most two parts in memory: of
//!   1 MiB in a directory, of 8 MiB in a bucket.
//!
//! # A bucket
//!
//! `s3://BUCKET/PREFIX` is a bucket of S3, or of what speaks its protocol, that is there already.
//! Nothing about it is in the URL; the environment has it, in the names that other programs use:
//!
//! | variable | what |
//! |---|---|
//! | `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN` | who this process is. Without them: `AWS_WEB_IDENTITY_TOKEN_FILE` with `AWS_ROLE_ARN`, `AWS_CONTAINER_CREDENTIALS_…`, or the machine's own on EC2. `~/.aws` is not read |
//! | `AWS_REGION` | `us-east-1` if not said |
//! | `AWS_ENDPOINT_URL` | where it is, if not at AWS |
//! | `AWS_ALLOW_HTTP=true` | an endpoint without TLS is meant |
//! | `AWS_VIRTUAL_HOSTED_STYLE_REQUEST=true` | the endpoint has the bucket in its name |
//! | `AWS_DISABLE_BULK_DELETE=true` | the store deletes one object at a time only |
//! | `SSL_CERT_FILE` | authorities for the endpoint, if not the system's |
//!
//! More of them are in [`object_store::aws::AmazonS3ConfigKey`].
//!
//! - A write with `If-None-Match: *` has to fail if the object is there: this is tried at start-up.
//! - The library repeats a request that was not answered, or with 5xx, up to three times in ten
//!   seconds. Nothing else is repeated here. A write whose answer was lost is settled by asking
//!   whether the object is there: nobody else can have drawn its name.
//! - Errors hold the status, the code and the innermost cause of an answer, and no more of it: S3
//!   repeats what was signed, with the session token in it.
//! - The parts of an upload that was cut off with its process stay, and are charged for, until a
//!   rule of the bucket aborts them: `AbortIncompleteMultipartUpload`.
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
//! Start reading in `blobs.rs`; `store.rs` is the door to the library behind it, and `names/` has
//! all paths.

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
