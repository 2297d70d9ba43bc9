//! The status server: `/metrics`, `/healthz`, `/readyz` and `/leaderz` of a node, a gateway or a
//! leader server. Nodes of a cluster serve the metrics themselves: [`recorder`].

mod descriptions;
mod node;
mod server;

pub(crate) use node::node;
pub(crate) use server::{OF_NODE, Readiness, StatusServer, USUAL, recorder, start};
