//! Live state: asked of the ranks, and put together.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use http::StatusCode;
use incumbent_cluster_core::JobState;
use incumbent_cluster_node::api::{StateNames, StateRange, StateValue};
use incumbent_cluster_node::wire::{Form, Problem, prove};
use serde_json::{Value, json};

use super::harness::{Cluster, FakeLeader, How, Running, id, record, view, wait};

/// What ranks answer.
type Answers = Arc<dyn Fn(u32, &Value) -> Result<Value, Problem> + Send + Sync>;

type Rank = (String, String, String, u32);

/// A TaskManager whose tasks answer so.
async fn task_manager(cluster: &Cluster, answers: Answers) -> Running {
    let first = cluster.node(How::default()).await;
    let query =
        async move |Path((.., rank)): Path<Rank>, Json(question): Json<Value>| -> Response {
            if question["key"] == "slow" && rank == 1 {
                std::future::pending::<()>().await;
            }
            match answers(rank, &question) {
                Ok(answer) => Json(answer).into_response(),
                Err(problem) => problem.into_response(),
            }
        };
    let path = "/node/v1/tasks/{job}/{incarnation}/{attempt}/{rank}/query";
    let routes = Router::new().route(path, post(query));
    let node = prove(routes, &first.node.cluster().secret, Form::Streams);
    cluster
        .node(How {
            node,
            ..How::default()
        })
        .await
}

/// Two ranks: even keys are of rank 0, odd ones of rank 1; those above 9 are not there.
fn numbers(rank: u32, question: &Value) -> Result<Value, Problem> {
    if question["list"] == true {
        return Ok(json!({"states":["numbers"]}));
    }
    if question["state"] != "numbers" {
        return Ok(json!({"refused":"unknown-state","states":["numbers"]}));
    }
    if let Some(range) = question.get("range") {
        let limit = range["limit"].as_u64().unwrap() as usize;
        let from = range["from"].as_u64().unwrap_or(0);
        let to = range["to"].as_u64().unwrap_or(10);
        let mine = (from..to).filter(|key| key % 2 == u64::from(rank));
        let mine: Vec<_> = mine
            .map(|key| json!({"key":key,"value":key * key}))
            .collect();
        let first = &mine[..mine.len().min(limit)];
        return Ok(json!({"entries":first,"more":mine.len() > limit}));
    }
    if question["key"] == "slow" {
        return Ok(json!({"entries":[{"key":"slow","value":0}],"is_owner":true}));
    }
    let Some(key) = question["key"].as_u64() else {
        return Ok(json!({"refused":"bad-key","detail":"keys are numbers"}));
    };
    let is_owner = key % 2 == u64::from(rank);
    let mut entries = Vec::new();
    if is_owner && key < 10 {
        entries.push(json!({"key":key,"value":key * key}));
    }
    Ok(json!({"entries":entries,"is_owner":is_owner}))
}

#[tokio::test]
async fn a_key_a_range_and_names_are_put_together_from_all_ranks_at_any_node() {
    let cluster = Cluster::new();
    let there = task_manager(&cluster, Arc::new(numbers)).await;
    // Nobody leads.
    let node = cluster.node(How::default()).await;
    node.write(&record(id(1), 2, there.address)).await;
    let state = format!("/v1/jobs/{}/state", id(1));
    let names: StateNames = node.get(&state).send().await.json();
    assert_eq!(
        (names.states, names.attempt),
        (vec!["numbers".to_owned()], 1)
    );
    let found: StateValue = node.get(&format!("{state}/numbers/7")).send().await.json();
    assert_eq!(
        (found.value, found.rank, found.checkpoint),
        (json!(49), 1, None)
    );
    let path = format!("{state}/numbers?from=3&to=9&limit=4");
    let range: StateRange = node.get(&path).send().await.json();
    let keys: Vec<_> = range
        .entries
        .iter()
        .map(|entry| (&entry.key, entry.rank))
        .collect();
    assert_eq!(
        keys,
        [
            (&json!(3), 1),
            (&json!(4), 0),
            (&json!(5), 1),
            (&json!(6), 0)
        ]
    );
    assert!(range.more);
    let all: StateRange = node.get(&format!("{state}/numbers")).send().await.json();
    assert_eq!((all.entries.len(), all.more), (10, false));
    // The rank that owns the key has answered: the other one is not waited for.
    let found: StateValue = node
        .get(&format!("{state}/numbers/slow"))
        .send()
        .await
        .json();
    assert_eq!(found.rank, 0);
}

