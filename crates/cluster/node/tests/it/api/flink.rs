//! Flink's API beside `/v1`: on any node, under the same rules, and in the way of nothing.

use std::sync::Arc;

use http::Method;
use incumbent_cluster_core::leader::Question;
use incumbent_cluster_core::view::JobView;
use incumbent_cluster_core::{Desired, JobSpec, JobState, SavepointId};
use serde_json::{Value, json};

use super::harness::{
    Ask, Cluster, FakeLeader, How, Running, checkpoints_view, id, node_view, record, spec, view,
};

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// What Flink's client says with every request, and what it does not say.
fn of_client(ask: Ask) -> Ask {
    ask.header("content-type", "application/json; charset=UTF-8")
}

/// A leader with a job that checkpoints, and another node.
async fn two(
    cluster: &Cluster,
    token: Option<&'static str>,
) -> (Running, Running, Arc<FakeLeader>) {
    let fake = Arc::new(FakeLeader::default());
    let mut spec: JobSpec = serde_json::from_value(spec("words")).unwrap();
    spec.checkpoints = Some(Default::default());
    fake.add(JobView {
        checkpoints: Some(checkpoints_view()),
        spec: Some(spec),
        ..view(id(1), "words")
    });
    let how = How {
        leader: Some(Arc::clone(&fake)),
        token,
        ..How::default()
    };
    let leader = cluster.node(how).await;
    fake.nodes
        .lock()
        .unwrap()
        .push(node_view("tm", leader.address));
    let other = cluster
        .node(How {
            token,
            ..How::default()
        })
        .await;
    (leader, other, fake)
}

fn post(node: &Running, path: &str, body: &Value) -> Ask {
    let mut ask = node.ask(Method::POST, path);
    ask.body = body.to_string().into();
    ask.header("content-type", "application/json; charset=UTF-8")
}

/// The status, and the first of the errors.
async fn refused(ask: Ask) -> (u16, String) {
    let reply = ask.send().await;
    assert_eq!(
        reply.headers["content-type"], "application/json; charset=UTF-8",
        "{reply:?}"
    );
    let body: Value = reply.json();
    assert_eq!(
        body.as_object().unwrap().len(),
        1,
        "Flink's client looks for one field: {body}"
    );
    let error = body["errors"][0].as_str().unwrap().to_owned();
    (reply.status.as_u16(), error)
}

#[tokio::test]
async fn any_node_answers_what_flinks_tools_ask_and_v1_stays_as_it_is() {
    let cluster = Cluster::new();
    let (leader, other, _) = two(&cluster, None).await;
    let _leadership = leader.lead().await;
    other.follows().await;
    let job = id(1).to_string();
    for node in [&leader, &other] {
        for path in ["/jobs/overview", "/v1/jobs/overview"] {
            let listed: Value = node.get(path).send().await.json();
            assert_eq!(listed["jobs"][0]["jid"], job);
            assert_eq!(listed["jobs"][0]["state"], "RUNNING");
        }
        let path = format!("/v1/jobs/{job}");
        let ours: JobView = node.get(&path).send().await.json();
        assert_eq!(ours.state, JobState::Running);
        let flinks: Value = of_client(node.get(&path)).send().await.json();
        assert_eq!(
            (&flinks["jid"], &flinks["state"]),
            (&json!(job), &json!("RUNNING"))
        );
        let flinks: Value = of_client(node.get("/v1/jobs")).send().await.json();
        assert_eq!(flinks["jobs"], json!([{ "id": job, "status": "RUNNING" }]));
        let ours: Value = node.get("/v1/jobs").send().await.json();
        assert_eq!(ours["jobs"][0]["state"], "running");
    }
}

