//! [`Task`]: a task whose process sleeps, and whose socket the test speaks on.

use std::io;
use std::path::PathBuf;

use axum::body::Body;
use bytes::Bytes;
use futures::StreamExt as _;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt as _;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use incumbent_cluster_core::message::{
    Command, ContractOrder, ContractReport, Deploy, Gang, TaskState,
};
use incumbent_cluster_core::{SavepointId, TaskId};
use serde_json::Value;
use tokio::io::AsyncWriteExt as _;
use tokio::net::UnixStream;
use tokio::sync::mpsc;

use super::super::harness::{Leader, eventually};

/// A task of a job that checkpoints.
pub(super) struct Task {
    pub(super) deploy: Deploy,
    pub(super) socket: PathBuf,
    pub(super) pid: i32,
}

/// An answer.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// The lines of `GET /v1/events`, or of queries.
pub(super) struct Events {
    body: futures::stream::BoxStream<'static, Result<Bytes, axum::Error>>,
    text: String,
}

/// A body that comes as the test sends it.
pub(super) struct Slowly(mpsc::Sender<io::Result<Bytes>>);

impl Task {
    /// Starts one that checkpoints.
    pub(super) async fn start(leader: &Leader) -> Self {
        Self::start_as(leader, |deploy| deploy.is_checkpointing = true).await
    }

    pub(super) async fn start_as(leader: &Leader, change: impl FnOnce(&mut Deploy)) -> Self {
        let mut deploy = leader.deploy(&["sleep", "1000"]);
        change(&mut deploy);
        let pid = leader.run(&deploy).await;
        let environ = std::fs::read(format!("/proc/{pid}/environ")).unwrap();
        let environ = String::from_utf8(environ).unwrap();
        let mut variables = environ.split('\0');
        let socket = variables.find_map(|line| line.strip_prefix("INCUMBENT_TASK_SOCKET="));
        Self {
            socket: socket.unwrap().into(),
            deploy,
            pid,
        }
    }

    pub(super) fn id(&self) -> TaskId {
        self.deploy.task
    }

    /// Asks on a connection of its own.
    pub(super) async fn ask(&self, method: Method, path: &str, body: impl Into<Body>) -> Reply {
        self.try_ask(method, path, body.into()).await.unwrap()
    }

    pub(super) async fn try_ask(
        &self,
        method: Method,
        path: &str,
        body: Body,
    ) -> Result<Reply, BoxError> {
        let answer = self.send(method, path, body).await?;
        let (head, body) = answer.into_parts();
        Ok(Reply {
            status: head.status,
            headers: head.headers,
            body: body.collect().await?.to_bytes(),
        })
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Body,
    ) -> Result<http::Response<hyper::body::Incoming>, BoxError> {
        let stream = TokioIo::new(UnixStream::connect(&self.socket).await?);
        let (mut sender, connection) = http1::handshake(stream).await?;
        tokio::spawn(connection);
        let request = Request::builder().method(method).uri(path);
        let request = request.header("host", "task").body(body)?;
        Ok(sender.send_request(request).await?)
    }

    pub(super) async fn get(&self, path: &str) -> Reply {
        self.ask(Method::GET, path, Body::empty()).await
    }

    pub(super) async fn post(&self, path: &str, body: &'static str) -> Reply {
        self.ask(Method::POST, path, body).await
    }

    pub(super) async fn put(&self, path: &str, body: &'static str) -> Reply {
        self.ask(Method::PUT, path, body).await
    }

    /// Stores a file of a checkpoint.
    pub(super) async fn store(&self, part: &str, file: &str, content: &'static str) {
        let path = format!("/v1/checkpoints/{part}/{file}");
        let reply = self.put(&path, content).await;
        assert_eq!(reply.status, StatusCode::CREATED, "{reply:?}");
    }

    pub(super) async fn ack(&self, number: u64) -> Reply {
        self.post(&format!("/v1/checkpoints/{number}/ack"), "")
            .await
    }

    /// A connection that the test writes on.
    pub(super) async fn raw(&self, text: &str) -> UnixStream {
        let mut stream = UnixStream::connect(&self.socket).await.unwrap();
        stream.write_all(text.as_bytes()).await.unwrap();
        stream
    }

    pub(super) async fn events(&self) -> Events {
        self.lines("/v1/events").await
    }

    /// The lines of a stream.
    pub(super) async fn lines(&self, path: &str) -> Events {
        let answer = self.send(Method::GET, path, Body::empty()).await;
        let answer = answer.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        let body = Body::new(answer.into_body()).into_data_stream();
        Events {
            body: Box::pin(body),
            text: String::new(),
        }
    }

