//! `incumbent gateway`, end to end: real clients, real nodes, several networks.
//!
//! The nodes run [`backend`]: this test program itself, started again. The tests need `curl`, and
//! some need more. Without these programs they are skipped with a message.

mod backend;
mod change;
pub(crate) mod front;
mod grpc;
mod hostile;
mod load;
pub(crate) mod networks;
mod overlay;
mod partition;
mod shutdown;
pub(crate) mod tls;
mod websocket;
