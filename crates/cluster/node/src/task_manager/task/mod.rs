//! One task: from its order to its end.
//!
//! ```text
//!   a place to start ─► directory, artifact, environment ─► guard ─► process ─► end ─► log kept
//!        place.rs           prepare.rs, environment.rs      process.rs
//! ```
//!
//! All of it goes on beside the loop of the TaskManager, which only says what it wishes: a later
//! deadline, or the end.

mod environment;
mod expand;
mod prepare;
mod process;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::Duration;

use incumbent::LivenessServer;
use incumbent_cluster_core::message::{Deploy, EndedHow};
use incumbent_cluster_core::{TaskId, Time};
use prepare::Prepared;
use tokio::sync::{Semaphore, SemaphorePermit, mpsc, watch};
use tracing::Instrument as _;

use super::artifacts::Artifacts;
use super::blob_health::BlobHealth;
use super::contract::{Contracts, TaskContract, TaskSocket};
use super::kept::Kept;
use super::log::{LogLimits, TaskLog};
use super::metrics;
use super::ports::Ports;
use super::work_dir::WorkDir;

pub(super) use prepare::LOG;

/// How many tasks are being started at a time. Starting is work of the machine's cores; more at a
/// time would make all of them late.
pub const MOST_STARTING: usize = 32;

/// What all tasks of a TaskManager share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) work_dir: WorkDir,
    pub(super) artifacts: Arc<Artifacts>,
    pub(super) blob_health: Arc<BlobHealth>,
    pub(super) contracts: Arc<Contracts>,
    pub(super) ports: Mutex<Ports>,
    /// Each guard holds its socket (R9).
    pub(super) liveness: LivenessServer,
    pub(super) starting: Semaphore,
    pub(super) log_limits: LogLimits,
    /// The soft limit of tasks, if not that of this process.
    pub(super) open_files: Option<u64>,
    /// Whose `main` begins with [`incumbent_guard::intercept`].
    pub(super) executable: PathBuf,
    pub(super) kept: Kept,
}

/// A task, as the loop has it. Dropping it does not end the task.
#[derive(Debug)]
pub(super) struct TaskControl {
    wish: watch::Sender<Wish>,
    /// What its job gives it to end.
    pub(super) grace: Duration,
    /// The name of its job.
    pub(super) name: String,
    pub(super) contract: Arc<TaskContract>,
}

/// What the TaskManager wishes of a task at present.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Wish {
    /// When the guard ends it, if it is exclusive.
    isolated_at: Option<Time>,
    /// It is to end, with this grace.
    end: Option<Duration>,
}

/// What the loop learns of a task.
#[derive(Debug)]
pub(super) struct TaskNews {
    pub(super) task: TaskId,
    pub(super) what: What,
}

/// What happened to a task.
#[derive(Debug)]
pub(super) enum What {
    /// Its process runs.
    Started { pid: u32 },
    /// It has ended, and everything that it started.
    Ended {
        how: EndedHow,
        last_lines: Vec<String>,
    },
}

/// What readers know of a task.
#[derive(Debug)]
pub(super) struct TaskEntry {
    pub(super) id: TaskId,
    pub(super) log: TaskLog,
    /// The port that it was granted, while its process runs.
    port: watch::Sender<Option<u16>>,
    /// Its process, while it runs.
    pid: watch::Sender<Option<u32>>,
    /// The name of its job.
    job_name: String,
    /// Its socket, from the moment at which it begins until it has ended.
    contract: OnceLock<Weak<TaskContract>>,
}

/// Why a task has no process.
#[derive(Debug)]
enum NoProcess {
    /// It was to end before it had one.
    Ordered,
    /// Its deadline passed before it had one.
    Isolated,
    /// It cannot have one; says why, and what to do.
    NotStarted(String),
}

impl TaskControl {
    /// Moves the moment at which its guard ends it.
    pub(super) fn extend(&self, isolated_at: Time) {
        self.wish
            .send_modify(|wish| wish.isolated_at = Some(isolated_at));
    }

    /// Ends it. A later call can only shorten the grace.
    pub(super) fn end(&self, grace: Duration) {
        end(&self.wish, grace);
    }
}

fn end(wish: &watch::Sender<Wish>, grace: Duration) {
    wish.send_modify(|wish| {
        wish.end = Some(wish.end.map_or(grace, |earlier| earlier.min(grace)));
    });
}

impl TaskEntry {
    pub(super) fn new(deploy: &Deploy, shared: &Shared) -> Arc<Self> {
        let dir = shared.work_dir.of_task(deploy.task).join(prepare::LOG);
        Arc::new(Self {
            id: deploy.task,
            log: TaskLog::new(dir),
            port: watch::Sender::new(None),
            pid: watch::Sender::new(None),
            job_name: deploy.name.clone(),
            contract: OnceLock::new(),
        })
    }

    /// What its socket has; `None` if it has ended.
    pub(super) fn contract(&self) -> Option<Arc<TaskContract>> {
        self.contract.get()?.upgrade()
    }

    /// Its process, if it runs, and the name of its job.
    pub(super) fn process(&self) -> Option<(u32, &str)> {
        let pid = *self.pid.borrow();
        pid.map(|pid| (pid, &self.job_name[..]))
    }

    /// The port of its process; `None` if it has none at present.
    pub(super) fn port(&self) -> Option<u16> {
        *self.port.borrow()
    }
}

