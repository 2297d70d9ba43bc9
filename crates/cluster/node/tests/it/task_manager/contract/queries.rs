//! Queries of a task's state: how they come to it and back, and what it does wrong.

use bytes::Bytes;
use futures::future::join;
use http::{Method, StatusCode};
use incumbent_cluster_node::wire::{self, WireError};
use serde_json::{Value, json};

use super::super::harness::{Cluster, Leader, PATIENCE};
use super::client::Task;

const ALICE: &str = r#"{"state":"totals","key":"alice"}"#;

/// Asks as another node does.
async fn ask(leader: &Leader, task: &Task, question: &str) -> Result<Value, (u16, String)> {
    let (client, to) = (leader.node.client(), leader.address());
    let path = format!("{}/query", wire::task(&task.id()));
    let question = Bytes::copy_from_slice(question.as_bytes());
    let asked = client.whole(Method::POST, &to, &path, question, PATIENCE);
    match asked.await {
        Ok(answer) => Ok(serde_json::from_slice(&answer).unwrap()),
        Err(WireError::Refused { problem, .. }) => Err((problem.status, problem.kind)),
        Err(error) => panic!("{error}"),
    }
}

fn id(line: &str) -> String {
    let line: Value = serde_json::from_str(line).unwrap();
    format!("/v1/queries/{}", line["id"].as_str().unwrap())
}

fn refused(status: u16, kind: &str) -> Result<Value, (u16, String)> {
    Err((status, format!("urn:incumbent:{kind}")))
}

#[tokio::test]
async fn a_task_that_reads_queries_answers_those_of_other_nodes() {
    let (_cluster, leader, _process) = Cluster::running(&[]).await;
    // It need not checkpoint.
    let task = Task::start_as(&leader, |_| {}).await;
    let unread = ask(&leader, &task, ALICE).await;
    assert_eq!(unread, refused(409, "not-queryable"));
    let mut lines = task.lines("/v1/queries").await;
    let answering = async {
        let line = lines.next().await;
        let asked: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(
            (&asked["state"], &asked["key"]),
            (&json!("totals"), &json!("alice"))
        );
        let answer = r#"{"entries":[{"key":"alice","value":{"n":3}}],"is_owner":true}"#;
        let answered = task.post(&id(&line), answer).await;
        assert_eq!(answered.status, StatusCode::OK, "{answered:?}");
        task.post(&id(&line), answer)
            .await
            .is_problem(404, "no-such-query");
    };
    let (answer, ()) = join(ask(&leader, &task, ALICE), answering).await;
    let expected =
        json!({"entries":[{"key":"alice","value":{"n":3}}],"is_owner":true,"more":false});
    assert_eq!(answer, Ok(expected));
    leader.end(&task.deploy, 0).await;
    task.ended(&leader).await;
    let ended = ask(&leader, &task, ALICE).await;
    assert_eq!(ended, refused(404, "not-found"));
}

#[tokio::test]
async fn a_query_whose_reader_is_gone_is_given_to_the_next_one() {
    let (_cluster, leader, _process) = Cluster::running(&[]).await;
    let task = Task::start(&leader).await;
    let mut first = task.lines("/v1/queries").await;
    let answering = async {
        let line = first.next().await;
        let mut second = task.lines("/v1/queries").await;
        assert_eq!(second.next().await, line);
        assert_eq!(
            first.try_next().await,
            None,
            "the newest reader is the only one"
        );
        let answer = r#"{"refused":"unknown-state","states":["counts"]}"#;
        assert_eq!(task.post(&id(&line), answer).await.status, StatusCode::OK);
    };
    let (answer, ()) = join(ask(&leader, &task, ALICE), answering).await;
    assert_eq!(answer.unwrap()["states"], json!(["counts"]));
}

#[tokio::test]
async fn what_is_no_answer_is_told_to_the_task_and_to_whoever_asked() {
    let (_cluster, leader, _process) = Cluster::running(&[]).await;
    let task = Task::start(&leader).await;
    let mut lines = task.lines("/v1/queries").await;
    for body in [
        "",
        "no JSON",
        r#"{"entries":{}}"#,
        r#"{"entries":[{"key":1}]}"#,
        r#"{"values":[]}"#,
        r#"{"refused":"other"}"#,
    ] {
        let answering = async {
            let path = id(&lines.next().await);
            task.post(&path, body).await.is_problem(400, "bad-request");
            task.post(&path, "{}")
                .await
                .is_problem(404, "no-such-query");
        };
        let (answer, ()) = join(ask(&leader, &task, ALICE), answering).await;
        assert_eq!(answer, refused(502, "bad-answer"), "{body}");
    }
    let answering = async {
        let path = id(&lines.next().await);
        let large = task.ask(Method::POST, &path, vec![b' '; 1024 * 1024 + 1]);
        large.await.is_problem(413, "too-large");
    };
    let (answer, ()) = join(ask(&leader, &task, ALICE), answering).await;
    assert_eq!(answer, refused(502, "answer-too-large"));
    task.post("/v1/queries/9999", "{}")
        .await
        .is_problem(404, "no-such-query");
    task.post("/v1/queries/one", "{}")
        .await
        .is_problem(404, "no-such-query");
}

#[tokio::test]
async fn a_task_that_does_not_answer_holds_up_its_own_queries_only() {
    let (_cluster, leader, _process) = Cluster::running(&[]).await;
    let task = Task::start(&leader).await;
    let mut lines = task.lines("/v1/queries").await;
    let others = async {
        lines.next().await;
        // It has read it, and says nothing; everything else goes on.
        let metrics = task.put("/v1/metrics", "a 1\n").await;
        assert_eq!(metrics.status, StatusCode::OK);
        let answering = async {
            let path = id(&lines.next().await);
            assert_eq!(
                task.post(&path, r#"{"states":["a"]}"#).await.status,
                StatusCode::OK
            );
        };
        let (names, ()) = join(ask(&leader, &task, r#"{"list":true}"#), answering).await;
        assert_eq!(names.unwrap()["states"], json!(["a"]));
    };
    let (late, ()) = join(ask(&leader, &task, ALICE), others).await;
    assert_eq!(late, refused(504, "slow-task"));
}
