use std::collections::{BTreeMap, BTreeSet};

use axum::http::{Method, Request};
use http_body_util::Full;
use hyper::body::Bytes;
use incumbent::{Epoch, Error};

use std::sync::Arc;

use incumbent::RecordName;

use super::office::MOST_OPEN;
use super::problem::Problem;
use super::*;
use crate::http::{self, Target};
use crate::run::args::RecordsApi;

/// A leader in a store of its own, and its API.
struct Api {
    office: Arc<Office>,
    _server: Server,
    target: Target,
    token: Option<String>,
}

/// What was answered.
struct Answer {
    status: u16,
    etag: Option<String>,
    text: String,
}

async fn api_by(how: RecordsApi) -> Api {
    let store = incumbent::open("memory:").await.unwrap();
    let group = store.group("test").unwrap();
    let leadership = group.candidate().unwrap().campaign().await;
    leadership.activate().await.unwrap();
    let office = Office::new(leadership);
    let told = Told::leader(1, office.leadership().await.unwrap().guard());
    let desk = Desk::of_term(&office, told);
    let server = Server::start(&desk, how).unwrap().expect("it is on");
    let env: BTreeMap<_, _> = server
        .env
        .iter()
        .map(|(name, value)| (name.to_str().unwrap(), value.to_str().unwrap()))
        .collect();
    let target = match env.get(SOCKET) {
        Some(path) => Target::Unix(path.into()),
        None => Target::Tcp(http::host_and_port(env[URL]).unwrap()),
    };
    let token = env.get(TOKEN).map(|&token| token.to_owned());
    Api {
        office,
        target,
        token,
        _server: server,
    }
}

async fn api() -> Api {
    api_by(RecordsApi::Unix).await
}

impl Api {
    /// Asks, and sees to it that what is answered is documented.
    async fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut request = Request::builder()
            .method(Method::from_bytes(method.as_bytes()).unwrap())
            .uri(path)
            .header("host", "records");
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request
            .body(Full::new(Bytes::from(body.to_owned())))
            .unwrap();
        let answer = http::send(&self.target, request).await.unwrap();
        let status = answer.status().as_u16();
        let head = |name: &str| Some(answer.headers().get(name)?.to_str().unwrap().to_owned());
        let (etag, media) = (head("etag"), head("content-type").unwrap_or_default());
        let text = String::from_utf8(answer.body().to_vec()).unwrap();
        let usual = if status < 400 {
            "application/json"
        } else {
            "application/problem+json"
        };
        assert_eq!(media, usual, "{method} {path}: {status} {text}");
        let answer = Answer { status, etag, text };
        if [404, 405].contains(&status)
            && ["no-such-path", "wrong-method"].contains(&answer.problem().as_str())
        {
            return answer;
        }
        let documented = documented();
        let statuses = &documented[&(template(path).to_owned(), method.to_lowercase())];
        assert!(
            statuses.contains(&status),
            "{method} {path}: {status} is not documented"
        );
        answer
    }

    async fn open(&self, name: &str) -> Answer {
        let answer = self
            .ask("POST", &format!("/v1/records/{name}"), &[], "")
            .await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer
    }

    async fn put(&self, name: &str, etag: &str, body: &str) -> Answer {
        let path = format!("/v1/records/{name}");
        self.ask("PUT", &path, &[("if-match", etag)], body).await
    }

    /// Opens and writes.
    async fn written(&self, name: &str, body: &str) -> Answer {
        let etag = self.open(name).await.etag.unwrap();
        let answer = self.put(name, &etag, body).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer
    }
}

impl Answer {
    fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.text).unwrap()
    }

    /// The last part of its type.
    #[track_caller]
    fn problem(&self) -> String {
        let json = self.json();
        assert_eq!(json["status"], self.status);
        let kind = json["type"].as_str().expect("a problem has a type");
        kind.strip_prefix("urn:incumbent:problem:")
            .unwrap()
            .to_owned()
    }

    #[track_caller]
    fn assert(self, status: u16, problem: &str) -> Self {
        assert_eq!(
            (self.status, self.problem().as_str()),
            (status, problem),
            "{}",
            self.text
        );
        self
    }

    fn etag(&self) -> &str {
        self.etag.as_deref().expect("it is about a record")
    }
}

/// The path of the document that a path of a request stands for.
fn template(path: &str) -> &str {
    match path.split('?').next().unwrap() {
        path if path.starts_with("/v1/records/") => "/v1/records/{name}",
        path => path,
    }
}

fn openapi() -> serde_json::Value {
    serde_json::from_str(include_str!("openapi.json")).unwrap()
}

