//! Logs through a node that is not the TaskManager.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bytes::Bytes;
use http::StatusCode;
use incumbent::Leadership;
use incumbent_cluster_core::record::{JobRecord, JobState, Placement};
use incumbent_cluster_core::{Attempt, Incarnation, JobId, Rank, TaskId};
use incumbent_cluster_node::api::LogLine;
use incumbent_cluster_node::task_manager::{FRAMES, LOG_STREAM};
use incumbent_cluster_node::wire::{Form, prove};
use serde::Deserialize;
use tokio::sync::watch;

use super::harness::{Ask, Cluster, How, Running, Stream, id, record, spec};

/// The logs that a TaskManager has.
#[derive(Clone, Default)]
struct Logs(Arc<Mutex<HashMap<String, watch::Sender<Log>>>>);

#[derive(Clone, Debug, Default)]
struct Log {
    text: Vec<u8>,
    has_ended: bool,
    /// Breaks off all connections when it changes.
    breaks: u32,
}

#[derive(Deserialize)]
struct Wanted {
    offset: Option<usize>,
    tail: Option<usize>,
    #[serde(default)]
    follow: bool,
}

impl Logs {
    fn change(&self, attempt: u32, rank: u32, change: impl FnOnce(&mut Log)) {
        let mut logs = self.0.lock().unwrap();
        let log = logs.entry(format!("{attempt}/{rank}")).or_default();
        log.send_modify(change);
    }

    fn print(&self, attempt: u32, rank: u32, text: &str) {
        self.change(attempt, rank, |log| {
            log.text.extend_from_slice(text.as_bytes())
        });
    }

    fn end(&self, attempt: u32, rank: u32) {
        self.change(attempt, rank, |log| log.has_ended = true);
    }

    fn forget(&self) {
        self.0.lock().unwrap().clear();
    }

    async fn task_manager(&self, cluster: &Cluster) -> Running {
        let first = cluster.node(How::default()).await;
        let routes = Router::new()
            .route(
                "/node/v1/tasks/{job}/{incarnation}/{attempt}/{rank}/log",
                get(log),
            )
            .with_state(self.clone());
        let node = prove(routes, &first.node.cluster().secret, Form::Streams);
        cluster
            .node(How {
                node,
                ..How::default()
            })
            .await
    }
}

async fn log(
    State(logs): State<Logs>,
    Path((_, _, attempt, rank)): Path<(String, String, u32, u32)>,
    Query(wanted): Query<Wanted>,
) -> Response {
    let found = {
        let logs = logs.0.lock().unwrap();
        logs.get(&format!("{attempt}/{rank}"))
            .map(watch::Sender::subscribe)
    };
    let Some(log) = found else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let begin = {
        let log = log.borrow();
        match (wanted.offset, wanted.tail) {
            (Some(offset), _) => offset,
            (None, Some(tail)) => {
                let newlines = log
                    .text
                    .iter()
                    .enumerate()
                    .filter(|(_, byte)| **byte == b'\n');
                let ends: Vec<usize> = newlines.map(|(at, _)| at + 1).collect();
                ends.iter().rev().nth(tail).copied().unwrap_or(0)
            }
            (None, None) => 0,
        }
    };
    let breaks = log.borrow().breaks;
    let frames = futures::stream::unfold(Some((log, begin)), move |state| async move {
        let (mut log, offset) = state?;
        loop {
            let now = log.borrow_and_update().clone();
            if now.breaks != breaks {
                return Some((Err(io::Error::other("it breaks off")), None));
            }
            if let Some(more) = now.text.get(offset..).filter(|more| !more.is_empty()) {
                let mut frame = format!("b {offset} {}\n", more.len()).into_bytes();
                frame.extend_from_slice(more);
                return Some((Ok(Bytes::from(frame)), Some((log, now.text.len()))));
            }
            if now.has_ended || !wanted.follow {
                return Some((Ok(format!("e {offset}\n").into()), None));
            }
            if log.changed().await.is_err() {
                return Some((Err(io::Error::other("it is gone")), None));
            }
        }
    });
    ([("content-type", FRAMES)], Body::from_stream(frames)).into_response()
}

fn follow(node: &Running, job: JobId) -> Ask {
    let ask = node.get(&format!("/v1/jobs/{job}/logs?follow"));
    ask.header("accept", "text/event-stream")
}

/// The next line, and the id of its event.
async fn line(stream: &mut Stream) -> (String, LogLine) {
    loop {
        let event = stream.until("\n\n").await.expect("another event");
        let field = |name: &str| {
            let found = event.lines().find_map(|line| line.strip_prefix(name));
            found.map(str::to_owned)
        };
        let (Some(id), Some(data)) = (field("id: "), field("data: ")) else {
            assert!(!event.contains("event: end"), "{event}");
            continue;
        };
        return (id, serde_json::from_str(&data).unwrap());
    }
}

async fn text(stream: &mut Stream) -> String {
    line(stream).await.1.line
}