#[tokio::test]
async fn a_name_that_is_known_counts_while_the_leader_does_not_answer() {
    let cluster = Cluster::new();
    let there = task_manager(&cluster, Arc::new(numbers)).await;
    let fake = Arc::new(FakeLeader::default());
    fake.add(view(id(1), "job"));
    let leader = How {
        leader: Some(Arc::clone(&fake)),
        ..How::default()
    };
    let leader = cluster.node(leader).await;
    let node = cluster.node(How::default()).await;
    node.write(&record(id(1), 2, there.address)).await;
    let leadership = leader.lead().await;
    node.follows().await;
    let path = "/v1/jobs/job/state/numbers/7";
    let found: StateValue = node.get(path).send().await.json();
    assert_eq!(found.value, json!(49));
    leadership.resign(None).await;
    // For the first second the name is fresh, and the leader is not asked at all.
    wait("the leader is asked, and does not answer", async || {
        let begun = tokio::time::Instant::now();
        let found: StateValue = node.get(path).send().await.json();
        assert_eq!(found.value, json!(49));
        let took = begun.elapsed();
        // A request for a leader is held for 30 s.
        assert!(took < Duration::from_secs(15), "{took:?}");
        took >= Duration::from_millis(900)
    })
    .await;
}

#[tokio::test]
async fn what_cannot_be_answered_says_why() {
    let cluster = Cluster::new();
    let answers = |rank: u32, question: &Value| {
        let problem = |status: StatusCode, kind: &str| Err(Problem::new(status, kind, "no", "no"));
        match question["key"].as_str() {
            Some("late") if rank == 1 => problem(StatusCode::GATEWAY_TIMEOUT, "slow-task"),
            Some("none") => problem(StatusCode::CONFLICT, "not-queryable"),
            Some("many") => problem(StatusCode::SERVICE_UNAVAILABLE, "too-many"),
            Some("bad") => problem(StatusCode::BAD_GATEWAY, "bad-answer"),
            Some("large") => problem(StatusCode::BAD_GATEWAY, "answer-too-large"),
            Some("gone") => problem(StatusCode::NOT_FOUND, "not-found"),
            Some("late") => Ok(json!({})),
            _ => numbers(rank, question),
        }
    };
    let there = task_manager(&cluster, Arc::new(answers)).await;
    let node = cluster.node(How::default()).await;
    let mut suspended = record(id(2), 2, there.address);
    suspended.state = JobState::Suspended;
    node.write(&record(id(1), 2, there.address)).await;
    node.write(&suspended).await;
    node.write(&record(id(4), 2, "127.0.0.1:1".parse().unwrap()))
        .await;
    for (job, rest, status, name) in [
        (1, "/numbers/11", 404, "no-such-key"),
        (1, "/numbers/word", 400, "bad-key"),
        (1, "/others/7", 404, "unknown-state"),
        (1, "/others", 404, "unknown-state"),
        (1, "/numbers?limit=0", 400, "bad-request"),
        (1, "/numbers?limit=1001", 400, "bad-request"),
        (1, "/numbers?limit=x", 400, "bad-request"),
        (1, "/numbers?as-of=yesterday", 400, "bad-request"),
        (1, "/numbers/x?key-type=json", 400, "bad-request"),
        (1, "/numbers/x?key-type=number", 400, "bad-request"),
        (1, "/numbers/late", 504, "slow-task"),
        (1, "/numbers/none", 409, "not-queryable"),
        (1, "/numbers/many", 503, "too-many"),
        (1, "/numbers/bad", 502, "bad-answer"),
        (1, "/numbers/large", 502, "answer-too-large"),
        (1, "/numbers/gone", 502, "node-unreached"),
        (1, "/numbers/7?as-of=checkpoint", 404, "no-checkpoint"),
        (2, "/numbers/7", 409, "not-running"),
        (3, "/numbers/7", 404, "not-found"),
        (4, "/numbers/7", 502, "node-unreached"),
    ] {
        let path = format!("/v1/jobs/{}/state{rest}", id(job));
        let reply = node.get(&path).send().await;
        let problem = reply.problem();
        assert_eq!(
            (problem.status, problem.name()),
            (status, name),
            "{path}: {problem:?}"
        );
        if name == "slow-task" {
            assert!(problem.detail.contains("Rank 1 of job"), "{problem:?}");
        }
    }
}