/// The statuses of each path and method.
fn documented() -> BTreeMap<(String, String), BTreeSet<u16>> {
    let mut found = BTreeMap::new();
    for (path, methods) in openapi()["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let Some(responses) = operation["responses"].as_object() else {
                continue;
            };
            let statuses = responses.keys().map(|status| status.parse().unwrap());
            found.insert((path.clone(), method.clone()), statuses.collect());
        }
    }
    found
}

#[tokio::test]
async fn the_document_and_the_routes_agree() {
    let api = api().await;
    let served = api.ask("GET", "/openapi.json", &[], "").await;
    assert_eq!(served.json(), openapi());
    let documented = documented();
    let paths: BTreeSet<_> = documented.keys().map(|(path, _)| path.clone()).collect();
    for path in &paths {
        for method in ["get", "post", "put", "patch", "delete"] {
            let known = documented.contains_key(&(path.clone(), method.to_owned()));
            let path = path.replace("{name}", "some/record");
            // This answer does not end; `tests/it/warm.rs` reads it.
            if (path.as_str(), method) == ("/v1/role/events", "get") {
                continue;
            }
            let answer = api.ask(&method.to_uppercase(), &path, &[], "{}").await;
            let refused = answer.status >= 400 && answer.problem() == "wrong-method";
            assert_eq!(known, !refused, "{method} {path}: {}", answer.text);
            assert!(known || answer.status == 405, "{method} {path}");
        }
    }
    assert_eq!(paths.len(), 8, "a new path belongs into the document");
    for path in ["/", "/v1", "/v1/record", "/v2/records/x", "/v1/records/"] {
        api.ask("GET", path, &[], "")
            .await
            .assert(404, "no-such-path");
    }
}

