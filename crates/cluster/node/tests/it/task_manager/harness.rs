//! A leader that does what the tests say, and TaskManagers in processes of their own.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command as Program, Stdio};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use incumbent_cluster_blobs::Blobs;
use incumbent_cluster_core::message::{
    Ack, Command, ContractReport, Deploy, EndedHow, NodeInfo, Order, Refused, Report, TaskEnd,
    TaskState,
};
use incumbent_cluster_core::{
    Attempt, Incarnation, Isolation, JobId, NodeNonce, Rank, Seal, TaskId,
};
use incumbent_cluster_node::task_manager::{FrameDecoder, LogPiece};
use incumbent_cluster_node::wire::{Form, ORDERS, Orders, Outcomes, Problem, REPORTS, prove, task};
use incumbent_cluster_node::{ENDPOINT, Node, NodeOptions};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::task::JoinHandle;

/// Generous: nothing here takes so long unless it fails.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

const PROBE: &str = env!("CARGO_BIN_EXE_task-manager-probe");

/// The directories of one cluster.
pub(super) struct Cluster {
    pub(super) dir: TempDir,
}

/// A process of a TaskManager. It is killed when the test ends.
pub(super) struct Process(Child);

/// A leader.
pub(super) struct Leader {
    pub(super) node: Node,
    pub(super) seal: Seal,
    shared: Arc<Shared>,
    serving: JoinHandle<()>,
    orders: AtomicU64,
}

struct Shared {
    seal: Seal,
    known: Mutex<Known>,
}

/// What TaskManagers have reported.
#[derive(Clone, Default)]
pub(super) struct Known {
    pub(super) nonce: Option<NodeNonce>,
    pub(super) info: Option<NodeInfo>,
    pub(super) ports: Vec<u16>,
    pub(super) tasks: BTreeMap<TaskId, TaskState>,
    pub(super) contracts: BTreeMap<TaskId, ContractReport>,
    pub(super) progress: BTreeMap<TaskId, String>,
    pub(super) is_draining: bool,
    pub(super) has_blobs: bool,
    pub(super) reports: u64,
    pub(super) full_reports: u64,
    /// Reports are not acknowledged.
    pub(super) is_mute: bool,
}

impl Cluster {
    pub(super) fn new() -> Self {
        Self {
            dir: TempDir::new().unwrap(),
        }
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(super) fn ha(&self) -> String {
        format!("file://{}", self.path("store").display())
    }

    pub(super) fn blobs_url(&self) -> String {
        format!("file://{}", self.path("blobs").display())
    }

    /// The blobs, as another process sees them.
    pub(super) async fn blobs(&self, leader: &Leader) -> Blobs {
        let blobs = Blobs::open(&self.blobs_url()).await.unwrap();
        blobs.belongs_to(&leader.node.cluster().id).await.unwrap();
        blobs
    }

    /// Somebody who leads, and takes reports.
    pub(super) async fn leader(&self) -> Leader {
        let listen = SocketAddr::from(([127, 0, 0, 1], 0));
        let options = NodeOptions::new(self.ha(), self.blobs_url(), listen);
        let listener = options.bind().await.unwrap();
        let bound = listener.local_addr().unwrap();
        let node = Node::open(options, bound).await.unwrap();
        let leadership = node.group().candidate().unwrap().campaign().await;
        let endpoint = ENDPOINT.parse().unwrap();
        leadership.publish(&endpoint, &node.url()).await.unwrap();
        leadership.activate().await.unwrap();
        let seal = leadership.seal();
        let shared = Arc::new(Shared {
            seal,
            known: Mutex::default(),
        });
        let router = Router::new().route(REPORTS, post(report));
        let router = router.with_state(Arc::clone(&shared));
        let router = prove(router, &node.cluster().secret, Form::Whole);
        let serving = tokio::spawn(async move {
            let _leadership = leadership;
            axum::serve(listener, router).await.unwrap();
        });
        Leader {
            node,
            seal,
            shared,
            serving,
            orders: AtomicU64::new(1),
        }
    }

    /// A TaskManager that is called `a`.
    pub(super) fn task_manager(&self, options: &[&str]) -> Process {
        self.task_manager_in(&self.path("work"), options)
    }

    pub(super) fn task_manager_in(&self, dir: &Path, options: &[&str]) -> Process {
        let mut program = Program::new(PROBE);
        program.args([self.ha(), self.blobs_url()]).arg(dir);
        program.arg("name=a").args(options).stdin(Stdio::null());
        program.env("SECRET_OF_THE_TASK_MANAGER", "secret");
        Process(program.spawn().unwrap())
    }

    /// Both, when the TaskManager has registered.
    pub(super) async fn running(options: &[&str]) -> (Self, Leader, Process) {
        let cluster = Self::new();
        let leader = cluster.leader().await;
        let process = cluster.task_manager(options);
        leader.registered().await;
        (cluster, leader, process)
    }
}

impl Process {
    pub(super) fn pid(&self) -> i32 {
        self.0.id().cast_signed()
    }