/// Changes the record as the leader does.
async fn commit(leadership: &Leadership, job: JobId, change: impl FnOnce(&mut JobRecord)) {
    let mut record = leadership.open::<JobRecord>(&job.record()).await.unwrap();
    let mut data = record.data().unwrap().clone();
    change(&mut data);
    record.commit(data).await.unwrap();
}

#[tokio::test]
async fn a_log_that_is_followed_goes_on_while_nobody_leads() {
    let cluster = Cluster::new();
    let logs = Logs::default();
    let there = logs.task_manager(&cluster).await;
    let (leader, front) = (
        cluster.node(How::default()).await,
        cluster.node(How::default()).await,
    );
    let leadership = leader.lead().await;
    front.write(&record(id(1), 1, there.address)).await;
    let mut following = Stream::of(follow(&front, id(1))).await;
    logs.print(1, 0, "before\n");
    assert_eq!(text(&mut following).await, "before");
    // Without a word: the lease has to run out.
    std::mem::forget(leadership);
    drop(leader);
    for number in 0..10 {
        logs.print(1, 0, &format!("after {number}\n"));
        assert_eq!(text(&mut following).await, format!("after {number}"));
    }
    // And one that begins now begins.
    let mut late = Stream::of(follow(&front, id(1))).await;
    assert_eq!(text(&mut late).await, "before");
}

#[tokio::test]
async fn a_client_that_goes_on_at_another_node_gets_each_line_once() {
    let cluster = Cluster::new();
    let logs = Logs::default();
    let there = logs.task_manager(&cluster).await;
    let (one, other) = (
        cluster.node(How::default()).await,
        cluster.node(How::default()).await,
    );
    one.write(&record(id(1), 2, there.address)).await;
    for number in 0..3 {
        logs.print(1, 0, &format!("zero {number}\n"));
        logs.print(1, 1, &format!("one {number}\n"));
    }
    let mut following = Stream::of(follow(&one, id(1))).await;
    let mut seen = Vec::new();
    let mut last = String::new();
    for _ in 0..4 {
        let (id, line) = line(&mut following).await;
        (last, _) = (id, seen.push(line.line));
    }
    drop(following);
    logs.print(1, 1, "one 3\n");
    let mut following = Stream::of(follow(&other, id(1)).header("last-event-id", &last)).await;
    for _ in 0..3 {
        seen.push(text(&mut following).await);
    }
    seen.sort();
    let expected = [
        "one 0", "one 1", "one 2", "one 3", "zero 0", "zero 1", "zero 2",
    ];
    assert_eq!(seen, expected);
    for bad in ["x", "1:0", "1:0,0,0"] {
        let refused = follow(&one, id(1))
            .header("last-event-id", bad)
            .refused()
            .await;
        assert_eq!(refused.0, 400, "{bad}");
    }
}

#[tokio::test]
async fn a_connection_that_breaks_costs_no_line_and_doubles_none() {
    let cluster = Cluster::new();
    let logs = Logs::default();
    let there = logs.task_manager(&cluster).await;
    let node = cluster.node(How::default()).await;
    node.write(&record(id(1), 1, there.address)).await;
    let mut following = Stream::of(follow(&node, id(1))).await;
    for number in 0..5 {
        logs.print(1, 0, &format!("whole {number}\nhal"));
        assert_eq!(text(&mut following).await, format!("whole {number}"));
        logs.change(1, 0, |log| log.breaks += 1);
        logs.print(1, 0, "f\n");
        assert_eq!(text(&mut following).await, "half");
    }
}

#[tokio::test]
async fn a_log_goes_on_with_the_next_attempt_and_ends_with_the_job() {
    let cluster = Cluster::new();
    let logs = Logs::default();
    let there = logs.task_manager(&cluster).await;
    let node = cluster.node(How::default()).await;
    let leadership = node.lead().await;
    // It is followed before it is placed.
    let path = format!("/v1/jobs/{}", id(1));
    assert_eq!(node.put(&path, &spec("job")).send().await.status, 201);
    let mut following = Stream::of(follow(&node, id(1))).await;
    let placed = record(id(1), 2, there.address);
    commit(&leadership, id(1), |job| {
        job.state = JobState::Running;
        job.attempt = Attempt(1);
        (job.nodes, job.placements) = (placed.nodes, placed.placements);
    })
    .await;
    logs.print(1, 0, "first\n");
    assert_eq!(
        line(&mut following).await.1,
        LogLine {
            rank: 0,
            attempt: 1,
            line: "first".into()
        }
    );
    logs.print(1, 0, "without an end");
    logs.end(1, 0);
    logs.end(1, 1);
    commit(&leadership, id(1), |job| job.state = JobState::Restarting).await;
    assert_eq!(text(&mut following).await, "without an end");
    // An attempt whose TaskManager cannot be reached any more: its tail is in the blobs.
    commit(&leadership, id(1), |job| {
        job.attempt = Attempt(3);
        job.state = JobState::Running;
    })
    .await;
    logs.print(3, 1, "third\n");
    assert_eq!(
        line(&mut following).await.1,
        LogLine {
            rank: 1,
            attempt: 3,
            line: "third".into()
        }
    );
    logs.end(3, 0);
    logs.end(3, 1);
    commit(&leadership, id(1), |job| job.state = JobState::Finished).await;
    let end = following.until("\n\n").await.unwrap();
    assert_eq!(end, "event: end\ndata: {\"state\":\"finished\"}\n\n");
    assert_eq!(following.until("\n").await, None);
    drop(leadership);
}

