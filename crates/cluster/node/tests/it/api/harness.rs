//! Nodes in this process on one store, and clients that say exactly what they want.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use futures::future::BoxFuture;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use incumbent::{Creation, Leadership};
use incumbent_cluster_core::leader::{Answer, Question};
use incumbent_cluster_core::record::{Desired, JobRecord, JobState, PlacedNode, Placement};
use incumbent_cluster_core::view::{
    CheckpointView, CheckpointsView, ClusterView, JobView, LeaderView, NodeKind, NodeView,
    NodeViewState, SavepointView,
};
use incumbent_cluster_core::{Attempt, Incarnation, JobId, JobSpec, NodeNonce, SavepointId};
use incumbent_cluster_node::api::{self, AskLeader};
use incumbent_cluster_node::server::{Server, ServerError, ServerOptions};
use incumbent_cluster_node::{Node, NodeOptions};
use incumbent_gateway::worker::WorkerNonce;
use incumbent_gateway::{ServerTls, UpstreamTls};
use metrics_exporter_prometheus::PrometheusBuilder;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// Generous: nothing here takes so long unless it fails.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// Pause between two looks at what is waited for.
const LOOK: Duration = Duration::from_millis(10);

/// The store and the blobs of one test.
pub(super) struct Cluster(tempfile::TempDir);

/// How a node is started.
#[derive(Default)]
pub(super) struct How {
    pub(super) token: Option<&'static str>,
    pub(super) leader: Option<Arc<FakeLeader>>,
    /// Routes of `/node/v1`.
    pub(super) node: Router,
    pub(super) nonce: Option<WorkerNonce>,
    pub(super) tls: Option<(ServerTls, UpstreamTls)>,
}

/// A node that serves.
pub(super) struct Running {
    pub(super) node: Node,
    pub(super) address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    serving: JoinHandle<()>,
}

/// Answers as a leader would, and remembers what was asked.
#[derive(Default)]
pub(super) struct FakeLeader {
    pub(super) jobs: Mutex<BTreeMap<JobId, JobView>>,
    pub(super) asked: Mutex<Vec<Question>>,
    pub(super) nodes: Mutex<Vec<NodeView>>,
}

impl Cluster {
    pub(super) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// Where the blobs are.
    pub(super) fn blobs(&self) -> std::path::PathBuf {
        self.dir("blobs")
    }

    pub(super) fn dir(&self, name: &str) -> std::path::PathBuf {
        self.0.path().join(name)
    }

    pub(super) fn store(&self) -> String {
        format!("file://{}", self.dir("ha").display())
    }

    pub(super) fn blobs_url(&self) -> String {
        format!("file://{}", self.blobs().display())
    }

    pub(super) async fn node(&self, how: How) -> Running {
        self.listening("127.0.0.1:0", how).await.unwrap()
    }

    pub(super) async fn listening(&self, listen: &str, how: How) -> Result<Running, ServerError> {
        let listener = TcpListener::bind(listen).await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut options = NodeOptions::new(self.store(), self.blobs_url(), address);
        options.token = how.token.map(str::to_owned);
        if let Some((own, others)) = how.tls {
            (options.tls, options.upstream_tls) = (Some(own), others);
        }
        let node = Node::open(options, address).await.unwrap();
        let options = ServerOptions {
            nonce: how.nonce,
            metrics: PrometheusBuilder::new().build_recorder().handle(),
            readiness: Arc::new(|| (true, json!({}))),
        };
        let server = Server::new(&node, listener, options)?;
        let leader = how.leader.map(|leader| leader as Arc<dyn AskLeader>);
        let routes = api::routes(&node, node.blobs().clone(), leader);
        // As each process of a cluster serves it.
        let routes = incumbent_cluster_flink_rest::routes(routes, node.blobs().clone());
        let (stop, stopped) = oneshot::channel::<()>();
        let serving = tokio::spawn(server.run(routes, how.node, async {
            // A sender that is gone ends it.
            let _ = stopped.await;
        }));
        Ok(Running {
            node,
            address,
            stop: Some(stop),
            serving,
        })
    }
}

