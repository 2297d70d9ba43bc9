//! Whose a path is: ours or Flink's. Pure.
//!
//! Flink's dashboard asks at the root (`/jobs/overview`). Flink's client puts `/v1` in front of
//! each path, where our own API is. Nothing of ours changes by that: what our router has, it
//! answers, but for
//!
//! - what only Flink has with that method: `PATCH /v1/jobs/{id}`, `POST /v1/jobs/{id}/checkpoints`;
//! - `GET /v1/jobs/overview`, so a job that is named `overview` is shown by its id only, and
//!   `GET /v1/jobs/{id}/savepoints/{id}`, which we have with PUT;
//! - a GET with the type that Flink's client gives the body that it does not have, to the letter,
//!   and without a word of what it accepts: then `GET /v1/jobs`, `/v1/jobs/{id}`,
//!   `/v1/jobs/{id}/checkpoints` and the like are meant as Flink's.

use axum::http::header::{ACCEPT, CONTENT_TYPE, HOST, REFERER};
use axum::http::uri::Uri;
use axum::http::{HeaderMap, Method};

/// What Flink's paths begin with.
const ROOTS: [&str; 10] = [
    "applications",
    "config",
    "overview",
    "jobs",
    "taskmanagers",
    "jobmanager",
    "jars",
    "savepoint-disposal",
    "datasets",
    "cluster",
];

/// What Flink's client says of its bodies, also of none. Other clients say `application/json` with
/// a GET, too, but not in this form.
const TYPE_OF_ITS_CLIENT: &str = "application/json; charset=UTF-8";

/// Who answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whose<'a> {
    /// Our own router.
    Ours,
    /// Flink's, under this path.
    Flinks(&'a str),
    /// Nobody has it, and Flink's form of that answer is expected.
    Nobodys,
}

/// Whose a request is that has come to our own router, which has such a path or has not.
pub(crate) fn whose<'a>(
    method: &Method,
    path: &'a str,
    headers: &HeaderMap,
    is_ours: bool,
) -> Whose<'a> {
    let (path, is_versioned) = match path.strip_prefix("/v1") {
        Some(below) if below.starts_with('/') => (below, true),
        _ => (path, false),
    };
    let parts: Vec<&str> = path.split('/').skip(1).collect();
    let has_root = parts.first().is_some_and(|root| ROOTS.contains(root));
    if !has_root {
        return Whose::Ours;
    }
    if !is_versioned {
        return if is_ours { Whose::Ours } else { Whose::Nobodys };
    }
    let is_flinks = !is_ours
        || is_only_flinks(method, &parts)
        || is_of_its_client(method, &parts, headers)
        || is_graph(method, &parts, headers);
    if is_flinks {
        Whose::Flinks(path)
    } else {
        Whose::Ours
    }
}

fn is_only_flinks(method: &Method, parts: &[&str]) -> bool {
    matches!(
        (method.as_str(), parts),
        (
            "GET" | "HEAD",
            ["jobs", "overview"] | ["jobs", _, "savepoints", _]
        ) | ("PATCH", ["jobs", _])
            | ("POST", ["jobs", _, "checkpoints"])
    )
}

fn is_of_its_client(method: &Method, parts: &[&str], headers: &HeaderMap) -> bool {
    // Flink's cluster can only be deleted.
    let of_cluster = parts.first() == Some(&"cluster");
    let expected = if of_cluster {
        Method::DELETE
    } else {
        Method::GET
    };
    *method == expected && speaks_as_its_client(headers)
}

/// Whether the header of a request is like that of Flink's client.
pub(crate) fn speaks_as_its_client(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE);
    kind.is_some_and(|kind| kind == TYPE_OF_ITS_CLIENT) && !headers.contains_key(ACCEPT)
}

/// Whether a tool of Flink's waits for the answer, as far as a request says before a router has
/// looked at its path: then it is told in Flink's form why it was refused.
pub(crate) fn is_from_flinks_tools(method: &Method, path: &str, headers: &HeaderMap) -> bool {
    // What only Flink has is Flink's although our router has that path.
    match whose(method, path, headers, true) {
        Whose::Flinks(_) => true,
        Whose::Nobodys => false,
        Whose::Ours => {
            let below = path.strip_prefix("/v1").unwrap_or(path);
            let root = below.split('/').nth(1).unwrap_or_default();
            let is_versioned = below.len() < path.len();
            ROOTS.contains(&root) && (!is_versioned || speaks_as_its_client(headers))
        }
    }
}

/// A job graph of Flink: a form.
fn is_graph(method: &Method, parts: &[&str], headers: &HeaderMap) -> bool {
    let is_form = headers
        .get(CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"multipart/"));
    method == Method::POST && parts == ["jobs"] && is_form
}

/// Whether a GET that changes something comes from this node's own page, or from one that is served
/// with it.
///
/// Flink's dashboard cancels by GET. The rules for all other changes look at no GET, as browsers
/// send these for any page; so this must say more than that.
pub(crate) fn is_own_page(uri: &Uri, headers: &HeaderMap) -> bool {
    match headers.get("sec-fetch-site") {
        Some(site) => site == "same-origin",
        // Browsers say no more than this to a host that they do not trust: over HTTP, elsewhere.
        None => is_referred(uri, headers),
    }
}

