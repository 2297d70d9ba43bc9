//! What happens to header fields on their way: [`request()`] towards the leader, [`response()`]
//! towards the client. Pure.

pub(crate) mod fields;
mod request;
mod response;
#[cfg(test)]
mod tests;

pub(crate) use request::{Asked, Hop, for_node, request};
pub(crate) use response::response;