#[tokio::test]
async fn a_job_that_has_stored_nothing_and_does_not_run_is_not_to_be_asked_in_another_way() {
    let cluster = Cluster::new();
    let node = cluster.node(How::default()).await;
    let mut failed = record(id(1), 2, "127.0.0.1:1".parse().unwrap());
    failed.state = JobState::Failed;
    node.write(&failed).await;
    for (query, name) in [("", "not-running"), ("?as-of=checkpoint", "no-checkpoint")] {
        let path = format!("/v1/jobs/{}/state/numbers/7{query}", id(1));
        let problem = node.get(&path).send().await.problem();
        assert_eq!(problem.name(), name);
        let detail = &problem.detail;
        assert!(detail.contains("makes no checkpoints"), "{detail}");
        assert!(!detail.contains("as-of"), "{detail}");
    }
}

#[tokio::test]
async fn keys_that_are_strings_are_found_also_if_they_look_like_numbers() {
    let cluster = Cluster::new();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&asked);
    let answers = move |_: u32, question: &Value| {
        seen.lock().unwrap().push(question["key"].clone());
        Ok(match question["key"].as_str() {
            Some(key) => json!({"entries":[{"key":key,"value":1}],"is_owner":true}),
            None => {
                json!({"refused":"bad-key","detail":"invalid type: integer, expected a string"})
            }
        })
    };
    let there = task_manager(&cluster, Arc::new(answers)).await;
    let node = cluster.node(How::default()).await;
    node.write(&record(id(1), 1, there.address)).await;
    let state = format!("/v1/jobs/{}/state/zips", id(1));
    let found: StateValue = node.get(&format!("{state}/10115")).send().await.json();
    assert_eq!(found.key, json!("10115"));
    assert_eq!(*asked.lock().unwrap(), [json!(10115), json!("10115")]);
    asked.lock().unwrap().clear();
    let path = format!("{state}/10115?key-type=text");
    let found: StateValue = node.get(&path).send().await.json();
    assert_eq!(found.key, json!("10115"));
    assert_eq!(*asked.lock().unwrap(), [json!("10115")]);
    let slash: StateValue = node.get(&format!("{state}/a%2Fb%20c")).send().await.json();
    assert_eq!(slash.key, json!("a/b c"));
}

#[tokio::test]
async fn a_job_that_has_moved_is_found_where_it_is_now() {
    let cluster = Cluster::new();
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let answers = move |_: u32, _: &Value| {
        // The task that the kept record names has ended.
        match counted.fetch_add(1, Ordering::SeqCst) {
            1 => Err(Problem::not_found("it has ended")),
            _ => Ok(json!({"entries":[{"key":1,"value":2}]})),
        }
    };
    let there = task_manager(&cluster, Arc::new(answers)).await;
    let node = cluster.node(How::default()).await;
    node.write(&record(id(1), 1, there.address)).await;
    let path = format!("/v1/jobs/{}/state/x/1", id(1));
    for _ in 0..2 {
        let found: StateValue = node.get(&path).send().await.json();
        assert_eq!(found.value, json!(2));
    }
    assert_eq!(calls.load(Ordering::SeqCst), 3);
}

/// Not a claim: what a query costs, through a node that is neither leader nor owner.
#[tokio::test]
#[expect(clippy::print_stderr, reason = "a figure for people")]
async fn a_thousand_queries_are_answered_and_their_times_are_printed() {
    let cluster = Cluster::new();
    let there = task_manager(&cluster, Arc::new(numbers)).await;
    let node = cluster.node(How::default()).await;
    node.write(&record(id(1), 2, there.address)).await;
    let mut times = Vec::new();
    for number in 0..1000 {
        let begun = tokio::time::Instant::now();
        let path = format!("/v1/jobs/{}/state/numbers/{}", id(1), number % 10);
        assert_eq!(node.get(&path).send().await.status, 200);
        times.push(begun.elapsed());
    }
    times.sort_unstable();
    let of = |part: usize| -> Duration { times[times.len() * part / 1000] };
    eprintln!(
        "query of a key: p50 {:?}, p99 {:?}, max {:?}",
        of(500),
        of(990),
        of(999)
    );
}
