//! For protocols that are not HTTP: [`TcpGateway`] carries whole connections to the leader.
//!
//! ```text
//!   clients ──► server.rs ──► reach.rs ──────────────► the leader of the present term
//!               limits        connect, or wait         pipe.rs: bytes both ways, until another leads
//! ```
//!
//! The gateway does not understand the bytes, so it repeats nothing, moves no connection, and sends
//! no epoch. A leader that does not know yet that it has been overtaken still answers on the
//! connections that it has. Guards protect against that.

mod gateway;
mod options;
mod pipe;
mod proxy_v2;
mod reach;
mod server;
mod shared;

pub use gateway::{TcpGateway, TcpHandle, TcpStatus, describe_tcp_metrics};
pub use options::{TcpLimits, TcpOptions, TcpTimes};
pub use server::TCP_ACCESS;
