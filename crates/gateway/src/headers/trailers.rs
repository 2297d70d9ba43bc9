//! Fields behind a body.

use http::HeaderMap;
use http::header::HeaderName;

use super::fields::is_hop_by_hop;
use super::owned::{Owner, owner};

/// Makes the trailers of a message those that are passed on: without what only the gateway may set,
/// and without what has no meaning there (RFC 9110, 6.5.1). A recipient may merge them with the
/// fields of the head.
pub(crate) fn trailers(trailers: &mut HeaderMap) {
    let dropped: Vec<HeaderName> = trailers
        .keys()
        .filter(|name| !may_pass(name.as_str()))
        .cloned()
        .collect();
    for name in dropped {
        trailers.remove(name);
    }
}

fn may_pass(name: &str) -> bool {
    let is_for_heads = matches!(
        name,
        "authorization"
            | "cache-control"
            | "content-encoding"
            | "content-length"
            | "content-range"
            | "content-type"
            | "cookie"
            | "expect"
            | "host"
            | "max-forwards"
            | "set-cookie"
            | "trailer"
    );
    !is_for_heads && !is_hop_by_hop(name) && owner(name) == Owner::Anybody
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn trailers_say_nothing_that_only_the_gateway_or_a_head_may_say() {
        let mut given = HeaderMap::new();
        for name in [
            "grpc-status",
            "x-sum",
            "server-timing",
            "x-forwarded-for",
            "x_forwarded_for",
            "forwarded",
            "via",
            "incumbent-epoch",
            "incumbent.epoch",
            "client_cert",
            "proxy",
            "content-length",
            "content_length",
            "transfer-encoding",
            "authorization",
            "set-cookie",
            "connection",
        ] {
            given.insert(name, HeaderValue::from_static("1"));
        }
        trailers(&mut given);
        let left: Vec<_> = given.keys().map(HeaderName::as_str).collect();
        assert_eq!(left, ["grpc-status", "x-sum", "server-timing"]);
    }
}