/// A task to be started and followed to its end, and the control of it. Dropping the future ends
/// the task at once.
pub(super) fn start(
    shared: &Arc<Shared>,
    entry: &Arc<TaskEntry>,
    deploy: Deploy,
    isolated_at: Option<Time>,
    news: mpsc::Sender<TaskNews>,
) -> (TaskControl, impl Future<Output = ()> + Send + use<>) {
    let wish = watch::Sender::new(Wish {
        isolated_at,
        end: None,
    });
    let span = tracing::info_span!(
        "task",
        job = %deploy.task.job,
        attempt = deploy.task.attempt.0,
        rank = deploy.task.rank.0,
    );
    let grace = Duration::from_millis(deploy.grace_ms);
    let name = deploy.name.clone();
    let ending = wish.clone();
    let contract = shared.contracts.task(&deploy, move || end(&ending, grace));
    // An entry is started once.
    let _ = entry.contract.set(Arc::downgrade(&contract));
    let run = Run {
        shared: Arc::clone(shared),
        entry: Arc::clone(entry),
        contract: Arc::clone(&contract),
        deploy,
        wish: wish.subscribe(),
        news,
    };
    let control = TaskControl {
        wish,
        grace,
        name,
        contract,
    };
    (control, run.until_end().instrument(span))
}

/// A task on its way.
struct Run {
    shared: Arc<Shared>,
    entry: Arc<TaskEntry>,
    contract: Arc<TaskContract>,
    deploy: Deploy,
    wish: watch::Receiver<Wish>,
    news: mpsc::Sender<TaskNews>,
}

impl Run {
    async fn until_end(mut self) {
        let (how, last_lines) = match self.start_and_wait().await {
            Ok(ended) => ended,
            Err(NoProcess::Ordered) => (EndedHow::Ordered, Vec::new()),
            Err(NoProcess::Isolated) => (EndedHow::Isolated, Vec::new()),
            Err(NoProcess::NotStarted(why)) => {
                tracing::debug!(why, "the task could not be started");
                (EndedHow::NotStarted { why }, Vec::new())
            }
        };
        self.contract.close();
        self.entry.log.close();
        metrics::ended(&how);
        self.tell(What::Ended { how, last_lines }).await;
        // Afterwards: the next attempt does not wait for the tidying.
        let work = self
            .shared
            .work_dir
            .of_task(self.deploy.task)
            .join(prepare::WORK);
        let tidied = tokio::task::spawn_blocking(move || std::fs::remove_dir_all(work));
        if let Ok(Err(error)) = tidied.await
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!(%error, "could not remove the directory of the task");
        }
        self.shared.kept.keep(Arc::clone(&self.entry));
    }

    async fn start_and_wait(&mut self) -> Result<(EndedHow, Vec<String>), NoProcess> {
        let begun = tokio::time::Instant::now();
        let mut wish = self.wish.clone();
        let to_end = async move { wish.wait_for(|wish| wish.end.is_some()).await.is_ok() };
        // Cut when the task has ended: what it said then counts.
        let socket = TaskSocket::open(&self.contract).map_err(|error| no_socket(&error))?;
        let (place, prepared) = tokio::select! {
            biased;
            // Whatever it waits for: blobs that do not answer, or its turn.
            _ = to_end => return Err(NoProcess::Ordered),
            prepared = self.prepare(socket.path()) => prepared?,
        };
        // From here on nothing is given up: there may be a process, and then only its guard says
        // when it is gone (R8).
        let process = self.start_process(prepared).await?;
        drop(place);
        ::metrics::histogram!(metrics::START_SECONDS).record(begun.elapsed().as_secs_f64());
        let pid = process.pid();
        tracing::debug!(pid, "the task runs");
        self.entry.port.send_replace(Some(self.deploy.port));
        self.entry.pid.send_replace(Some(pid));
        self.tell(What::Started { pid }).await;
        let (how, last_lines) = process.wait(self.wish.clone(), self.deploy.isolation).await;
        self.entry.pid.send_replace(None);
        self.entry.port.send_replace(None);
        let how = match self.contract.not_restored() {
            Some(why) => EndedHow::NotRestored {
                why: why.to_owned(),
            },
            None => how,
        };
        tracing::debug!(pid, ?how, "the task has ended");
        Ok((how, last_lines))
    }

    async fn prepare(&self, socket: &Path) -> Result<(SemaphorePermit<'_>, Prepared), NoProcess> {
        // Without a place: an artifact that does not come must not keep others from starting.
        let artifact = prepare::artifact(&self.shared, &self.deploy).await?;
        let place = self.shared.starting.acquire().await;
        let place = place.expect("nobody closes it");
        let prepared = prepare::prepare(&self.shared, &self.deploy, socket, artifact).await?;
        Ok((place, prepared))
    }

    async fn start_process(&self, prepared: Prepared) -> Result<process::Process, NoProcess> {
        let released = {
            let ports = self.shared.ports.lock();
            let mut ports = ports.unwrap_or_else(PoisonError::into_inner);
            ports.release(self.deploy.slot, self.deploy.port)
        };
        released.map_err(|taken| NoProcess::NotStarted(taken.to_string()))?;
        let isolated_at = self.wish.borrow().isolated_at;
        process::spawn(
            &self.shared,
            &self.entry,
            &self.deploy,
            prepared,
            isolated_at,
        )
        .await
    }

    async fn tell(&self, what: What) {
        let task = self.deploy.task;
        // The loop is gone only when the process ends.
        let _ = self.news.send(TaskNews { task, what }).await;
    }
}

fn no_socket(error: &io::Error) -> NoProcess {
    NoProcess::NotStarted(format!(
        "the TaskManager cannot make the socket of the task: {error}; its disk is full, or it has \
         too many open files, perhaps"
    ))
}