impl Running {
    /// Makes this node the leader.
    pub(super) async fn lead(&self) -> Leadership {
        let leadership = self.node.group().candidate().unwrap().campaign().await;
        let endpoint = incumbent_cluster_node::ENDPOINT.parse().unwrap();
        leadership
            .publish(&endpoint, &self.node.url())
            .await
            .unwrap();
        self.node.role().leads(leadership.guard());
        leadership.activate().await.unwrap();
        leadership
    }

    /// Waits until this node passes on to a leader.
    pub(super) async fn follows(&self) {
        let ready = self.node.gateway().ready();
        tokio::time::timeout(PATIENCE, ready).await.unwrap();
    }

    /// A request of a client that names the node by its address.
    pub(super) fn get(&self, path: &str) -> Ask {
        self.ask(Method::GET, path)
    }

    pub(super) fn put(&self, path: &str, body: &Value) -> Ask {
        let mut ask = self.ask(Method::PUT, path);
        ask.body = body.to_string().into();
        ask.header("content-type", "application/json")
    }

    pub(super) fn ask(&self, method: Method, path: &str) -> Ask {
        let ask = Ask {
            to: self.address,
            method,
            path: path.to_owned(),
            headers: HeaderMap::new(),
            body: Bytes::new(),
        };
        ask.header("host", &self.address.to_string())
    }

    /// Creates a record, as if a leader had written it.
    pub(super) async fn write(&self, record: &JobRecord) {
        let created = self.node.group().create(&record.id.record(), record).await;
        assert!(matches!(created, Ok(Creation::Created(_))), "{created:?}");
    }

    /// Shuts it down in order.
    pub(super) async fn stop(mut self) {
        drop(self.stop.take());
        tokio::time::timeout(PATIENCE, &mut self.serving)
            .await
            .unwrap()
            .unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// A request.
pub(super) struct Ask {
    to: SocketAddr,
    method: Method,
    path: String,
    headers: HeaderMap,
    pub(super) body: Bytes,
}

/// An answer.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Ask {
    /// Sets a field; `host` as well.
    pub(super) fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.insert(name, value.parse().unwrap());
        self
    }

    /// Sends it on a connection of its own, and waits for the head of the answer.
    pub(super) async fn open(self) -> http::Response<Incoming> {
        let stream = TcpStream::connect(self.to).await.unwrap();
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let mut request = Request::new(Full::new(self.body));
        *request.method_mut() = self.method;
        *request.uri_mut() = self.path.parse().unwrap();
        *request.headers_mut() = self.headers;
        let answer = tokio::time::timeout(PATIENCE, sender.send_request(request));
        answer.await.expect("an answer in time").unwrap()
    }

    pub(super) async fn send(self) -> Reply {
        let (head, body) = self.open().await.into_parts();
        let body = tokio::time::timeout(PATIENCE, body.collect()).await;
        Reply {
            status: head.status,
            headers: head.headers,
            body: body.expect("a body in time").unwrap().to_bytes(),
        }
    }

    /// Sends it, and returns the status and the name of the problem.
    pub(super) async fn refused(self) -> (u16, String) {
        let reply = self.send().await;
        (reply.status.as_u16(), reply.problem().name().to_owned())
    }
}

impl Reply {
    pub(super) fn json<T: DeserializeOwned>(&self) -> T {
        let parsed = serde_json::from_slice(&self.body);
        parsed.unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub(super) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(super) fn problem(&self) -> api::Problem {
        assert_eq!(self.headers["content-type"], api::PROBLEM_JSON, "{self:?}");
        let problem: api::Problem = self.json();
        assert_eq!(problem.status, self.status.as_u16());
        assert!(
            !problem.detail.is_empty() && !problem.title.is_empty(),
            "{problem:?}"
        );
        problem
    }
}

impl FakeLeader {
    pub(super) fn add(&self, job: JobView) {
        let id = job.id.parse().unwrap();
        self.jobs.lock().unwrap().insert(id, job);
    }

    /// Whether anything was asked that changes something.
    pub(super) fn asked(&self) -> Vec<Question> {
        self.asked.lock().unwrap().clone()
    }