    pub(super) fn signal(&self, signal: Signal) {
        kill(self.pid(), signal);
    }

    /// Kills it, and waits until it is gone. Its guards may still be there.
    pub(super) fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }

    /// Waits until it ends by itself.
    pub(super) async fn ended(&mut self) -> std::process::ExitStatus {
        let mut status = None;
        eventually("the TaskManager has ended", || {
            status = self.0.try_wait().unwrap();
            status.is_some()
        })
        .await;
        status.unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

async fn report(
    State(shared): State<Arc<Shared>>,
    Json(report): Json<Report>,
) -> Result<Json<Ack>, Problem> {
    let mut known = shared.known.lock().unwrap();
    if known.is_mute {
        return Err(Problem::not_leading());
    }
    known.nonce = Some(report.from);
    known.reports += 1;
    if report.is_full {
        known.full_reports += 1;
        known.tasks.clear();
        known.contracts.clear();
    }
    if let Some(info) = report.node {
        known.info = Some(info);
    }
    if let Some(ports) = report.ports {
        known.ports = ports;
    }
    known.is_draining = report.is_draining;
    known.has_blobs = report.has_blobs;
    for task in report.tasks {
        known.tasks.insert(task.task, task.state);
        known.contracts.insert(task.task, task.contract);
        if let Some(progress) = task.progress {
            known.progress.insert(task.task, progress);
        }
    }
    Ok(Json(ack(shared.seal, report.seq)))
}

fn ack(seal: Seal, seq: u64) -> Ack {
    Ack {
        seal,
        seq,
        is_registered: true,
        forget: Vec::new(),
        refused: None,
    }
}

impl Leader {
    pub(super) fn known(&self) -> Known {
        self.shared.known.lock().unwrap().clone()
    }

    /// Whether reports are refused from now on.
    pub(super) fn mute(&self, is_mute: bool) {
        self.shared.known.lock().unwrap().is_mute = is_mute;
    }

    /// Waits for what was reported.
    pub(super) async fn told(&self, what: &str, mut is_so: impl FnMut(&Known) -> bool) -> Known {
        eventually(what, || is_so(&self.known())).await;
        self.known()
    }

    pub(super) async fn registered(&self) -> Known {
        let is_there = |known: &Known| {
            known.info.is_some() && !known.ports.is_empty() && !known.ports.contains(&0)
        };
        self.told("a TaskManager registers", is_there).await
    }

    /// Where orders go.
    pub(super) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.known().info.unwrap().port)
    }

    pub(super) async fn order(&self, command: Command) -> Option<Refused> {
        self.order_as(self.seal, command).await
    }

    pub(super) async fn order_as(&self, seal: Seal, command: Command) -> Option<Refused> {
        let order = Order {
            seal,
            to: self.known().nonce.unwrap(),
            seq: self.orders.fetch_add(1, Ordering::Relaxed),
            command,
        };
        let orders = Orders {
            orders: vec![order],
        };
        let (client, to) = (self.node.client(), self.address());
        let outcomes = client.post::<Outcomes>(&to, ORDERS, &orders, PATIENCE);
        outcomes.await.unwrap().refused.remove(0)
    }

    /// A task of one rank in the first slot, of a job that is fenced.
    pub(super) fn deploy(&self, command: &[&str]) -> Deploy {
        static JOBS: AtomicU32 = AtomicU32::new(1);
        let port = self.known().ports[0];
        Deploy {
            task: TaskId {
                job: JobId::new(u128::from(JOBS.fetch_add(1, Ordering::Relaxed))),
                incarnation: Incarnation::new(7),
                attempt: Attempt(1),
                rank: Rank(0),
            },
            slot: 0,
            port,
            name: "test".to_owned(),
            tasks: 1,
            peers: vec![format!("127.0.0.1:{port}")],
            command: command.iter().map(|&word| word.to_owned()).collect(),
            env: Vec::new(),
            env_files: Vec::new(),
            artifact: None,
            is_checkpointing: false,
            restore: None,
            isolation: Isolation::Fenced,
            grace_ms: 10_000,
        }
    }

    pub(super) fn shell(&self, script: &str) -> Deploy {
        self.deploy(&["sh", "-c", script])
    }

    pub(super) async fn start(&self, deploy: &Deploy) {
        let refused = self.order(Command::Deploy(Box::new(deploy.clone()))).await;
        assert_eq!(refused, None);
    }

    /// Starts a task, and returns its process id when that was reported.
    pub(super) async fn run(&self, deploy: &Deploy) -> i32 {
        self.start(deploy).await;
        self.running(deploy).await
    }

