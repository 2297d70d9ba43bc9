//! A task's own HTTP, passed on: the request loses what is ours, the answer what would be taken for
//! ours.
//!
//! The page of a task comes from the same origin as `/v1`. So it gets an origin of its own by
//! `Content-Security-Policy: sandbox`: whatever it sends to `/v1` says `Origin: null`, and is
//! refused.

use axum::http::Version;
use axum::http::header::{
    ALT_SVC, AUTHORIZATION, CONNECTION, CONTENT_SECURITY_POLICY, COOKIE, EXPECT, HOST, HeaderMap,
    HeaderName, HeaderValue, LOCATION, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, SET_COOKIE,
    STRICT_TRANSPORT_SECURITY, TE, TRAILER, TRANSFER_ENCODING, UPGRADE, WWW_AUTHENTICATE,
};
use axum::response::Response;

use super::headers::OfTask;

/// What a task never sees of a request: what proves who asks, and what is about one connection.
const TO_TASK: [HeaderName; 9] = [
    AUTHORIZATION,
    EXPECT,
    COOKIE,
    PROXY_AUTHORIZATION,
    HOST,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// What a task may not say in our name.
const OF_TASK: [HeaderName; 9] = [
    SET_COOKIE,
    CONTENT_SECURITY_POLICY,
    WWW_AUTHENTICATE,
    PROXY_AUTHENTICATE,
    STRICT_TRANSPORT_SECURITY,
    ALT_SVC,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// The same, which have no constants.
const OF_TASK_TOO: [&str; 10] = [
    "set-cookie2",
    "clear-site-data",
    "service-worker-allowed",
    "report-to",
    "reporting-endpoints",
    "nel",
    "origin-agent-cluster",
    "keep-alive",
    "proxy-connection",
    "public-key-pins",
];

/// Families of fields that are ours alone.
const OURS: [&str; 2] = ["incumbent-", "access-control-"];

/// Takes from the fields of a request what a task must not see.
pub(crate) fn request_to_task(headers: &mut HeaderMap) {
    drop_connection_fields(headers);
    TO_TASK.iter().for_each(|name| drop(headers.remove(name)));
    remove_if(headers, |name| name.starts_with(OURS[0]));
}

/// Takes from the answer of a task what would be taken for ours, and puts it into a sandbox.
pub(crate) fn answer_of_task(mut response: Response) -> Response {
    // What the task speaks is between it and its TaskManager.
    *response.version_mut() = Version::default();
    let headers = response.headers_mut();
    drop_connection_fields(headers);
    OF_TASK.iter().for_each(|name| drop(headers.remove(name)));
    remove_if(headers, |name| {
        OF_TASK_TOO.contains(&name) || OURS.iter().any(|family| name.starts_with(family))
    });
    let leads_away = headers.get(LOCATION).is_some_and(|to| !stays_below(to));
    if leads_away {
        headers.remove(LOCATION);
    }
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static("sandbox"));
    response.extensions_mut().insert(OfTask);
    response
}

/// Whether a redirection stays below the path that was asked for. A client that follows it repeats
/// the request with its token: a task must not send it to `/v1` or elsewhere.
fn stays_below(location: &HeaderValue) -> bool {
    let Ok(text) = location.to_str() else {
        return false;
    };
    let path = text.split(['?', '#']).next().unwrap_or_default();
    let climbs = path.contains("..") || path.to_ascii_lowercase().contains("%2e");
    !path.starts_with(['/', '\\']) && !path.contains(':') && !path.contains('\\') && !climbs
}

/// What `Connection` names is about the connection, whatever it is called.
fn drop_connection_fields(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    named.iter().for_each(|name| drop(headers.remove(name)));
    headers.remove(CONNECTION);
}

fn remove_if(headers: &mut HeaderMap, is_gone: impl Fn(&str) -> bool) {
    let gone: Vec<HeaderName> = headers
        .keys()
        .filter(|name| is_gone(name.as_str()))
        .cloned()
        .collect();
    gone.iter().for_each(|name| drop(headers.remove(name)));
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;

    #[test]
    fn a_task_redirects_below_its_own_path_only() {
        let stays = |text: &'static str| stays_below(&HeaderValue::from_static(text));
        for below in ["next", "a/b?x=/c:d", "?page=2", "#top", ""] {
            assert!(stays(below), "{below}");
        }
        for away in [
            "/v1/jobs/0",
            "//elsewhere/",
            "http://elsewhere/",
            "..",
            "a/../../b",
            "%2e%2e/b",
            ".%2E/b",
            "\\\\elsewhere",
            "a\\..\\b",
            "javascript:1",
        ] {
            assert!(!stays(away), "{away}");
        }
    }

    fn fields(fields: &[(&str, &str)]) -> HeaderMap {
        let parse = |(name, value): &(&str, &str)| {
            let name: HeaderName = name.parse().unwrap();
            (name, value.parse().unwrap())
        };
        fields.iter().map(parse).collect()
    }

    #[test]
    fn a_task_sees_no_cookie_and_no_token() {
        let mut headers = fields(&[
            ("authorization", "Bearer secret"),
            ("cookie", "session=secret"),
            ("incumbent-proof", "secret"),
            ("host", "localhost"),
            ("connection", "x-hop, upgrade"),
            ("x-hop", "1"),
            ("upgrade", "websocket"),
            ("accept", "text/html"),
        ]);
        request_to_task(&mut headers);
        assert_eq!(headers, fields(&[("accept", "text/html")]));
    }

    #[test]
    fn what_a_task_answers_is_in_a_sandbox_and_sets_nothing() {
        let mut response = Response::new(Body::empty());
        *response.version_mut() = Version::HTTP_10;
        *response.headers_mut() = fields(&[
            ("set-cookie", "a=b"),
            (
                "content-security-policy",
                "sandbox allow-same-origin allow-scripts",
            ),
            ("access-control-allow-origin", "*"),
            ("clear-site-data", "\"*\""),
            ("service-worker-allowed", "/"),
            ("www-authenticate", "Basic"),
            ("incumbent-epoch", "7"),
            ("content-type", "text/html"),
        ]);
        let response = answer_of_task(response);
        let expected = [
            ("content-type", "text/html"),
            ("content-security-policy", "sandbox"),
        ];
        assert_eq!(*response.headers(), fields(&expected));
        assert_eq!(response.version(), Version::HTTP_11);
    }
}
