//! Fields that are about a connection or about us, and lists in fields.

use http::header::{CONNECTION, HeaderMap, HeaderName};

/// The epoch of the leader that a request is meant for; in an answer with status 421, the epoch
/// that the node has seen.
pub const EPOCH: HeaderName = HeaderName::from_static("incumbent-epoch");

/// In an answer with status 503: the term of this epoch ended while the node worked. The request
/// may have been carried out, and is sent to the next leader only if that does no harm.
pub const TERM_ENDED: HeaderName = HeaderName::from_static("incumbent-term-ended");

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
pub(super) fn strip(headers: &mut HeaderMap, is_dropped: impl Fn(&str) -> bool) {
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
pub(super) fn tokens<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
) -> impl Iterator<Item = &'a str> {
    let lines = headers.get_all(name).iter();
    lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','))
        .map(str::trim)
        .filter(|token| !token.is_empty())
}