    pub(super) async fn running(&self, deploy: &Deploy) -> i32 {
        let mut pid = None;
        let known = self
            .told("the task runs", |known| {
                match known.tasks.get(&deploy.task) {
                    Some(TaskState::Running { pid: reported, .. }) => pid = Some(*reported),
                    Some(TaskState::Ended(_)) => return true,
                    _ => {}
                }
                pid.is_some()
            })
            .await;
        let pid = pid.unwrap_or_else(|| panic!("{:?}", known.tasks.get(&deploy.task)));
        pid.cast_signed()
    }

    pub(super) async fn end(&self, deploy: &Deploy, grace_ms: u64) {
        let task = deploy.task;
        let refused = self.order(Command::End { task, grace_ms }).await;
        assert_eq!(refused, None);
    }

    /// Waits for the end of a task.
    pub(super) async fn ended(&self, deploy: &Deploy) -> TaskEnd {
        let is_ended =
            |known: &Known| matches!(known.tasks.get(&deploy.task), Some(TaskState::Ended(_)));
        let known = self.told("the task has ended", is_ended).await;
        match &known.tasks[&deploy.task] {
            TaskState::Ended(end) => end.clone(),
            other => unreachable!("{other:?}"),
        }
    }

    /// Why a task was not started.
    pub(super) async fn not_started(&self, deploy: &Deploy) -> String {
        match self.ended(deploy).await.how {
            EndedHow::NotStarted { why } => why,
            other => panic!("{other:?}"),
        }
    }

    /// Waits until the log, as it is asked for, is what is wanted, and returns it.
    #[expect(
        clippy::disallowed_methods,
        reason = "other processes have no clock that could be paused"
    )]
    pub(super) async fn printed(
        &self,
        deploy: &Deploy,
        query: &str,
        is_wanted: impl Fn(&str) -> bool,
    ) -> String {
        let start = Instant::now();
        loop {
            let log = self.log(deploy, query).await;
            if is_wanted(&log) {
                return log;
            }
            assert!(start.elapsed() < PATIENCE, "it printed {log:?}");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// Whether the TaskManager has the log of this task.
    pub(super) async fn has_log(&self, deploy: &Deploy) -> bool {
        let path = format!("{}/log", task(&deploy.task));
        let request = Request::new(Body::empty());
        let (client, to) = (self.node.client(), self.address());
        let answer = client.stream(&to, &path, request).await.unwrap();
        answer.status() != StatusCode::NOT_FOUND
    }

    /// What a task has printed so far, or all of it if `follow=true` is asked. Gaps are shown.
    pub(super) async fn log(&self, deploy: &Deploy, query: &str) -> String {
        let path = format!("{}/log?{query}", task(&deploy.task));
        let request = Request::new(Body::empty());
        let client = self.node.client();
        let answer = client
            .stream(&self.address(), &path, request)
            .await
            .unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        let mut decoder = FrameDecoder::default();
        decoder.push(&body);
        let mut text = String::new();
        while let Some(piece) = decoder.next_piece().unwrap() {
            match piece {
                LogPiece::Bytes { bytes, .. } => text += std::str::from_utf8(&bytes).unwrap(),
                LogPiece::Dropped { from, to } => text += &format!("[{from}..{to}]"),
            }
        }
        assert!(decoder.ended_at().is_some(), "it broke off after {text:?}");
        text
    }

    /// The status and the text that the HTTP of a task answers.
    pub(super) async fn http(
        &self,
        deploy: &Deploy,
        path: &str,
        request: Request<Body>,
    ) -> (http::response::Parts, String) {
        let path = format!("{}/http/{path}", task(&deploy.task));
        let client = self.node.client();
        let answer = client
            .stream(&self.address(), &path, request)
            .await
            .unwrap();
        let (head, body) = answer.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        (head, String::from_utf8_lossy(&body).into_owned())
    }
}

impl Drop for Leader {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

pub(super) fn kill(pid: i32, signal: Signal) {
    kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
}

/// Whether the process still runs. A process that waits to be reaped does not.
pub(super) fn runs(pid: i32) -> bool {
    state(pid).is_some_and(|state| !matches!(state, 'Z' | 'X'))
}

/// The process that started another one.
pub(super) fn parent(pid: i32) -> i32 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let (_, fields) = stat.rsplit_once(") ").unwrap();
    fields.split(' ').nth(1).unwrap().parse().unwrap()
}

/// The state of a process, as `/proc` shows it.
pub(super) fn state(pid: i32) -> Option<char> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, fields) = stat.rsplit_once(") ")?;
    fields.chars().next()
}

/// Polls until `condition` holds.
#[expect(
    clippy::disallowed_methods,
    reason = "other processes have no clock that could be paused"
)]
pub(super) async fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(
            start.elapsed() < PATIENCE,
            "not within {PATIENCE:?}: {what}"
        );
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