#[tokio::test]
async fn a_job_is_canceled_stopped_and_rescaled_as_flink_does_it() {
    let cluster = Cluster::new();
    let (leader, other, fake) = two(&cluster, None).await;
    let _leadership = leader.lead().await;
    other.follows().await;
    let job = id(1);
    let wanted =
        json!({ job.to_string(): { "parallelism": { "lowerBound": 1, "upperBound": 3 } } });
    let path = format!("/jobs/{job}/resource-requirements");
    assert_eq!(other.put(&path, &wanted).send().await.status, 200);
    assert!(fake.asked().contains(&Question::Rescale { job, tasks: 3 }));
    let stopped = post(
        &other,
        &format!("/v1/jobs/{job}/stop"),
        &json!({ "drain": false }),
    )
    .send()
    .await;
    assert_eq!(stopped.status, 202);
    let trigger: Value = stopped.json();
    let trigger: SavepointId = trigger["request-id"].as_str().unwrap().parse().unwrap();
    let path = format!("/v1/jobs/{job}/savepoints/{trigger}");
    // The fake suspends at once.
    for node in [&leader, &other] {
        let status: Value = of_client(node.get(&path)).send().await.json();
        assert_eq!(status["status"]["id"], "COMPLETED");
        assert_eq!(status["operation"]["location"], trigger.to_string());
    }
    for path in [
        format!("/v1/jobs/{job}?mode=cancel"),
        format!("/jobs/{job}"),
    ] {
        let canceled = other.ask(Method::PATCH, &path).send().await;
        assert_eq!((canceled.status.as_u16(), canceled.text()), (202, "{}"));
    }
    assert!(fake.asked().contains(&Question::Cancel(job)));
}

/// Since 2.3 the dashboard lists applications, and jobs below them.
#[tokio::test]
async fn a_job_is_an_application_too_and_is_canceled_as_one() {
    let cluster = Cluster::new();
    let (leader, other, fake) = two(&cluster, None).await;
    let _leadership = leader.lead().await;
    other.follows().await;
    let job = id(1);
    for path in ["/applications/overview", "/v1/applications/overview"] {
        let listed: Value = other.get(path).send().await.json();
        assert_eq!(listed["applications"][0]["id"], job.to_string());
    }
    let path = format!("/applications/{job}");
    let shown: Value = other.get(&path).send().await.json();
    assert_eq!(shown["jobs"][0]["jid"], job.to_string());
    let config = other.get(&format!("{path}/jobmanager/config")).send().await;
    assert_eq!(config.status, 200);
    let failures: Value = other.get(&format!("{path}/exceptions")).send().await.json();
    assert_eq!(failures["exceptionHistory"]["entries"], json!([]));
    let (status, why) = refused(other.get(&format!("/applications/{}", id(2)))).await;
    assert_eq!(status, 404);
    assert!(why.contains("Application"), "{why}");
    assert_eq!(refused(other.get("/applications/x")).await.0, 400);
    let canceled = post(&other, &format!("{path}/cancel"), &json!({}));
    assert_eq!(canceled.send().await.status, 202);
    assert!(fake.asked().contains(&Question::Cancel(job)));
}

#[tokio::test]
async fn any_node_says_what_became_of_a_savepoint_and_removes_it() {
    let cluster = Cluster::new();
    let (leader, other, fake) = two(&cluster, None).await;
    let _leadership = leader.lead().await;
    other.follows().await;
    let job = id(1);
    // The client may draw the id, so that a request that is repeated makes one savepoint.
    let drawn = SavepointId::new(77);
    let body = json!({ "target-directory": "/tmp/x", "cancel-job": false, "triggerId": drawn.to_string() });
    for _ in 0..2 {
        let begun = post(&leader, &format!("/jobs/{job}/savepoints"), &body)
            .send()
            .await;
        assert_eq!(begun.status, 202);
        assert_eq!(
            begun.json::<Value>(),
            json!({ "request-id": drawn.to_string() })
        );
    }
    let path = format!("/jobs/{job}/savepoints/{drawn}");
    let status: Value = other.get(&path).send().await.json();
    assert_eq!(status["operation"]["location"], drawn.to_string());
    let body = json!({ "savepoint-path": format!("file:/x/savepoint-{drawn}") });
    let begun = post(&other, "/v1/savepoint-disposal", &body).send().await;
    assert_eq!(begun.status, 200);
    assert!(fake.asked().contains(&Question::RemoveSavepoint(drawn)));
    let status: Value = leader
        .get(&format!("/savepoint-disposal/{drawn}"))
        .send()
        .await
        .json();
    assert_eq!(status["status"]["id"], "COMPLETED");
    let (status, error) = refused(other.get(&path)).await;
    assert_eq!(status, 404);
    assert!(error.contains("no savepoint operation"), "{error}");
    let (status, error) = refused(post(
        &other,
        "/savepoint-disposal",
        &json!({ "savepoint-path": "/x" }),
    ))
    .await;
    assert_eq!(status, 400, "{error}");
}

