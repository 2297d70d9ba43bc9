//! An answer's fields, as the client gets them.

use http::header::{
    CONNECTION, CONTENT_LENGTH, CONTENT_LOCATION, HeaderMap, HeaderName, HeaderValue, LOCATION,
    TRANSFER_ENCODING, UPGRADE,
};

use super::fields::strip;
use crate::decide::endpoint::Upstream;

/// Makes the fields of an answer those that the client gets. `own` are all addresses of whoever
/// gave it.
pub(crate) fn response(headers: &mut HeaderMap, own: &[Upstream], upgraded: bool) {
    // Both together are one length too many, and the other one was followed.
    if headers.contains_key(TRANSFER_ENCODING) {
        headers.remove(CONTENT_LENGTH);
    }
    // The latter names another way to the node, which leads past here.
    strip(headers, |name| {
        name.starts_with("incumbent-") || name == "alt-svc"
    });
    relative(headers, LOCATION, own);
    relative(headers, CONTENT_LOCATION, own);
    if upgraded {
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    }
}

/// An absolute URL that names the node by an address of its own becomes relative to wherever the
/// client is. Others stay.
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
    // Two slashes at the beginning would name a host again.
    let path = path.trim_start_matches('/');
    if let Ok(value) = HeaderValue::from_str(&format!("/{path}")) {
        headers.insert(name, value);
    }
}

fn is_http(scheme: &str) -> bool {
    scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https")
}
