//! Incumbent records in etcd.
//!
//! ```text
//! /incumbent/demo//@root        a key in etcd: the base (the path of the address), a group, and a record
//! /incumbent/demo//@floor       its value is the body as it is; read it with etcdctl
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
//! - **Versions** are `cluster:mod_revision`. Revisions count all writes of a store, so a key that
//!   is removed and created again never gets an old revision back. The first part is the cluster
//!   ID, because restoring an older snapshot does repeat revisions.
//! - **A swap** is one transaction: it compares the `mod_revision` (0 for an absent key) and puts.
//!   **An erasure** compares and deletes.
//! - **A read** is one linearizable range over one key. A **list** is a series of ranges that
//!   return keys only, page by page. **Groups** are found by ranges that skip the rest of each
//!   group once it is known.
//! - **A watch** serves all groups and clones. Each watch begins at the present, with a hint that
//!   anything may have changed. A new one begins after a lost connection, a compaction or a new
//!   token. A server that is cut off from the others reports that, and the watch on it ends.
//! - **A connection** leads to one server at a time. It is made when a call needs it. If it is lost
//!   or silent, or if the server reports that it cannot work now, the backend connects to the next
//!   server. The connection is our own thin layer (`wire.rs`), because a client that reconnects by
//!   itself does not know which requests it sent.
//! - **The messages** are written by hand (`message.rs`), so the build generates no code.
//!
//! # What holds, and what does not
//!
//! - **Servers** from 3.4 on. The tests run on Debian's 3.4.23.
//! - **Outcomes** come from one table (`outcome.rs`), by gRPC code and by etcd's error text. A
//!   request that was not sent, or that was turned away, is `NotApplied`. Silence, a lost
//!   connection, a lost leader and everything the table does not list are `Unknown`. A full store
//!   is `Unknown` too: etcd applies the transaction that uses the last room, and answers as if it
//!   had not.
//! - **A request is sent again** only if it certainly had no effect: it never left this process, or
//!   the server turned it away because of an old token.
//! - **Time**: a call takes at most `timeout`, 5 s by default. If a connection is silent for 40 %
//!   of that, later calls do not use it. While no call is running, the watch's connection is probed
//!   after 10 s of silence and given up after 13 s.
//! - **Hints may be missing.** Servers before 3.4.31 and 3.5.13 lose events of a watch that is far
//!   behind when they compact. Only speed depends on hints.
//! - **Backups**: restoring a snapshot undoes acknowledged writes, and no client can tell which. If
//!   you restore it as another cluster (another `--initial-cluster-token`), swaps that expect a
//!   version from before the restore are conflicts. Otherwise, or with `--force-new-cluster`, or
//!   behind etcd's own gRPC proxy, a version from before the restore may name a body written after
//!   it. In these cases stop all processes that use the store, and restore with `--bump-revision`
//!   and `--mark-compacted` where these options exist.
//! - **Room**: etcd keeps the old values of a key until it compacts them. A lease of 15 s writes
//!   43,000 revisions a day, so set `--auto-compaction-retention`.
//! - **Presence** by etcd leases is not implemented. The liveness endpoint, or the lease in the
//!   root, reveals that a holder has died.
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
//! `link.rs` and `wire.rs`. The reasons for this design are in `docs/design/0009-etcd-backend.md`.

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