    fn answer(&self, question: Question) -> Answer {
        let mut jobs = self.jobs.lock().unwrap();
        let unknown =
            |what: &dyn std::fmt::Display| Answer::NotFound(format!("There is no job {what}."));
        match &question {
            Question::Jobs => Answer::Jobs(jobs.values().cloned().collect()),
            Question::Job(id) => match jobs.get(id) {
                Some(job) => Answer::Job(Box::new(job.clone())),
                None => unknown(id),
            },
            Question::JobNamed(name) => match jobs.values().find(|job| job.name == *name) {
                Some(job) => Answer::Job(Box::new(job.clone())),
                None => unknown(name),
            },
            Question::Cancel(id) => match jobs.get_mut(id) {
                Some(job) => {
                    job.state = JobState::Canceled;
                    job.desired = Desired::Canceled;
                    Answer::Job(Box::new(job.clone()))
                }
                None => unknown(id),
            },
            Question::Restart(id) => match jobs.get_mut(id) {
                Some(job) => {
                    job.attempt += 1;
                    job.restarts += 1;
                    Answer::Job(Box::new(job.clone()))
                }
                None => unknown(id),
            },
            Question::Suspend { job, savepoint } => match jobs.get_mut(job) {
                Some(found) => {
                    found.state = JobState::Suspended;
                    found.desired = Desired::Suspended;
                    if found.checkpoints.is_some() {
                        found.savepoints.push(savepoint_view(*savepoint, *job));
                    }
                    Answer::Job(Box::new(found.clone()))
                }
                None => unknown(job),
            },
            Question::Resume(id) => match jobs.get_mut(id) {
                Some(job) => {
                    job.state = JobState::Waiting;
                    job.desired = Desired::Running;
                    Answer::Job(Box::new(job.clone()))
                }
                None => unknown(id),
            },
            // Written down at once, and carried out by nobody.
            Question::Rescale { job, .. } => match jobs.get(job) {
                Some(job) => Answer::Job(Box::new(job.clone())),
                None => unknown(job),
            },
            // Made when it is asked for the second time.
            Question::Savepoint { job, savepoint } => match jobs.get_mut(job) {
                Some(found) => {
                    let answer = Answer::Job(Box::new(found.clone()));
                    let id = savepoint.to_string();
                    if !found.savepoints.iter().any(|other| other.id == id) {
                        found.savepoints.push(savepoint_view(*savepoint, *job));
                    }
                    answer
                }
                None => unknown(job),
            },
            Question::Savepoints => {
                let all = jobs.values().flat_map(|job| job.savepoints.clone());
                Answer::Savepoints(all.collect())
            }
            Question::RemoveSavepoint(id) => {
                let id = id.to_string();
                for job in jobs.values_mut() {
                    if job.savepoints.iter().any(|other| other.id == id) {
                        job.savepoints.retain(|other| other.id != id);
                        return Answer::Done;
                    }
                }
                Answer::NotFound(format!("There is no savepoint {id}."))
            }
            Question::Remove(id) => match jobs.remove(id) {
                Some(_) => Answer::Done,
                None => unknown(id),
            },
            Question::Cluster => Answer::Cluster(Box::new(self.cluster())),
            Question::Drain(node) | Question::Forget(node) if node == "tm" => Answer::Done,
            Question::Drain(node) | Question::Forget(node) => unknown(node),
        }
    }

    fn cluster(&self) -> ClusterView {
        ClusterView {
            id: "c".repeat(32),
            leader: LeaderView {
                name: "fake".into(),
                pid: 1,
                address: "127.0.0.1:1".into(),
                since: String::new(),
            },
            epoch: 1,
            nodes: self.nodes.lock().unwrap().clone(),
            slots: 0,
            slots_free: 0,
            is_complete: true,
            damaged: Vec::new(),
            refused: Vec::new(),
            pods: Vec::new(),
        }
    }
}

impl AskLeader for FakeLeader {
    fn ask(&self, question: Question) -> BoxFuture<'_, Option<Answer>> {
        self.asked.lock().unwrap().push(question.clone());
        let answer = self.answer(question);
        Box::pin(async move { Some(answer) })
    }
}

pub(super) fn id(number: u128) -> JobId {
    JobId::new(number)
}

/// A specification that can be run.
pub(super) fn spec(name: &str) -> Value {
    json!({ "name": name, "tasks": 2, "command": ["sh", "-c", "true"] })
}

