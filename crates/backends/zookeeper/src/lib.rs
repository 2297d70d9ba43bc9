//! Incumbent records in ZooKeeper, or in a server that speaks its protocol.
//!
//! ```text
//! /incumbent                              the base: the path of the address
//! /incumbent/demo                         a group
//! /incumbent/demo/@root                   a record: its body, as it is, to be read with zkCli
//! /incumbent/demo/@root/life-9f0c…        its life: a child without a body, which tells this node from a later one
//! /incumbent/demo/jobs+17                 the record jobs/17
//! /incumbent/demo/@present/9c1e…          a leader's nonce, while it lives; only with `presence=on`
//! ```
//!
//! # How it works
//!
//! - **Versions**: ZooKeeper counts the writes of a node, and begins at 0 again when it is removed
//!   and created. So each record has a *life*, a child with a random name, created in the same
//!   transaction. A version is `life:count`, as in `9f0c5a7be1d24430:17`.
//! - **A create** is a transaction of two creates: the record and its life.
//! - **A replacement** is a transaction: the life exists, and the record's count is this; then its
//!   body is that. A record that was removed and created in between has another life.
//! - **A read** sends `sync`, `getData` and `getChildren` at once and takes their answers if they
//!   are about the same creation (`czxid`). A **list** sends `sync`, and asks for the children of
//!   each record, whose answer has the count with it.
//! - **A node made by hand** has no life. It is read as any other; its version is
//!   `bare-czxid:count`. The first swap at that version gives it a life, makes sure that it is
//!   still what that transaction created, and goes on as above.
//! - **A watch** is one recursive watch for each group, however many listen, and on servers before
//!   3.6 one watch for each node. After each loss of the connection it says that anything may have
//!   changed.
//! - **The session** has a thread of its own, so that heartbeats go on when the application's
//!   runtime is blocked. No record hangs on it. It goes on over lost connections, and over restarts
//!   of a server that keeps its sessions.
//! - **Presence**, if the address wants it: a leader's ephemeral node, which others see go; see
//!   [`ZooKeeperBackend::open`].
//!
//! # What holds, and what does not
//!
//! - **Servers** from 3.5 on, standalone or an ensemble, and the leader server of this project.
//! - **Outcomes**: what the server refuses is `Conflict` or `NotApplied`. Without a connection
//!   nothing is sent, which is `NotApplied` too. If the connection is lost, or no answer comes,
//!   after it was sent: `Unknown`, and it may happen later still.
//! - **Time**: a call takes at most half of `session-timeout`.
//! - **Linearizable reads** are as good as `sync`: a leader of the ensemble that was deposed and
//!   does not know it yet may answer one (ZOOKEEPER-2136). Swaps do not have that gap, and the
//!   rules of `core` rest on swaps.
//! - **Removal by hand** (`deleteall`) of a record is safe. **Copies** are not: if you restore
//!   nodes with their `life-…` children, you restore their versions as well. Leave these children
//!   out.
//! - **Room**: ZooKeeper holds all in memory. A key never goes away by itself, and is two nodes.
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
//! `keeper.rs`, presence in `presence.rs`. Why it is so: `docs/design/0005-zookeeper-backend.md`.

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