#[tokio::test]
async fn what_is_wrong_is_said_in_flinks_form() {
    let cluster = Cluster::new();
    let (leader, _other, fake) = two(&cluster, None).await;
    let _leadership = leader.lead().await;
    let (job, nobody) = (id(1), "f".repeat(32));
    for (method, path, status) in [
        ("GET", format!("/jobs/{nobody}"), 404),
        ("GET", format!("/v1/jobs/{nobody}/status"), 404),
        ("PATCH", format!("/v1/jobs/{nobody}?mode=cancel"), 404),
        ("POST", format!("/jobs/{nobody}/stop"), 404),
        ("GET", "/jobs/x".to_owned(), 400),
        ("PATCH", format!("/jobs/{job}?mode=frobnicate"), 400),
        ("GET", format!("/jobs/{job}/vertices/x"), 400),
        ("GET", format!("/jobs/{job}/vertices/{nobody}"), 404),
        ("GET", format!("/jobs/{job}/checkpoints/details/99"), 404),
        ("GET", format!("/jobs/{job}/savepoints/x"), 400),
        ("GET", format!("/jobs/{job}/nothing"), 404),
        ("DELETE", "/overview".to_owned(), 404),
        ("GET", "/taskmanagers/nobody".to_owned(), 404),
        ("POST", "/jobs".to_owned(), 400),
        ("DELETE", "/cluster".to_owned(), 403),
    ] {
        let ask = leader.ask(Method::from_bytes(method.as_bytes()).unwrap(), &path);
        let (found, error) = refused(ask).await;
        assert_eq!(found, status, "{method} {path}: {error}");
    }
    for body in ["{", "[]", "\"x\"", "{\"triggerId\":\"x\"}"] {
        let mut ask = post(&leader, &format!("/jobs/{job}/savepoints"), &json!({}));
        ask.body = body.into();
        assert_eq!(refused(ask).await.0, 400, "{body}");
    }
    let is_change = |question: &Question| {
        matches!(
            question,
            Question::Cancel(_) | Question::Suspend { .. } | Question::Savepoint { .. }
        )
    };
    assert!(!fake.asked().iter().any(is_change));
}

#[tokio::test]
async fn a_foreign_page_changes_nothing_by_flinks_paths_either() {
    let cluster = Cluster::new();
    let (leader, other, fake) = two(&cluster, None).await;
    let _leadership = leader.lead().await;
    other.follows().await;
    let job = id(1);
    for node in [&leader, &other] {
        for (field, value) in [
            ("origin", "http://evil.example"),
            ("sec-fetch-site", "cross-site"),
        ] {
            for ask in [
                node.ask(Method::PATCH, &format!("/jobs/{job}?mode=cancel")),
                node.ask(Method::PATCH, &format!("/v1/jobs/{job}?mode=cancel")),
                post(node, &format!("/jobs/{job}/stop"), &json!({})),
                post(node, &format!("/jobs/{job}/savepoints"), &json!({})),
                post(node, &format!("/applications/{job}/cancel"), &json!({})),
                post(node, &format!("/v1/applications/{job}/cancel"), &json!({})),
                post(node, "/jars/upload", &json!({})),
                node.get(&format!("/jobs/{job}/yarn-cancel")),
                node.get(&format!("/v1/jobs/{job}/yarn-cancel")),
            ] {
                assert_eq!(ask.header(field, value).send().await.status, 403);
            }
        }
        // A page of another site that says nothing: an image in a mail, for example.
        assert_eq!(
            node.get(&format!("/jobs/{job}/yarn-cancel"))
                .send()
                .await
                .status,
            403
        );
        let rebound = node.get("/jobs/overview").header("host", "evil.example");
        assert_eq!(rebound.send().await.status, 403);
    }
    assert!(!fake.asked().contains(&Question::Cancel(job)));
    // Flink's own dashboard cancels so.
    let ask = other.get(&format!("/jobs/{job}/yarn-cancel"));
    assert_eq!(
        ask.header("sec-fetch-site", "same-origin")
            .send()
            .await
            .status,
        202
    );
    assert!(fake.asked().contains(&Question::Cancel(job)));
    assert_eq!(fake.jobs.lock().unwrap()[&job].desired, Desired::Canceled);
}

