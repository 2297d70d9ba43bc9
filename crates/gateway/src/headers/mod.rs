//! What happens to header fields on their way: [`request()`] towards the leader, [`response()`]
//! towards the client. Pure.

pub(crate) mod fields;
mod owned;
mod request;
mod response;
#[cfg(test)]
mod tests;
mod trailers;

pub(crate) use fields::size;
pub(crate) use request::{Asked, Hop, for_node, request};
pub(crate) use response::{UnknownCoding, response};
pub(crate) use trailers::trailers;
