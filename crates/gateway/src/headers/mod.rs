//! What happens to header fields on their way: [`request()`] towards the leader, [`response()`] towards the client. Pure.

mod request;
mod response;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;

use bytes::Bytes;
use http::header::{CONNECTION, HeaderMap, HeaderName};

pub(crate) use request::{Asked, BadRequest, Hop, for_node, request};
pub(crate) use response::response;

/// The epoch of the leader that a request is meant for; in an answer with status 421, the epoch that the node has seen.
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

/// Fields that are about one connection and never passed on (RFC 9110, 7.6.1), with those that older software uses so.
const HOP_BY_HOP: [HeaderName; 8] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    http::header::PROXY_AUTHENTICATE,
    http::header::PROXY_AUTHORIZATION,
    http::header::TE,
    http::header::TRANSFER_ENCODING,
    http::header::UPGRADE,
];

/// Fields that `Connection` must not take away: without them the next one would read another request.
const NEVER_NAMED: [HeaderName; 3] = [
    http::header::HOST,
    http::header::CONTENT_LENGTH,
    http::header::AUTHORIZATION,
];

/// Takes away what is about the connection, `Connection` itself and what it names included.
fn strip_hop_by_hop(headers: &mut HeaderMap) {
    if headers.contains_key(CONNECTION) {
        let named: Vec<HeaderName> = tokens(headers, &CONNECTION)
            .filter_map(|name| HeaderName::from_bytes(name.as_bytes()).ok())
            .filter(|name| !NEVER_NAMED.contains(name))
            .collect();
        for name in named {
            headers.remove(name);
        }
    }
    for name in &HOP_BY_HOP {
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

/// Takes away the fields whose names begin so.
fn remove_by_prefix(headers: &mut HeaderMap, prefix: &str) {
    let named: Vec<HeaderName> = headers
        .keys()
        .filter(|name| name.as_str().starts_with(prefix))
        .cloned()
        .collect();
    for name in named {
        headers.remove(name);
    }
}
