//! The TaskManager: a process with slots, which performs what the machine
//! [`TaskManager`](incumbent_cluster_core::task_manager::TaskManager) decides.
//!
//! ```text
//!   orders ── routes.rs ──► driver.rs ── events + time ──► TaskManager ── actions ──┐
//!   the leader, its acknowledgements ──►  ▲                                         ▼
//!                                         │    task/: guard ─► process     reporter.rs: to the leader
//!                                         └─── ends ──┘  └─► log/ ─► kept.rs ─► blobs
//!   logs, a task's own HTTP ── routes.rs, TaskManagerHandle ──► tasks.rs
//! ```
//!
//! # What holds
//!
//! - **A task that should be dead is dead.** Each runs under a guard, which ends it when this
//!   process dies, and at the isolation timeout of an exclusive job whatever this process does
//!   (R8). Guards hold the socket of the liveness endpoint until their tasks are gone, so that a
//!   refused connection there proves them dead (R9).
//! - **An end is reported when the guard says so**, and never before.
//! - **Nothing that a task does stops the TaskManager**: printing without end, forking, ignoring
//!   SIGTERM, filling the disk. Nor does a reader of logs that is slow.
//! - **No wall clock decides anything.** Times are those of the boot clock; people are shown
//!   others.
//!
//! # Limits
//!
//! | what | limit | when it is reached |
//! |---|---|---|
//! | slots | [`MOST_SLOTS`] | refused at the start |
//! | tasks that are being started | [`MOST_STARTING`] | more wait their turn |
//! | the log of a task | [`LOG_FILES`] files of [`LOG_FILE`] bytes | the older file goes; readers are told |
//! | logs of ended tasks | [`KEPT_LOGS`], [`KEPT_LOG_BYTES`] | the oldest go; their tails are in the blobs |
//! | tail in the blobs | [`LOG_TAIL`] | the end is kept |
//! | artifacts that no task uses | [`ARTIFACT_CACHE`] | the one that was used longest ago goes |
//! | draining | [`DRAIN`] | what is left is ended |
//!
//! Those of the task socket are in `contract/`.

mod artifacts;
mod blob_health;
mod contract;
mod driver;
mod gangs;
mod handle;
mod kept;
mod leftovers;
mod log;
mod metrics;
mod options;
mod ports;
mod reporter;
mod routes;
mod run;
mod task;
mod task_http;
mod tasks;
mod usage;
mod work_dir;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::DefaultBodyLimit;
use incumbent::LivenessServer;
use incumbent_cluster_core::NodeNonce;
use incumbent_cluster_core::message::NodeInfo;
use incumbent_cluster_core::record::LivenessAddress;
use tokio::sync::{Semaphore, mpsc};

pub use artifacts::ARTIFACT_CACHE;
pub use contract::{
    HEAD_TIME, LARGEST_ACK, LARGEST_ALL_METRICS, LARGEST_HEAD, LARGEST_QUERY_ANSWER,
    LARGEST_TASK_METRICS, MOST_CONNECTIONS, MOST_OF_TASK, MOST_QUERIES, MOST_TRANSFERS, QUERY_TIME,
    UNREAD_TIME, Unanswered, task_document,
};
pub use handle::{Gone, TaskManagerHandle};
pub use kept::{KEPT_LOG_BYTES, KEPT_LOGS, KeptLimits, LOG_TAIL};
pub use log::{
    FRAMES, FrameDecoder, FrameError, LOG_FILE, LOG_FILES, LOG_STREAM, LogFrom, LogLimits,
    LogPiece, LogRead, TaskLog,
};
pub use options::{DRAIN, HEARTBEAT, MOST_SLOTS, PATIENCE, TaskManagerOptions};
pub use run::run_task_manager;
pub use task::MOST_STARTING;
pub use task_http::NoAnswer;

use crate::wire::{Form, prove};
use crate::{Node, NodeError};
use contract::{Contracts, Exposed, MOST_SAID, SocketDir};
use driver::Driver;
use leftovers::Leftover;
use tasks::Tasks;
use work_dir::{Owner, WorkDir};

/// The directory below the system's temporary one, if none is named.
const DIR: &str = "incumbent-task-managers";

/// A TaskManager that has not begun yet.
pub struct TaskManager {
    node: Node,
    driver: Driver,
    handle: TaskManagerHandle,
}

