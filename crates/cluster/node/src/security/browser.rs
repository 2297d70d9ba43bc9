//! What a page of somebody else may not do: everything but GET and HEAD.
//!
//! Browsers say where a request comes from, and pages cannot change what they say. Programs other
//! than browsers send neither field. CORS preflights are refused, so a foreign page cannot read
//! what it gets either.

use axum::extract::Request;
use axum::http::header::{HOST, HeaderName, HeaderValue, ORIGIN};
use axum::http::uri::{Authority, Uri};
use axum::http::{HeaderMap, Method};

use crate::api::Problem;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Refuses a request of a foreign page that could change something.
pub(super) fn check(request: &Request) -> Result<(), Problem> {
    if matches!(*request.method(), Method::GET | Method::HEAD) {
        return Ok(());
    }
    let headers = request.headers();
    for site in headers.get_all(SEC_FETCH_SITE) {
        if !matches!(site.as_bytes(), b"same-origin" | b"none") {
            return Err(Problem::foreign_page());
        }
    }
    for origin in headers.get_all(ORIGIN) {
        if !is_ours(origin, request.uri(), headers) {
            return Err(Problem::foreign_page());
        }
    }
    Ok(())
}

/// Whether this is the origin under which the client reaches this node. The scheme is not compared:
/// TLS may end before this node.
fn is_ours(origin: &HeaderValue, target: &Uri, headers: &HeaderMap) -> bool {
    let Some(uri) = origin
        .to_str()
        .ok()
        .and_then(|text| text.parse::<Uri>().ok())
    else {
        return false;
    };
    // `null` is the origin of pages in a sandbox and of files. It parses as a host.
    let (Some(scheme), Some(theirs)) = (uri.scheme_str(), uri.authority()) else {
        return false;
    };
    let named = headers
        .get(HOST)
        .map(|host| Authority::try_from(host.as_bytes()));
    let ours = match (target.authority(), named) {
        (Some(target), _) => target.clone(),
        (None, Some(Ok(named))) => named,
        (None, Some(Err(_)) | None) => return false,
    };
    let usual = match scheme {
        "http" => 80,
        "https" => 443,
        _ => return false,
    };
    let port = |authority: &Authority| authority.port_u16().unwrap_or(usual);
    theirs.host().eq_ignore_ascii_case(ours.host()) && port(theirs) == port(&ours)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;

    fn checked(method: &str, fields: &[(&str, &str)]) -> bool {
        let mut request = Request::builder().method(method).uri("/v1/jobs/x");
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        check(&request.body(Body::empty()).unwrap()).is_ok()
    }

    #[test]
    fn a_foreign_page_changes_nothing() {
        let host = ("host", "localhost:8081");
        for method in ["PUT", "POST", "DELETE", "PATCH", "OPTIONS", "FROBNICATE"] {
            assert!(checked(method, &[host]), "curl says no origin");
            assert!(checked(
                method,
                &[host, ("origin", "http://localhost:8081")]
            ));
            assert!(checked(
                method,
                &[host, ("origin", "https://LOCALHOST:8081")]
            ));
            for origin in [
                "null",
                "http://evil.example",
                "http://localhost",
                "http://localhost:8082",
                "http://evil.example:8081",
                "http://localhost:8081.evil.example",
                "file://localhost:8081",
                "",
            ] {
                assert!(
                    !checked(method, &[host, ("origin", origin)]),
                    "{method} {origin}"
                );
            }
            for site in ["cross-site", "same-site", "Same-Origin", ""] {
                assert!(
                    !checked(method, &[host, ("sec-fetch-site", site)]),
                    "{site}"
                );
            }
            for site in ["same-origin", "none"] {
                assert!(checked(method, &[host, ("sec-fetch-site", site)]), "{site}");
            }
            let twice = [
                host,
                ("origin", "http://localhost:8081"),
                ("origin", "null"),
            ];
            assert!(!checked(method, &twice));
        }
    }

    #[test]
    fn reading_is_not_refused_and_changes_nothing() {
        let foreign = [
            ("host", "localhost"),
            ("origin", "null"),
            ("sec-fetch-site", "cross-site"),
        ];
        assert!(checked("GET", &foreign) && checked("HEAD", &foreign));
    }

    #[test]
    fn the_usual_port_need_not_be_named() {
        assert!(checked(
            "PUT",
            &[("host", "a.example"), ("origin", "https://a.example:443")]
        ));
        assert!(!checked(
            "PUT",
            &[("host", "a.example:80"), ("origin", "https://a.example")]
        ));
    }
}
