//! Incumbent records in etcd.
//!
//! ```text
//! /incumbent/demo//@root        a key of etcd: the base, which is the path of the address, a group, and a record;
//! /incumbent/demo//@floor       its body as it is, to be read with etcdctl
//! /incumbent/demo//jobs/17
//!
//!   swap(jobs/17, at cdf8…:41, body)          cdf8…: which etcd      41: the revision of the write
//!        │
//!        ▼  only if this connection leads to the etcd cdf8…
//!   Txn  if mod_revision(/incumbent/demo//jobs/17) = 41  then put  ──► committed at 57: the version cdf8…:57
//!                                                       else nothing ──► conflict
//! ```
//!
//! # How it works
//!
//! - **Versions** are `cluster:mod_revision`. Revisions count all writes of a store, so none comes
//!   back when a key is removed and created again. The first part is the number of the etcd, since
//!   revisions do come back when an older snapshot is restored.
//! - **A swap** is one transaction: it compares the `mod_revision`, 0 for an absent key, and puts.
//!   **An erasure** compares and deletes.
//! - **A read** is one linearizable range of one key. A **list** is ranges of keys alone, page by
//!   page. **Groups** are found by ranges that jump over what is left of each.
//! - **A watch** is one for all groups and clones. Each one begins at the present, and with a hint
//!   that anything may have changed; so it does after a lost connection, a compaction, another
//!   token. A server that is cut off from the others ends it, by its own word.
//! - **A connection** leads to one server at a time. It is made when it is needed, and left for the
//!   next server's if it is lost, silent, or the server says that it cannot work now. It is our own
//!   thin layer (`wire.rs`), since a client that connects again by itself does not know what it
//!   sent.
//! - **The messages** are written by hand (`message.rs`): there is nothing to generate.
//!
//! # What holds, and what does not
//!
//! - **Servers** from 3.4 on; the tests are on Debian's 3.4.23.
//! - **Outcomes** are by one table (`outcome.rs`), by codes and etcd's words. What was not sent, or
//!   turned away, is `NotApplied`; silence, lost connections, lost leaders, and all that is on no
//!   list are `Unknown`. A full store is `Unknown` too: etcd does the transaction that uses the
//!   last room, and answers as if it had not.
//! - **Sent again** is only what certainly was not done: what never left, and what was turned away
//!   because of an old token.
//! - **Time**: a call takes at most `timeout`, 5 s. A connection that is silent for 40 % of that is
//!   not used for later calls. While nothing is asked, the watch's connection is tried after 10 s
//!   of silence, and given up after 13 s.
//! - **Hints may be missing.** Servers before 3.4.31 and 3.5.13 lose events of a watch that is far
//!   behind when they compact. Nothing hangs on hints but speed.
//! - **Backups**: a snapshot that is put back takes acknowledged writes back, and no client can
//!   know which. If it is restored as another cluster (another `--initial-cluster-token`), swaps of
//!   before it are conflicts. Otherwise, or with `--force-new-cluster`, or behind etcd's own gRPC
//!   proxy, a version of before may name a body of after: stop all processes that use the store,
//!   and restore with `--bump-revision` and `--mark-compacted` where these options exist.
//! - **Room**: etcd keeps what a key was before until it is compacted. A lease of 15 s writes
//!   43,000 revisions a day: have `--auto-compaction-retention` set.
//! - **Presence** by etcd's leases is not there yet: who dies is noticed by the liveness endpoint,
//!   or by the lease in the root.
//!
//! ```no_run
//! use incumbent_backend::{Backend, Expected, Key, Swapped};
//! use incumbent_backend_etcd::EtcdBackend;
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let store = EtcdBackend::open(&"etcd://etcd1:2379,etcd2:2379,etcd3:2379/incumbent".parse()?)?;
//! let key = Key::root("demo".parse()?);
//! let Swapped::Committed(first) = store.swap(&key, Expected::Absent, b"{}").await? else { panic!("it was empty") };
//! assert_eq!(store.read(&key).await?.map(|found| found.version), Some(first));
//! # Ok(()) }
//! ```
//!
//! Start reading in `write.rs` and `read.rs`, then `outcome.rs`; the connection is in `links.rs`,
//! `link.rs` and `wire.rs`. Why it is so: `docs/design/0009-etcd-backend.md`.

mod backend;
mod error;
mod link;
mod links;
mod message;
mod names;
mod outcome;
mod read;
mod settings;
mod watch;
mod wire;
mod write;

pub use backend::EtcdBackend;
pub use error::EtcdError;