impl TaskManager {
    /// Makes the working directory and the liveness endpoint. `bound` is where this node listens.
    ///
    /// Must be called inside a Tokio runtime.
    ///
    /// # Errors
    ///
    /// [`NodeError::Options`], [`NodeError::Store`]: says what to correct.
    pub async fn new(
        node: Node,
        bound: SocketAddr,
        options: TaskManagerOptions,
    ) -> Result<Self, NodeError> {
        if options.slots == 0 || options.slots > MOST_SLOTS {
            let slots = options.slots;
            return Err(NodeError::Options(format!(
                "a TaskManager has 1 to {MOST_SLOTS} slots, and not {slots}"
            )));
        }
        metrics::describe();
        ::metrics::gauge!(metrics::SLOTS).set(f64::from(options.slots));
        let (work_dir, leftovers) = work_dir(&node).await?;
        let liveness = liveness(&node, bound)?;
        let info = info(&node, bound, &options, &liveness);
        let artifacts = artifacts::Artifacts::new(
            node.blobs().clone(),
            work_dir.artifacts(),
            options.artifact_cache,
        );
        let blob_health = Arc::new(blob_health::BlobHealth::new());
        let exposed = Exposed::default();
        let (said, hearing) = mpsc::channel(MOST_SAID);
        let contracts = Contracts::new(
            node.blobs().clone(),
            Arc::clone(&blob_health),
            sockets(&work_dir, node.nonce()).await?,
            exposed.clone(),
            said,
        );
        let shared = Arc::new(task::Shared {
            work_dir,
            artifacts,
            blob_health,
            contracts: Arc::new(contracts),
            ports: Mutex::new(ports::Ports::new(options.slots)),
            liveness,
            starting: Semaphore::new(MOST_STARTING),
            log_limits: options.log,
            open_files: options.open_files,
            executable: options.executable.clone(),
            kept: kept::Kept::new(options.kept),
        });
        let tasks = Arc::new(Tasks::default());
        let (handle, orders) = TaskManagerHandle::new(Arc::clone(&tasks), exposed);
        let mut driver = Driver::new(
            node.clone(),
            options,
            info,
            shared,
            tasks,
            (orders, hearing),
        );
        driver.leftovers = leftovers;
        Ok(Self {
            node,
            driver,
            handle,
        })
    }

    /// What requests in this process can ask of it.
    pub fn handle(&self) -> TaskManagerHandle {
        self.handle.clone()
    }

    /// What it serves under `/node/v1`, for nodes only.
    pub fn router(&self) -> Router {
        let secret = &self.node.cluster().secret;
        let orders = prove(
            // Bodies are limited where they are proven.
            routes::orders(self.handle()).layer(DefaultBodyLimit::disable()),
            secret,
            Form::Whole,
        );
        let tasks = routes::tasks(self.handle()).layer(DefaultBodyLimit::disable());
        orders.merge(prove(tasks, secret, Form::Streams))
    }

    /// Runs until `shutdown` is done and the drain that follows has ended: its tasks were moved or
    /// ended, and what they printed last is in the blobs.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends all tasks at once.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        self.driver.run(shutdown).await;
    }
}

async fn work_dir(node: &Node) -> Result<(WorkDir, Vec<Leftover>), NodeError> {
    let base = node.options().dir.clone();
    let base = base.unwrap_or_else(|| std::env::temp_dir().join(default_dir()));
    let owner = Owner::new(&node.cluster().id, node.name(), node.nonce());
    let shown = base.display().to_string();
    let made = tokio::task::spawn_blocking(move || WorkDir::make(&base, &owner));
    let made = made.await.expect("making it does not panic");
    made.map_err(|error| {
        NodeError::Options(format!(
            "cannot make a working directory in {shown}: {error}; name another one with --dir"
        ))
    })
}

async fn sockets(work_dir: &WorkDir, nonce: NodeNonce) -> Result<SocketDir, NodeError> {
    let within = work_dir.path().to_owned();
    let made = tokio::task::spawn_blocking(move || SocketDir::make(&within, nonce));
    let made = made.await.expect("making it does not panic");
    made.map_err(|error| {
        NodeError::Options(format!(
            "cannot make a directory for the sockets of tasks: {error}; name a shorter one with \
             --dir, or in TMPDIR"
        ))
    })
}

/// Another one for each user: nobody can make directories in another's.
fn default_dir() -> PathBuf {
    format!("{DIR}-{}", rustix::process::geteuid().as_raw()).into()
}

/// Listens beside the port of the node, on the same address.
fn liveness(node: &Node, bound: SocketAddr) -> Result<LivenessServer, NodeError> {
    let advertise = node.options().advertise.as_deref();
    // The port that is advertised is the node's.
    let host = advertise.map(|advertise| match advertise.rsplit_once(':') {
        Some((host, port)) if port.parse::<u16>().is_ok() && !host.contains("::") => host,
        Some(_) | None => advertise,
    });
    let liveness = LivenessServer::listen(SocketAddr::new(bound.ip(), 0), host)?;
    liveness.say(Some(said(node.nonce())));
    Ok(liveness)
}

/// What the liveness endpoint says: the number of the process.
fn said(nonce: NodeNonce) -> incumbent::Nonce {
    incumbent::Nonce::new(nonce.get())
}

fn info(
    node: &Node,
    bound: SocketAddr,
    options: &TaskManagerOptions,
    liveness: &LivenessServer,
) -> NodeInfo {
    let address = liveness.address();
    NodeInfo {
        name: node.name().to_owned(),
        pid: node.pid(),
        advertise: node.options().advertise.clone(),
        port: bound.port(),
        is_tls: node.is_tls(),
        slots: options.slots,
        liveness: Some(LivenessAddress {
            address: address.address.clone(),
            scope: address.scope.clone(),
            nonce: said(node.nonce()).to_string(),
        }),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        common: node.common().clone(),
    }
}