/// A TaskManager that is cut off from the leader may go on with an old attempt of a fenced job.
#[tokio::test]
async fn an_old_attempt_that_goes_on_somewhere_does_not_hold_up_the_next() {
    let cluster = Cluster::new();
    let logs = Logs::default();
    let there = logs.task_manager(&cluster).await;
    let node = cluster.node(How::default()).await;
    let leadership = node.lead().await;
    node.write(&record(id(1), 1, there.address)).await;
    logs.print(1, 0, "old\n");
    let mut following = Stream::of(follow(&node, id(1))).await;
    assert_eq!(text(&mut following).await, "old");
    commit(&leadership, id(1), |job| job.attempt = Attempt(2)).await;
    logs.print(2, 0, "new\n");
    let printing = {
        let logs = logs.clone();
        tokio::spawn(async move {
            loop {
                logs.print(1, 0, "old\n");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
    };
    let mut olds = 0;
    while text(&mut following).await == "old" {
        olds += 1;
        assert!(olds < 1000, "it is followed for ever");
    }
    printing.abort();
    drop(leadership);
}

#[tokio::test]
async fn a_log_whose_task_manager_is_gone_is_told_from_the_blobs() {
    let cluster = Cluster::new();
    let node = cluster.node(How::default()).await;
    let mut ended = record(id(1), 2, "127.0.0.1:1".parse().unwrap());
    ended.state = JobState::Failed;
    node.write(&ended).await;
    let task = TaskId {
        job: id(1),
        incarnation: Incarnation::new(7),
        attempt: Attempt(1),
        rank: Rank(1),
    };
    node.node
        .blobs()
        .put_log_tail(task, LOG_STREAM, "one\ntwo\nthree\n".into())
        .await
        .unwrap();
    let read = async |path: &str| {
        let reply = node.get(&format!("/v1/jobs/{}/{path}", id(1))).send().await;
        assert_eq!(reply.headers["content-type"], "text/plain; charset=utf-8");
        assert_eq!(reply.headers["x-content-type-options"], "nosniff");
        let lines = reply
            .text()
            .lines()
            .filter(|line| !line.contains("incumbent: "));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(read("tasks/1/logs").await, ["one", "two", "three"]);
    assert_eq!(read("logs?tail=2").await, ["[1] two", "[1] three"]);
    assert_eq!(
        read("logs?follow=true&rank=1").await,
        ["one", "two", "three"]
    );
}

#[tokio::test]
async fn what_is_there_is_told_without_following() {
    let cluster = Cluster::new();
    let logs = Logs::default();
    let there = logs.task_manager(&cluster).await;
    let node = cluster.node(How::default()).await;
    node.write(&record(id(1), 2, there.address)).await;
    logs.print(1, 0, "<script>\nb\nc\n");
    logs.print(1, 1, "d\n");
    let path = format!("/v1/jobs/{}", id(1));
    let read = async |rest: &str| {
        node.get(&format!("{path}{rest}"))
            .send()
            .await
            .text()
            .to_owned()
    };
    assert_eq!(read("/logs").await, "[0] <script>\n[0] b\n[0] c\n[1] d\n");
    assert_eq!(read("/tasks/0/logs?tail=2").await, "b\nc\n");
    let events = node
        .get(&format!("{path}/logs?rank=1"))
        .header("accept", "text/event-stream");
    let events = events.send().await.text().to_owned();
    assert!(
        events.ends_with("event: end\ndata: {\"state\":\"running\"}\n\n"),
        "{events}"
    );
    let many = JobRecord {
        placements: vec![
            Placement {
                node: 0,
                slot: 0,
                port: 1
            };
            300
        ],
        ..record(id(2), 300, there.address)
    };
    node.write(&many).await;
    for (rest, status) in [
        (format!("{path}/logs?rank=2"), 404),
        (format!("{path}/logs?attempt=2"), 404),
        (format!("{path}/logs?attempt=0"), 404),
        (format!("{path}/logs?follow=maybe"), 400),
        (format!("{path}/logs?tail=-1"), 400),
        (format!("/v1/jobs/{}/logs", id(2)), 400),
        (format!("/v1/jobs/{}/logs", id(3)), 404),
    ] {
        assert_eq!(node.get(&rest).refused().await.0, status, "{rest}");
    }
    logs.forget();
}