#[tokio::test]
async fn a_token_is_asked_for_and_passed_on() {
    let cluster = Cluster::new();
    let (leader, other, _) = two(&cluster, Some(TOKEN)).await;
    let _leadership = leader.lead().await;
    other.follows().await;
    for path in [
        "/config",
        "/jobs/overview",
        "/v1/jobs/overview",
        "/taskmanagers",
    ] {
        assert_eq!(other.get(path).send().await.status, 401, "{path}");
        let allowed = other
            .get(path)
            .header("authorization", &format!("Bearer {TOKEN}"));
        assert_eq!(allowed.send().await.status, 200, "{path}");
    }
    // Flink's client takes what is no list of errors for a success: it would say that the job is
    // canceled.
    let job = id(1);
    for (method, path) in [
        (Method::GET, "/v1/jobs/overview".to_owned()),
        (Method::PATCH, format!("/v1/jobs/{job}?mode=cancel")),
        (Method::POST, format!("/v1/jobs/{job}/savepoints")),
        (Method::GET, "/jobs/overview".to_owned()),
    ] {
        let ask = of_client(other.ask(method, &path));
        let (status, error) = refused(ask).await;
        assert_eq!(status, 401, "{path}");
        assert!(error.contains("token"), "{error}");
    }
    let ours = other.get("/v1/jobs").send().await;
    assert_eq!(ours.headers["content-type"], "application/problem+json");
}

#[tokio::test]
async fn a_foreign_name_or_page_is_refused_in_flinks_form() {
    let cluster = Cluster::new();
    let (leader, other, _) = two(&cluster, None).await;
    let _leadership = leader.lead().await;
    other.follows().await;
    let path = format!("/v1/jobs/{}?mode=cancel", id(1));
    for (name, value, why) in [
        ("host", "evil.example", "evil.example"),
        ("origin", "http://evil.example", "page"),
    ] {
        let ask = of_client(other.ask(Method::PATCH, &path)).header(name, value);
        let (status, error) = refused(ask).await;
        assert_eq!(status, 403, "{error}");
        assert!(error.contains(why), "{error}");
    }
}

#[tokio::test]
async fn a_savepoint_that_is_not_there_is_not_disposed_of() {
    let cluster = Cluster::new();
    let (leader, _other, fake) = two(&cluster, None).await;
    let _leadership = leader.lead().await;
    let body = json!({ "savepoint-path": "0".repeat(32) });
    let (status, error) = refused(post(&leader, "/savepoint-disposal", &body)).await;
    assert_eq!(status, 404, "{error}");
    let asked = fake.asked();
    let is_removal = |question: &Question| matches!(question, Question::RemoveSavepoint(_));
    assert!(!asked.iter().any(is_removal), "{asked:?}");
}

#[tokio::test]
async fn a_program_is_uploaded_to_one_node_and_run_by_another() {
    let cluster = Cluster::new();
    let (leader, other, _) = two(&cluster, None).await;
    let _leadership = leader.lead().await;
    other.follows().await;
    let uploaded: Value = upload(&leader, b"#!/bin/sh\necho INCUMBENT_TASK_SOCKET\n")
        .send()
        .await
        .json();
    assert_eq!(uploaded["status"], "success");
    let jar = uploaded["filename"]
        .as_str()
        .unwrap()
        .rsplit('/')
        .next()
        .unwrap()
        .to_owned();
    let listed: Value = leader.get("/jars").send().await.json();
    assert_eq!(listed["files"][0]["id"], jar);
    assert_eq!(listed["files"][0]["name"], "sum.jar");
    let wanted =
        json!({ "programArgsList": ["a", "b"], "parallelism": 2, "jobId": id(5).to_string() });
    for _ in 0..2 {
        let run = post(&other, &format!("/v1/jars/{jar}/run"), &wanted)
            .send()
            .await;
        assert_eq!(run.status, 200, "{run:?}");
        assert_eq!(run.json::<Value>(), json!({ "jobid": id(5).to_string() }));
    }
    let group = other.node.group();
    let written = group
        .read::<incumbent_cluster_core::JobRecord>(&id(5).record())
        .await;
    let spec = written.unwrap().unwrap().data.spec;
    assert_eq!(spec.command, ["{artifact}", "a", "b"]);
    assert_eq!((spec.tasks, spec.checkpoints.is_some()), (2, true));
    // It speaks the contract by its bytes, and its name is what it was sent as.
    assert_eq!(spec.artifact.unwrap().name, "sum.jar");
    assert_eq!(
        leader
            .ask(Method::DELETE, &format!("/jars/{jar}"))
            .send()
            .await
            .status,
        200
    );
    let (status, _) = refused(leader.ask(Method::DELETE, &format!("/jars/{jar}"))).await;
    assert_eq!(status, 400);
    let (status, error) = refused(post(
        &other,
        &format!("/jars/{jar}/run"),
        &json!({ "parallelism": 100_000 }),
    ))
    .await;
    assert!(status == 422 && error.contains("tasks"), "{status} {error}");
}

