//! For protocols that are not HTTP: [`TcpGateway`] carries whole connections to the leader.
//!
//! ```text
//!   clients ──► server.rs ──► reach.rs ──────────────► the leader of the present term
//!               limits        connect, or wait         pipe.rs: bytes both ways, until another leads
//! ```
//!
//! What is not known about the bytes cannot be promised: nothing is repeated, no connection is
//! moved, and no epoch is sent. A leader that does not know yet that it has been overtaken answers
//! on the connections that it has; guards are for that.

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
