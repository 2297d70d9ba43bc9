//! Fields that are about a connection or about us, and lists in fields.

use http::header::{CONNECTION, HeaderMap, HeaderName, HeaderValue, TRANSFER_ENCODING};

/// The epoch of the leader that a request is meant for; in an answer with status 421, the epoch
/// that the node has seen.
pub const EPOCH: HeaderName = HeaderName::from_static("incumbent-epoch");

/// In an answer with status 503: the term of this epoch ended while the node worked. The request
/// may have been carried out; a gateway repeats it only if that is safe.
pub const TERM_ENDED: HeaderName = HeaderName::from_static("incumbent-term-ended");

/// Whether a field is about one connection and never passed on (RFC 9110, 7.6.1), or is used so by
/// older software.
pub(super) fn is_hop_by_hop(name: &str) -> bool {
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

/// Fields that `Connection` must not remove: without them the next node would read another request.
const NEVER_NAMED: [HeaderName; 3] = [
    http::header::HOST,
    http::header::CONTENT_LENGTH,
    http::header::AUTHORIZATION,
];

/// Removes the fields that are about the connection, including `Connection` itself and those that
/// it names, and the fields that `is_dropped` selects.
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
    // One pass over the present fields costs less than a look-up for each that might be there.
    let dropped: Vec<HeaderName> = headers
        .keys()
        .filter(|name| is_hop_by_hop(name.as_str()) || is_dropped(name.as_str()))
        .cloned()
        .collect();
    for name in dropped {
        headers.remove(name);
    }
}

/// Whether the message is framed by `chunked` alone, if it has a transfer coding at all. All other
/// codings are not understood here.
pub(super) fn is_understood_coding(headers: &HeaderMap) -> bool {
    let mut lines = headers.get_all(TRANSFER_ENCODING).iter();
    match (lines.next(), lines.next()) {
        (None, _) => true,
        (Some(line), None) => line
            .as_bytes()
            .trim_ascii()
            .eq_ignore_ascii_case(b"chunked"),
        (Some(_), Some(_)) => false,
    }
}

/// How many bytes these fields take in HTTP/1.1.
pub(crate) fn size(headers: &HeaderMap) -> usize {
    let line = |(name, value): (&HeaderName, &HeaderValue)| {
        name.as_str().len() + ": ".len() + value.len() + "\r\n".len()
    };
    headers.iter().map(line).sum()
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