#[tokio::test]
async fn what_is_no_program_or_no_upload_is_refused_and_leaves_nothing() {
    let cluster = Cluster::new();
    let node = cluster.node(How::default()).await;
    for (content, why) in [
        (b"PK\x03\x04\x00".as_slice(), "jars of Flink"),
        (b"<html>", "begins like no program"),
        (b"", "empty"),
    ] {
        let (status, error) = refused(upload(&node, content)).await;
        assert!(status == 400 && error.contains(why), "{status} {error}");
    }
    let mut cut = upload(&node, b"#!/bin/sh\nexit\n");
    cut.body = cut.body.slice(..cut.body.len() - 20);
    let (status, error) = refused(cut).await;
    assert!(
        status == 400 && error.contains("broke off"),
        "{status} {error}"
    );
    let (status, error) = refused(post(&node, "/jars/upload", &json!({}))).await;
    assert!(status == 400 && error.contains("form"), "{status} {error}");
    let mut empty = upload(&node, b"");
    empty.body = "--XX--\r\n".into();
    let (status, error) = refused(empty).await;
    assert!(
        status == 400 && error.contains("received 0"),
        "{status} {error}"
    );
    // More is said than is sent: it is refused before.
    let large = upload(&node, b"#!").header("content-length", "99999999999");
    assert_eq!(large.open().await.status(), 413);
    for jar in [
        "x",
        "..%2F..%2Fetc%2Fpasswd",
        &format!("{}_x", "0".repeat(64)),
    ] {
        let (status, error) = refused(post(&node, &format!("/jars/{jar}/run"), &json!({}))).await;
        assert!(
            status == 400 && error.contains("does not exist"),
            "{status} {error}"
        );
    }
    let listed: Value = node.get("/jars").send().await.json();
    assert_eq!(listed["files"], json!([]));
    let kept = node.node.blobs().artifacts(None, 10).await.unwrap();
    assert!(kept.entries.is_empty());
}

#[tokio::test]
async fn a_log_is_text_whatever_a_task_prints() {
    let cluster = Cluster::new();
    let (leader, other, _) = two(&cluster, None).await;
    let _leadership = leader.lead().await;
    other.follows().await;
    other.write(&record(id(9), 1, leader.address)).await;
    let manager: Value = other.get("/taskmanagers").send().await.json();
    let manager = manager["taskmanagers"][0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    for path in [
        "/jobmanager/log",
        "/jobmanager/stdout",
        &format!("/taskmanagers/{manager}/stdout"),
    ] {
        let log = other.get(path).send().await;
        assert_eq!(log.status, 200, "{path}: {log:?}");
        assert_eq!(log.headers["content-type"], "text/plain; charset=UTF-8");
        assert_eq!(log.headers["x-content-type-options"], "nosniff");
    }
}

fn upload(node: &Running, content: &[u8]) -> Ask {
    let mut ask = node.ask(Method::POST, "/jars/upload");
    let head =
        b"--XX\r\nContent-Disposition: form-data; name=\"jarfile\"; filename=\"sum.jar\"\r\n\r\n";
    ask.body = [head.as_slice(), content, b"\r\n--XX--\r\n"]
        .concat()
        .into();
    ask.header("content-type", "multipart/form-data; boundary=XX")
}
