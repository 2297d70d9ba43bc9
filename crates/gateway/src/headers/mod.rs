//! What happens to header fields on their way: [`request()`] towards the leader, [`response()`]
//! towards the client. Pure.

mod request;
mod response;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;

use bytes::Bytes;
use http::header::{CONNECTION, HeaderMap, HeaderName};

pub(crate) use request::{Asked, BadRequest, Hop, for_node, request};
pub(crate) use response::response;

/// The epoch of the leader that a request is meant for; in an answer with status 421, the epoch
/// that the node has seen.
pub const EPOCH: HeaderName = HeaderName::from_static("incumbent-epoch");

/// Where a request came from.
#[derive(Clone, Debug)]
pub struct Peer {
    /// The address that the connection comes from.
    pub address: SocketAddr,
    /// Whether it came over TLS.
    pub tls: bool,
    /// The certificate that the client has proven to own, as DER.
    pub certificate: Option<Bytes>,
}

/// Whether a field is about one connection and never passed on (RFC 9110, 7.6.1); with those that
/// older software uses so.
fn is_hop_by_hop(name: &str) -> bool {
    matches!(
        name,
        "connection"
            | "keep-alive"
            | "proxy-connection"
            | "proxy-authenticate"
            | "proxy-authorization"
            | "te"
            | "transfer-encoding"
            | "upgrade"
    )
}

/// Fields that `Connection` must not take away: without them the next one would read another
/// request.
const NEVER_NAMED: [HeaderName; 3] = [
    http::header::HOST,
    http::header::CONTENT_LENGTH,
    http::header::AUTHORIZATION,
];

/// Takes away what is about the connection, `Connection` itself and what it names included, and
/// what else `is_dropped`.
fn strip(headers: &mut HeaderMap, is_dropped: impl Fn(&str) -> bool) {
    if headers.contains_key(CONNECTION) {
        let named: Vec<HeaderName> = tokens(headers, &CONNECTION)
            .filter_map(|name| HeaderName::from_bytes(name.as_bytes()).ok())
            .filter(|name| !NEVER_NAMED.contains(name))
            .collect();
        for name in named {
            headers.remove(name);
        }
    }
    // Once over what is there costs less than asking for all that might be.
    let dropped: Vec<HeaderName> = headers
        .keys()
        .filter(|name| is_hop_by_hop(name.as_str()) || is_dropped(name.as_str()))
        .cloned()
        .collect();
    for name in dropped {
        headers.remove(name);
    }
}

/// The members of a field that is a list.
fn tokens<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    let lines = headers.get_all(name).iter();
    lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','))
        .map(str::trim)
        .filter(|token| !token.is_empty())
}