#[test]
fn every_reference_of_the_document_leads_somewhere() {
    fn references(value: &serde_json::Value, found: &mut Vec<String>) {
        match value {
            serde_json::Value::Object(object) => {
                if let Some(reference) = object.get("$ref") {
                    found.push(reference.as_str().unwrap().to_owned());
                }
                object.values().for_each(|value| references(value, found));
            }
            serde_json::Value::Array(array) => {
                array.iter().for_each(|value| references(value, found));
            }
            _ => {}
        }
    }
    let document = openapi();
    let mut found = Vec::new();
    references(&document, &mut found);
    for reference in &found {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
    for name in document["components"]["responses"]
        .as_object()
        .unwrap()
        .keys()
    {
        let used = format!("#/components/responses/{name}");
        assert!(found.contains(&used), "{name} is never answered");
    }
}

#[test]
fn whatever_a_write_can_fail_with_is_documented() {
    let record: RecordName = "x".parse().unwrap();
    let documented = documented();
    let statuses = &documented[&("/v1/records/{name}".to_owned(), "put".to_owned())];
    for error in [
        Error::Fenced {
            ours: Epoch::ZERO,
            current: None,
        },
        Error::Conflict {
            record: record.clone(),
        },
        Error::TooLarge {
            record: record.clone(),
            size: 2,
            limit: 1,
        },
        Error::Unknown {
            record: record.clone(),
            cause: "x".into(),
        },
        Error::Unavailable("x".into()),
        Error::Damaged {
            what: "x".into(),
            cause: "x".into(),
        },
    ] {
        let answer = axum::response::IntoResponse::into_response(Problem::from(error));
        assert!(
            statuses.contains(&answer.status().as_u16()),
            "{}",
            answer.status()
        );
    }
}

#[tokio::test]
async fn a_record_is_opened_and_then_written() {
    let api = api().await;
    api.ask("GET", "/v1/records/x", &[], "")
        .await
        .assert(404, "not-found");
    let opened = api.open("x").await.json();
    assert_eq!(
        (&opened["exists"], &opened["sealed"]),
        (&false.into(), &true.into())
    );
    let written = api.written("x", r#"{"a": [1, 2]}"#).await;
    assert_eq!(written.json()["data"]["a"][1], 2);
    let read = api.ask("GET", "/v1/records/x", &[], "").await;
    assert_eq!(read.json(), written.json());
    assert_eq!(read.etag(), written.etag());
    assert_eq!(written.json()["etag"], written.etag());
}

#[tokio::test]
async fn opening_twice_changes_nothing() {
    let api = api().await;
    let written = api.written("x", "1").await;
    for _ in 0..2 {
        assert_eq!(api.open("x").await.etag(), written.etag());
    }
    assert_eq!(api.put("x", written.etag(), "2").await.status, 200);
}

#[tokio::test]
async fn a_write_has_to_say_what_it_expects() {
    let api = api().await;
    for (method, body) in [("PUT", "1"), ("PATCH", "{}"), ("DELETE", "")] {
        api.ask(method, "/v1/records/x", &[], body)
            .await
            .assert(428, "precondition-required");
    }
    api.ask("PUT", "/v1/records/x", &[("if-none-match", "\"x\"")], "1")
        .await
        .assert(400, "bad-request");
}

#[tokio::test]
async fn a_stale_tag_writes_nothing() {
    let api = api().await;
    let first = api.written("x", "1").await;
    assert_eq!(api.put("x", first.etag(), "2").await.status, 200);
    let stale = [("if-match", first.etag())];
    for (method, body) in [("PUT", "3"), ("PATCH", "3"), ("DELETE", "")] {
        api.ask(method, "/v1/records/x", &stale, body)
            .await
            .assert(412, "conflict");
    }
    assert_eq!(api.open("x").await.json()["data"], 2);
}

#[tokio::test]
async fn a_record_can_be_created_once() {
    let api = api().await;
    let new = [("if-none-match", "*")];
    assert_eq!(api.ask("PUT", "/v1/records/x", &new, "1").await.status, 200);
    api.ask("PUT", "/v1/records/x", &new, "2")
        .await
        .assert(412, "conflict");
    assert_eq!(api.open("x").await.json()["data"], 1);
}

#[tokio::test]
async fn a_write_by_hand_makes_the_leaders_next_one_a_conflict() {
    let api = api().await;
    let first = api.written("x", "1").await;
    let data = serde_json::value::to_raw_value(&7).unwrap();
    let name = "x".parse().unwrap();
    let by_hand = api.office.group.overwrite_by_hand(&name, Some(data));
    by_hand.await.unwrap();
    api.put("x", first.etag(), "2")
        .await
        .assert(412, "conflict");
    let opened = api.open("x").await;
    assert_eq!(opened.json()["data"], 7);
    assert_eq!(api.put("x", opened.etag(), "8").await.status, 200);
}

#[tokio::test]
async fn a_merge_patch_changes_some_keys_and_leaves_the_others_as_they_are() {
    let api = api().await;
    let digits = "12345678901234567890123.450";
    let data = format!(r#"{{"keep": {digits}, "change": {{"a": 1, "b": 2}}, "drop": 1}}"#);
    let written = api.written("x", &data).await;
    let tag = [("if-match", written.etag())];
    let patch = r#"{"change": {"a": 5}, "drop": null, "new": 1e400}"#;
    let patched = api.ask("PATCH", "/v1/records/x", &tag, patch).await;
    assert_eq!(patched.status, 200, "{}", patched.text);
    for part in [digits, r#""a":5"#, r#""b":2"#] {
        assert!(patched.text.contains(part), "{part} in {}", patched.text);
    }
    assert!(patched.text.contains("e+400") || patched.text.contains("1e400"));
    assert!(!patched.text.contains("drop"));
    let tag = [("if-match", patched.etag())];
    api.ask("PATCH", "/v1/records/x", &tag, "{")
        .await
        .assert(400, "bad-request");
}

#[tokio::test]
async fn data_stay_byte_for_byte() {
    let api = api().await;
    for data in [
        "12345678901234567890123.10",
        "1e1000",
        r#"{"b":  1, "a": "\u00e9"}"#,
        "null",
        "[]",
    ] {
        let written = api.written("x", data).await;
        assert!(
            written.text.contains(&format!(r#""data":{data}"#)),
            "{}",
            written.text
        );
        assert_eq!(written.json()["exists"], true);
        let read = api.ask("GET", "/v1/records/x", &[], "").await;
        assert_eq!(read.text, written.text);
        assert_eq!(api.open("x").await.text, written.text);
    }
}

#[tokio::test]
async fn what_is_not_json_is_refused() {
    let api = api().await;
    let tag = api.open("x").await.etag.unwrap();
    for body in ["", "hello", "{\"a\":", "1 2"] {
        api.put("x", &tag, body).await.assert(400, "bad-request");
    }
}

#[tokio::test]
async fn too_much_is_refused_with_the_limit() {
    let api = api().await;
    let tag = api.open("x").await.etag.unwrap();
    for size in [2 * 1024 * 1024, 5 * 1024 * 1024] {
        let body = format!("\"{}\"", "x".repeat(size));
        let problem = api.put("x", &tag, &body).await.assert(413, "too-large");
        assert!(problem.json()["limit"].is_number(), "{}", problem.text);
    }
    assert_eq!(api.put("x", &tag, "1").await.status, 200);
}

#[tokio::test]
async fn names_may_have_several_parts() {
    let api = api().await;
    api.written("jobs/7/result", "1").await;
    api.written("jobs/8", "1").await;
    api.written("other", "1").await;
    let listed = |path: &'static str| async {
        let answer = api.ask("GET", path, &[], "").await;
        answer.json()["names"].clone()
    };
    assert_eq!(
        listed("/v1/records").await,
        serde_json::json!(["jobs/7/result", "jobs/8", "other"])
    );
    assert_eq!(
        listed("/v1/records?prefix=jobs/").await,
        serde_json::json!(["jobs/7/result", "jobs/8"])
    );
    assert_eq!(
        listed("/v1/records?prefix=jobs%2F7").await,
        serde_json::json!(["jobs/7/result"])
    );
    for name in ["a//b", "/a", "a%20b", "..", "%FF"] {
        let path = format!("/v1/records/{name}");
        for method in ["GET", "POST", "DELETE"] {
            api.ask(method, &path, &[], "")
                .await
                .assert(400, "bad-request");
        }
    }
    api.ask("GET", "/v1/records?prefix=a&prefix=b", &[], "")
        .await
        .assert(400, "bad-request");
}

#[tokio::test]
async fn a_deleted_record_is_gone_and_can_be_made_again() {
    let api = api().await;
    let written = api.written("x", "1").await;
    let tag = [("if-match", written.etag())];
    let deleted = api.ask("DELETE", "/v1/records/x", &tag, "").await;
    assert_eq!(
        (deleted.status, &deleted.json()["exists"]),
        (200, &false.into())
    );
    api.ask("GET", "/v1/records/x", &[], "")
        .await
        .assert(404, "not-found");
    assert_eq!(api.put("x", deleted.etag(), "2").await.status, 200);
    assert_eq!(api.open("x").await.json()["data"], 2);
}

#[tokio::test]
async fn the_leader_and_the_term_are_told() {
    let api = api().await;
    let term = api.ask("GET", "/v1/term", &[], "").await.json();
    assert_eq!(
        (&term["group"], &term["epoch"]),
        (&"test".into(), &1.into())
    );
    assert!(term["valid_for_seconds"].as_f64().unwrap() > 0.0);
    let leader = api.ask("GET", "/v1/leader", &[], "").await.json();
    assert_eq!(
        (&leader["state"], &leader["epoch"]),
        (&"active".into(), &1.into())
    );
    assert_eq!(leader["nonce"], term["nonce"]);
}

#[tokio::test]
async fn after_the_term_every_write_is_fenced() {
    let api = api().await;
    let written = api.written("x", "1").await;
    api.office.resign(None).await;
    let tag = [("if-match", written.etag())];
    for (method, path, body) in [
        ("GET", "/v1/term", ""),
        ("POST", "/v1/records/x", ""),
        ("POST", "/v1/records/y", ""),
        ("PUT", "/v1/records/x", "2"),
        ("PATCH", "/v1/records/x", "2"),
        ("DELETE", "/v1/records/x", ""),
    ] {
        let answer = api.ask(method, path, &tag, body).await;
        let problem = answer.assert(409, "fenced").json();
        assert_eq!(problem["epoch"], 1);
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains("leadership of epoch 1 is over"), "{detail}");
    }
    let read = api.ask("GET", "/v1/records/x", &[], "").await;
    assert_eq!(read.json()["data"], 1);
}

#[tokio::test]
async fn a_term_that_has_not_begun_is_not_called_over() {
    let api = api().await;
    let of = |epoch| [("incumbent-epoch", epoch)];
    let later = api.ask("POST", "/v1/records/x", &of("99"), "").await;
    let problem = later.assert(409, "fenced").json();
    let detail = problem["detail"].as_str().unwrap();
    assert!(
        detail.contains("for epoch 99, and this node leads in epoch 1"),
        "{detail}"
    );
    let now = api.ask("POST", "/v1/records/x", &of("1"), "").await;
    assert_ne!(now.status, 409);
}

#[tokio::test]
async fn a_port_is_guarded_by_a_token() {
    let mut api = api_by(RecordsApi::Tcp).await;
    assert_eq!(api.ask("GET", "/v1/term", &[], "").await.status, 200);
    let token = api.token.take().unwrap();
    for headers in [
        &[][..],
        &[("authorization", "Bearer x")],
        &[("authorization", token.as_str())],
        &[("authorization", "Basic Og==")],
    ] {
        for (path, method) in documented().into_keys() {
            let path = path.replace("{name}", "x");
            api.ask(&method.to_uppercase(), &path, headers, "1")
                .await
                .assert(401, "unauthorized");
        }
    }
}

#[tokio::test]
async fn of_more_records_than_can_be_open_those_in_use_are_kept() {
    let api = api().await;
    let mut used = Vec::new();
    for number in 0..MOST_OPEN {
        let name = format!("r{number}").parse().unwrap();
        used.push(api.office.cell(&name).await.unwrap());
    }
    api.ask("POST", "/v1/records/x", &[], "")
        .await
        .assert(507, "too-many-open");
    used.pop();
    assert_eq!(api.open("x").await.status, 200);
}