/// The record of a job of so many tasks, all on one TaskManager.
pub(super) fn record(id: JobId, tasks: u32, task_manager: SocketAddr) -> JobRecord {
    let mut spec: JobSpec = serde_json::from_value(spec("job")).unwrap();
    spec.tasks = tasks;
    let place = |rank| Placement {
        node: 0,
        slot: rank,
        port: 1,
    };
    let submitted_at = "2026-01-01T00:00:00Z".to_owned();
    JobRecord {
        state: JobState::Running,
        attempt: Attempt(1),
        nodes: vec![PlacedNode {
            nonce: NodeNonce::new(1),
            name: "tm".into(),
            address: task_manager.to_string(),
            liveness: None,
        }],
        placements: (0..tasks).map(place).collect(),
        ..JobRecord::new(id, Incarnation::new(7), spec, submitted_at, 0)
    }
}

pub(super) fn view(id: JobId, name: &str) -> JobView {
    JobView {
        id: id.to_string(),
        name: name.into(),
        state: JobState::Running,
        attempt: 1,
        epoch: 1,
        tasks: Vec::new(),
        wanted_tasks: 0,
        checkpoint: None,
        checkpoints: None,
        savepoints: Vec::new(),
        restarts: 0,
        cause: None,
        desired: Desired::Running,
        intent: None,
        why: Vec::new(),
        submitted_at: format!("2026-01-01T00:00:{:02}Z", id.get() % 60),
        ended_at: None,
        incarnation: Incarnation::new(7).to_string(),
        attempts: Vec::new(),
        spec: None,
    }
}

/// A savepoint of this job.
pub(super) fn savepoint_view(id: SavepointId, job: JobId) -> SavepointView {
    SavepointView {
        id: id.to_string(),
        job: job.to_string(),
        name: format!("job-{}", job.get()),
        checkpoint: CheckpointView {
            number: 7,
            attempt: 1,
            tasks: 2,
            completed_at: format!("2026-01-01T00:01:{:02}Z", id.get() % 60),
            bytes: 1000,
            took_ms: 20,
            savepoint: Some(id.to_string()),
        },
        has_job: true,
    }
}

/// What a job that checkpoints shows of that, before its first one.
pub(super) fn checkpoints_view() -> CheckpointsView {
    CheckpointsView {
        interval_ms: 1000,
        completed: Vec::new(),
        pending: None,
        last_aborted: None,
        aborted_in_row: 0,
        given_up: None,
        restored_from: None,
    }
}

pub(super) fn node_view(name: &str, address: SocketAddr) -> NodeView {
    NodeView {
        kind: NodeKind::TaskManager,
        name: name.into(),
        nonce: NodeNonce::new(1).to_string(),
        pid: 1,
        address: address.to_string(),
        slots: 1,
        slots_free: 1,
        state: NodeViewState::Live,
        silent_ms: 0,
        version: None,
        seen: None,
        advertised: None,
    }
}

/// Waits until this is so.
pub(super) async fn wait(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let waited = tokio::time::timeout(PATIENCE, async {
        while !is_so().await {
            tokio::time::sleep(LOOK).await;
        }
    });
    assert!(waited.await.is_ok(), "not in time: {what}");
}

/// An answer that goes on, piece by piece.
pub(super) struct Stream {
    body: Incoming,
    text: String,
}

impl Stream {
    pub(super) async fn of(ask: Ask) -> Self {
        let answer = ask.open().await;
        assert_eq!(answer.status(), StatusCode::OK, "{answer:?}");
        Self {
            body: answer.into_body(),
            text: String::new(),
        }
    }

    /// The text up to and with the next `end`; `None` if the answer ended before.
    pub(super) async fn until(&mut self, end: &str) -> Option<String> {
        loop {
            if let Some(at) = self.text.find(end) {
                let rest = self.text.split_off(at + end.len());
                return Some(std::mem::replace(&mut self.text, rest));
            }
            let frame = tokio::time::timeout(PATIENCE, self.body.frame()).await;
            let bytes = frame
                .expect("something in time")?
                .ok()?
                .into_data()
                .unwrap();
            self.text.push_str(std::str::from_utf8(&bytes).unwrap());
        }
    }
}
