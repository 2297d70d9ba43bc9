//! The wire protocol of ZooKeeper 3.8 and 3.9: encodes and decodes frames and messages, for servers
//! and clients.
//!
//! It has no socket and no state. Each frame is a length of four bytes, and that many bytes of
//! messages in ZooKeeper's serialization, Jute (`zookeeper.jute` in its sources).
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
//! Start with [`Request`] and [`Response`]. One file holds one family of messages. [`jute`] has the
//! primitives.
//!
//! No input is trusted: every length and count is checked against the bytes that are there before
//! anything is allocated for it.

mod acl;
mod code;
mod connect;
mod data;
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
pub use data::Data;
pub use header::{ReplyHeader, RequestHeader, xid};
pub use jute::Malformed;
pub use multi::{MultiResult, ReadResult};
pub use op::Op;
pub use request::{Create, CreateKind, Request, SetWatches};
pub use response::Response;
pub use stat::Stat;
pub use watch::{AddMode, EventKind, RemoveKind, WatchEvent};