    /// Gives an order about its attempt.
    pub(super) async fn told(&self, leader: &Leader, order: ContractOrder) {
        let refused = leader.order(contract(self.id(), order)).await;
        assert_eq!(refused, None);
    }

    pub(super) async fn asked(&self, leader: &Leader, number: u64) {
        self.told(leader, asked(number)).await;
    }

    /// Waits for what its TaskManager reports of it.
    pub(super) async fn reported(
        &self,
        leader: &Leader,
        what: &str,
        is_so: impl Fn(&ContractReport) -> bool,
    ) -> ContractReport {
        let id = self.id();
        let known = leader.told(what, |known| known.contracts.get(&id).is_some_and(&is_so));
        known.await.contracts[&id].clone()
    }

    /// Waits until it has ended.
    pub(super) async fn ended(&self, leader: &Leader) -> incumbent_cluster_core::message::TaskEnd {
        leader.ended(&self.deploy).await
    }

    pub(super) fn is_running(&self, leader: &Leader) -> bool {
        let known = leader.known();
        matches!(known.tasks.get(&self.id()), Some(TaskState::Running { .. }))
    }

    /// A body whose bytes the test sends, for a request that it makes meanwhile.
    pub(super) fn slowly() -> (Slowly, Body) {
        let (sender, mut receiver) = mpsc::channel(1);
        let bytes = futures::stream::poll_fn(move |context| receiver.poll_recv(context));
        (Slowly(sender), Body::from_stream(bytes))
    }
}

pub(super) type BoxError = Box<dyn std::error::Error + Send + Sync>;

impl Slowly {
    pub(super) async fn send(&self, bytes: impl Into<Bytes>) {
        self.0.send(Ok(bytes.into())).await.unwrap();
    }

    /// Waits until what was sent was taken, and something else would be.
    pub(super) async fn taken(&self) {
        let _permit = self.0.reserve().await.unwrap();
    }
}

impl Reply {
    /// The name of the problem that it is.
    pub(super) fn problem(&self) -> (u16, String) {
        let kind = self.headers.get("content-type").map(|kind| kind.as_bytes());
        assert_eq!(kind, Some(&b"application/problem+json"[..]), "{self:?}");
        let problem = self.json();
        let kind = problem["type"].as_str().unwrap();
        let name = kind.strip_prefix("urn:incumbent:problem:").unwrap();
        assert!(!problem["detail"].as_str().unwrap().is_empty());
        (self.status.as_u16(), name.to_owned())
    }

    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    #[track_caller]
    pub(super) fn is_problem(&self, status: u16, name: &str) {
        assert_eq!(self.problem(), (status, name.to_owned()), "{self:?}");
    }
}

impl Events {
    /// The next line; `None` at the end.
    pub(super) async fn try_next(&mut self) -> Option<String> {
        loop {
            if let Some((line, rest)) = self.text.split_once('\n') {
                let line = line.to_owned();
                self.text = rest.to_owned();
                return Some(line);
            }
            let bytes = self.body.next().await?.ok()?;
            self.text.push_str(std::str::from_utf8(&bytes).unwrap());
        }
    }

    pub(super) async fn next(&mut self) -> String {
        self.try_next().await.expect("the events go on")
    }
}

pub(super) fn contract(task: TaskId, order: ContractOrder) -> Command {
    let TaskId {
        job,
        incarnation,
        attempt,
        ..
    } = task;
    let gang = Gang {
        job,
        incarnation,
        attempt,
    };
    Command::Contract { gang, order }
}

pub(super) fn asked(number: u64) -> ContractOrder {
    let savepoint = None;
    ContractOrder::Checkpoint { number, savepoint }
}

pub(super) fn asked_savepoint(number: u64, id: u128) -> ContractOrder {
    let savepoint = Some(SavepointId::new(id));
    ContractOrder::Checkpoint { number, savepoint }
}

pub(super) fn committed(number: u64) -> ContractOrder {
    ContractOrder::Committed { number }
}

pub(super) fn aborted(number: u64) -> ContractOrder {
    ContractOrder::Aborted { number }
}

/// All files below a directory.
pub(super) fn files(dir: &std::path::Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(dir) else {
        return Vec::new();
    };
    let paths = entries.map(|entry| entry.unwrap().path());
    let all = paths.flat_map(|path| match path.is_dir() {
        true => files(&path),
        false => vec![path],
    });
    all.collect()
}

/// Waits until files of checkpoints are as wanted.
pub(super) async fn files_become(dir: PathBuf, is_so: impl Fn(&[PathBuf]) -> bool) {
    eventually("the files are as wanted", || is_so(&files(&dir))).await;
}
