//! The wire protocol of ZooKeeper 3.8 and 3.9: frames and messages, encoded and decoded, for
//! servers and for clients.
//!
//! Bytes in, values out, and back; no socket and no state. The protocol is that of Apache
//! ZooKeeper's clients: each frame is a length of four bytes and that many bytes of messages in its
//! serialization, Jute (`zookeeper.jute` in its sources).
//!
//! ```text
//!   client                                            server
//!   ConnectRequest  ────────────────────────────────► the first frame of a connection
//!                   ◄──────────────────────────────── ConnectResponse
//!   RequestHeader + Request ────────────────────────►
//!                   ◄──────────────────────────────── ReplyHeader + Response (none after an error)
//!                   ◄──────────────────────────────── ReplyHeader of xid -1 + WatchEvent, at any time
//! ```
//!
//! Start with [`Request`] and [`Response`]. One file holds one family of messages; [`jute`] is what
//! they are made of.
//!
//! What comes from a peer is never trusted: every length and count is checked against the bytes
//! that are there before anything is allocated for it.

mod acl;
mod code;
mod connect;
mod header;
pub mod jute;
mod multi;
mod op;
mod request;
mod response;
mod stat;
mod watch;

pub use acl::{Acl, Id, perms};
pub use code::Code;
pub use connect::{ConnectRequest, ConnectResponse, PASSWORD_BYTES};
pub use header::{ReplyHeader, RequestHeader, xid};
pub use jute::Malformed;
pub use multi::{MultiResult, ReadResult};
pub use op::Op;
pub use request::{Create, CreateKind, Request, SetWatches};
pub use response::{Data, Response};
pub use stat::Stat;
pub use watch::{AddMode, EventKind, RemoveKind, WatchEvent};