fn is_referred(uri: &Uri, headers: &HeaderMap) -> bool {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let host = host.or_else(|| uri.authority().map(|authority| authority.as_str()));
    let from = headers
        .get(REFERER)
        .and_then(|from| from.to_str().ok()?.parse::<Uri>().ok());
    // No page of ours is below `/v1`, but what tasks serve is.
    let from = from.filter(|from| !from.path().starts_with("/v1/"));
    let from = from.as_ref().and_then(|from| from.authority());
    matches!((host, from), (Some(host), Some(from)) if from.as_str().eq_ignore_ascii_case(host))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(fields: &[(&'static str, &str)]) -> HeaderMap {
        let field = |(name, value): &(&'static str, &str)| {
            let name = axum::http::HeaderName::from_static(name);
            (name, value.parse().expect("it is a value"))
        };
        fields.iter().map(field).collect()
    }

    #[test]
    fn nothing_of_ours_is_taken_by_flink() {
        let curl = headers(&[("accept", "*/*")]);
        let ours = headers(&[("content-type", "application/json")]);
        for (method, path) in [
            ("GET", "/v1/jobs"),
            ("GET", "/v1/jobs/words"),
            ("GET", "/v1/jobs/words/checkpoints"),
            ("GET", "/v1/cluster"),
            ("PUT", "/v1/jobs/a/savepoints/b"),
            ("DELETE", "/v1/jobs/a"),
            ("GET", "/v1/nodes"),
            ("GET", "/metrics"),
        ] {
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            assert_eq!(whose(&method, path, &curl, true), Whose::Ours, "{path}");
            assert_eq!(whose(&method, path, &ours, true), Whose::Ours, "{path}");
        }
        let flinks = headers(&[("content-type", "application/json; charset=UTF-8")]);
        assert_eq!(
            whose(&Method::GET, "/v1/cluster", &flinks, true),
            Whose::Ours
        );
    }

    #[test]
    fn a_refusal_is_in_the_form_that_the_client_reads() {
        let curl = headers(&[("accept", "*/*")]);
        let ours = headers(&[("content-type", "application/json")]);
        let flinks = headers(&[("content-type", "application/json; charset=UTF-8")]);
        for (method, path, of_others, of_its_client) in [
            (Method::GET, "/jobs/overview", true, true),
            (Method::PATCH, "/jobs/0a", true, true),
            (Method::PATCH, "/v1/jobs/0a", true, true),
            (Method::DELETE, "/v1/cluster", false, true),
            (Method::GET, "/v1/jobs", false, true),
            (Method::POST, "/v1/jobs/0a/stop", false, true),
            (Method::PUT, "/v1/jobs/0a", false, true),
            (Method::GET, "/v1/nodes", false, false),
            (Method::GET, "/metrics", false, false),
            (Method::GET, "/", false, false),
        ] {
            for (headers, expected) in [
                (&curl, of_others),
                (&ours, of_others),
                (&flinks, of_its_client),
            ] {
                let found = is_from_flinks_tools(&method, path, headers);
                assert_eq!(found, expected, "{method} {path} {headers:?}");
            }
        }
    }

    #[test]
    fn what_flinks_client_asks_is_flinks() {
        let client = headers(&[("content-type", "application/json; charset=UTF-8")]);
        for (method, path, is_ours) in [
            ("GET", "/v1/jobs/overview", true),
            ("GET", "/v1/jobs/0a", true),
            ("GET", "/v1/jobs/0a/checkpoints", true),
            ("PATCH", "/v1/jobs/0a", true),
            ("POST", "/v1/jobs/0a/savepoints", false),
            ("GET", "/v1/jobs/0a/savepoints/0b", true),
            ("POST", "/v1/savepoint-disposal", false),
        ] {
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            let found = whose(&method, path, &client, is_ours);
            assert_eq!(found, Whose::Flinks(&path[3..]), "{path}");
        }
        // By anybody.
        let curl = headers(&[("accept", "*/*")]);
        for (path, is_ours) in [
            ("/v1/jobs/overview", true),
            ("/v1/jobs/0a/status", false),
            ("/v1/config", false),
        ] {
            assert_eq!(
                whose(&Method::GET, path, &curl, is_ours),
                Whose::Flinks(&path[3..])
            );
        }
        assert_eq!(
            whose(&Method::GET, "/jobs/a/b", &curl, false),
            Whose::Nobodys
        );
        assert_eq!(whose(&Method::GET, "/v1/x", &curl, false), Whose::Ours);
    }

    #[test]
    fn only_a_page_of_this_node_cancels_by_get() {
        let uri = Uri::from_static("/jobs/x/yarn-cancel");
        let host = ("host", "localhost:8081");
        for (fields, is_own) in [
            (vec![host, ("sec-fetch-site", "same-origin")], true),
            (vec![host, ("sec-fetch-site", "cross-site")], false),
            (vec![host, ("sec-fetch-site", "none")], false),
            (vec![host], false),
            (vec![host, ("referer", "http://localhost:8081/x")], true),
            (
                vec![
                    host,
                    ("referer", "http://localhost:8081/v1/jobs/x/tasks/0/http/"),
                ],
                false,
            ),
            (
                vec![host, ("referer", "http://evil.example/localhost:8081")],
                false,
            ),
            (
                vec![host, ("referer", "http://localhost:8081@evil.example/")],
                false,
            ),
            (
                vec![
                    host,
                    ("referer", "http://localhost:8081/x"),
                    ("sec-fetch-site", "cross-site"),
                ],
                false,
            ),
        ] {
            assert_eq!(is_own_page(&uri, &headers(&fields)), is_own, "{fields:?}");
        }
    }
}
