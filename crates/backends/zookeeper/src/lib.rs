//! Incumbent records in ZooKeeper, or in a server that speaks its protocol.
//!
//! ```text
//! /incumbent                              the base: the path of the address
//! /incumbent/demo                         a group
//! /incumbent/demo/@root                   a record; its data is the body as it is, to be read with zkCli
//! /incumbent/demo/@root/life-9f0c…        its life: a child without data, which tells this node from a later one
//! /incumbent/demo/jobs+17                 the record jobs/17
//! /incumbent/demo/@present/9c1e…          a leader's nonce, while it lives; only with `presence=on`
//! ```
//!
//! # How it works
//!
//! - **Versions**: ZooKeeper counts the writes of a node, and restarts at 0 when the node is
//!   removed and created again. So each record has a *life*, a child with a random name, created in
//!   the same transaction. A version is `life:count`, as in `9f0c5a7be1d24430:17`.
//! - **A create** is a transaction of two creates: the record and its life.
//! - **A replacement** is a transaction. It checks that the life exists, and writes the body if the
//!   record's count is the expected one. If the record was removed and created in between, it has
//!   another life.
//! - **A read** sends `sync`, `getData` and `getChildren` together, and uses their answers if both
//!   are about the same creation (`czxid`). A **list** sends `sync`, then asks for the children of
//!   each record; that answer includes the count.
//! - **A node made by hand** has no life. It is read like any other, and its version is
//!   `bare-czxid:count`. The first swap at that version gives it a life, checks that the node is
//!   still the one that the transaction `czxid` created, and then continues as above.
//! - **A watch** is one recursive watch for each group, regardless of the number of listeners. On
//!   servers before 3.6 it is one watch for each node. After each lost connection it reports that
//!   anything may have changed.
//! - **The session** runs on a thread of its own, so heartbeats continue when the application's
//!   runtime is blocked. No record depends on the session. It survives lost connections, and
//!   restarts of a server that keeps its sessions.
//! - **Presence**, if the address enables it: a leader holds an ephemeral node, and others see when
//!   it vanishes; see [`ZooKeeperBackend::open`].
//!
//! # What holds, and what does not
//!
//! - **Servers** from 3.5 on, standalone or an ensemble, and the leader server of this project.
//! - **Outcomes**: a request that the server refuses is `Conflict` or `NotApplied`. Without a
//!   connection nothing is sent, which is `NotApplied` too. If the connection is lost after
//!   sending, or no answer comes, the outcome is `Unknown`, and the request may still take effect
//!   later.
//! - **Time**: a call takes at most half of `session-timeout`.
//! - **Linearizable reads** are only as good as `sync`: an ensemble leader that was deposed and
//!   does not know it yet may answer one (ZOOKEEPER-2136). Swaps do not have that gap, and the
//!   rules of `core` depend on swaps.
//! - **Removing** a record by hand (`deleteall`) is safe. **Copies** are not: if you restore nodes
//!   with their `life-…` children, you restore their versions as well. Leave these children out.
//! - **Room**: ZooKeeper holds all data in memory. A key never goes away by itself, and takes two
//!   nodes.
//!
//! ```no_run
//! use incumbent_backend::{Backend, Expected, Key, Swapped};
//! use incumbent_backend_zookeeper::ZooKeeperBackend;
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let store = ZooKeeperBackend::open(&"zookeeper://zk1:2181,zk2:2181,zk3:2181/incumbent".parse()?)?;
//! let key = Key::root("demo".parse()?);
//! let Swapped::Committed(first) = store.swap(&key, Expected::Absent, b"{}").await? else { panic!("it was empty") };
//! assert_eq!(store.read(&key).await?.map(|found| found.version), Some(first));
//! # Ok(()) }
//! ```
//!
//! Start reading in `write.rs` and `names.rs`, then `read.rs`; the session is in `session.rs` and
//! `keeper.rs`, presence in `presence.rs`. The reasons for this design are in
//! `docs/design/0005-zookeeper-backend.md`.

mod backend;
mod error;
mod feed;
mod keeper;
mod link;
mod names;
mod nodes;
mod presence;
mod read;
mod rights;
mod session;
mod settings;
mod tasks;
mod watch;
mod write;

pub use backend::ZooKeeperBackend;
pub use error::ZooKeeperError;
