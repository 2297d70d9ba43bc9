//! `incumbent gateway`, end to end: real clients, real nodes, several networks.
//!
//! The nodes run [`backend`]: this test program itself, started again. `curl` is needed; without
//! it, and without what single tests say, they are skipped aloud.

mod backend;
mod change;
pub(crate) mod front;
mod grpc;
mod hostile;
mod load;
mod networks;
mod overlay;
mod partition;
mod shutdown;
mod tls;
mod websocket;
