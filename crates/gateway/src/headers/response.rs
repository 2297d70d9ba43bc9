//! An answer's fields, as the client gets them.

use http::header::{
    CONNECTION, CONTENT_LENGTH, CONTENT_LOCATION, HeaderMap, HeaderName, HeaderValue, LOCATION,
    TRANSFER_ENCODING, UPGRADE,
};

use super::fields::{is_understood_coding, strip};
use super::owned::is_about_epochs;
use crate::decide::endpoint::Upstream;

/// The answer has a transfer coding other than `chunked`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct UnknownCoding;

/// Turns the fields of an answer into those that the client gets. `own` are all addresses of the
/// leader.
pub(crate) fn response(
    headers: &mut HeaderMap,
    own: &[Upstream],
    upgraded: bool,
) -> Result<(), UnknownCoding> {
    if !is_understood_coding(headers) {
        return Err(UnknownCoding);
    }
    // The chunks count, and not the length beside them.
    if headers.contains_key(TRANSFER_ENCODING) {
        headers.remove(CONTENT_LENGTH);
    }
    // `Alt-Svc` names a way to the leader that bypasses the gateway.
    strip(headers, |name| is_about_epochs(name) || name == "alt-svc");
    relative(headers, LOCATION, own);
    relative(headers, CONTENT_LOCATION, own);
    if upgraded {
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    }
    Ok(())
}

/// Makes an absolute URL relative if it names the leader by an address of its own: the client
/// reaches the leader under another name.
fn relative(headers: &mut HeaderMap, name: HeaderName, own: &[Upstream]) {
    let Some(Ok(text)) = headers.get(&name).map(HeaderValue::to_str) else {
        return;
    };
    let (scheme, rest) = match text.split_once("://") {
        Some((scheme, rest)) if is_http(scheme) => (Some(scheme), rest),
        Some(_) => return,
        None => match text.strip_prefix("//") {
            Some(rest) => (None, rest),
            None => return,
        },
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    if !own.iter().any(|one| one.is_named_by(scheme, authority)) {
        return;
    }
    // Two slashes at the beginning would name a host.
    let path = path.trim_start_matches('/');
    if let Ok(value) = HeaderValue::from_str(&format!("/{path}")) {
        headers.insert(name, value);
    }
}

fn is_http(scheme: &str) -> bool {
    scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https")
}
