//! Requests, statuses and fields, beside the description of its API that Flink publishes (OpenAPI).
//!
//! `tests/flink/openapi-VERSION.json` is made of it by `testing/foreign/flink/openapi.py`. It is
//! not true of each field: `RawJson` and serializers of Flink's own are not described. So what
//! differs from it must differ in the answers of a real Flink, too, or be in `differs.txt`.

use std::collections::BTreeSet;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use incumbent_cluster_blobs::Blobs;
use serde_json::{Map, Value};
use tower_service::Service as _;

use super::fields::{RECORDED, differences, listed, ours};
use crate::routes;

const DESCRIBED: [(&str, &str); 2] = [
    ("1.20", include_str!("../../tests/flink/openapi-1.20.json")),
    ("2.3", include_str!("../../tests/flink/openapi-2.3.json")),
];

/// What is described and not answered here, and why.
const NOT_ANSWERED: [(&str, &str); 12] = {
    const DATA_SETS: &str = "there are no data sets to delete";
    const LOGS: &str = "logs are where the processes write them, and no other service has them";
    const RESCALES: &str = "how a job was rescaled is told by its attempts";
    [
        ("DELETE /datasets/{}", DATA_SETS),
        ("GET /datasets/delete/{}", DATA_SETS),
        ("GET /jobs/{}/jobmanager/log-url", LOGS),
        ("GET /jobs/{}/taskmanagers/{}/log-url", LOGS),
        ("GET /jobs/{}/rescales/config", RESCALES),
        ("GET /jobs/{}/rescales/details/{}", RESCALES),
        ("GET /jobs/{}/rescales/history", RESCALES),
        ("GET /jobs/{}/rescales/overview", RESCALES),
        ("GET /jobs/{}/rescales/summary", RESCALES),
        (
            "GET /jobs/{}/rescaling/{}",
            "the way of 1.x to rescale begins nothing, here as in Flink",
        ),
        (
            "PATCH /jobs/{}/clientHeartbeat",
            "a job does not end with its client",
        ),
        (
            "POST /jars/{}/run-application",
            "a program is no application of Java",
        ),
    ]
};

fn object(text: &str) -> Map<String, Value> {
    serde_json::from_str(text).unwrap()
}

/// The described request that a recorded one is: `GET /jobs/{job}/plan?x` is `GET /jobs/{}/plan`.
fn described_as<'a>(recorded: &str, described: &'a Map<String, Value>) -> Option<&'a str> {
    let path = recorded.split('?').next()?.replacen(" /v1/", " /", 1);
    let parts: Vec<&str> = path.split('/').collect();
    let names = |request: &&String| {
        let described: Vec<&str> = request.split('/').collect();
        let fits = |(one, other): (&&str, &&str)| one == other || *one == "{}";
        described.len() == parts.len() && described.iter().zip(&parts).all(fits)
    };
    // What is named in full goes before what is any id.
    let fitting = described.keys().filter(names);
    fitting
        .min_by_key(|request| request.matches("{}").count())
        .map(String::as_str)
}

#[test]
fn a_status_or_field_is_as_described_unless_a_real_flink_differs_too() {
    for (version, described) in DESCRIBED {
        let described = object(described);
        let (release, recorded) = RECORDED
            .into_iter()
            .find(|(release, _)| release.starts_with(version))
            .unwrap();
        let told = listed(release);
        let (mut compared, mut new) = (BTreeSet::new(), Vec::new());
        for (name, theirs) in &object(recorded) {
            let status = theirs["status"].as_u64().unwrap();
            // What is refused is not described.
            if name.starts_with("bad") {
                continue;
            }
            let Some(request) = described_as(theirs["request"].as_str().unwrap(), &described)
            else {
                continue;
            };
            let said = &described[request];
            // What we answer has the status that is recorded: `run compare` sees to that.
            if status < 400 && said["status"] != status {
                new.push(format!("{name} status {} {status}", said["status"]));
            }
            let Some(ours) = ours(name) else {
                continue;
            };
            compared.insert(request);
            let mut found = [BTreeSet::new(), BTreeSet::new()];
            differences("", &said["body"], &ours, &mut found[0]);
            if status < 400 {
                differences("", &said["body"], &theirs["body"], &mut found[1]);
            }
            let lines = found[0]
                .difference(&found[1])
                .map(|line| format!("{name} {line}"));
            new.extend(lines.filter(|line| !told.contains(line)));
        }
        assert!(compared.len() > 35, "{compared:?}");
        assert!(new.is_empty(), "Flink {version}: {new:#?}");
    }
}

#[tokio::test]
async fn each_described_request_is_answered_unless_the_list_says_why_not() {
    let dir = tempfile::tempdir().unwrap();
    let blobs = Blobs::open(&format!("file://{}", dir.path().display()))
        .await
        .unwrap();
    // Of Flink's paths it is only asked whether they are there.
    let v1 = Router::new().fallback(async || StatusCode::SERVICE_UNAVAILABLE);
    let mut routes = routes(v1, blobs);
    let mut unanswered = BTreeSet::new();
    for (_, described) in DESCRIBED {
        for request in object(described).keys() {
            let (method, path) = request.split_once(' ').unwrap();
            let asked = path.replace("{}", &"1".repeat(32));
            let asked = Request::builder()
                .method(method)
                .uri(format!("/v1{asked}"))
                .header("content-type", "application/json; charset=UTF-8");
            let answer = routes
                .call(asked.body(Body::empty()).unwrap())
                .await
                .unwrap();
            if answer.status() == StatusCode::NOT_FOUND {
                let body = to_bytes(answer.into_body(), 1 << 20).await.unwrap();
                let body = String::from_utf8_lossy(&body);
                if body.contains("Not found: /") {
                    unanswered.insert(request.clone());
                }
            }
        }
    }
    let told: BTreeSet<String> = NOT_ANSWERED.map(|(request, _)| request.to_owned()).into();
    assert_eq!(unanswered, told);
}
