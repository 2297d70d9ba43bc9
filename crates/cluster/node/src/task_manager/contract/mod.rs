//! The task socket: what a task says to its TaskManager and is told by it, as HTTP on a Unix socket
//! of its own. `docs/guide/task-contract.md` has it for authors of tasks.
//!
//! ```text
//!   task ── HTTP ──► socket.rs ──► routes.rs ─┬─ requests.rs   who am I, ready, ack, finish, …
//!                                             ├─ events.rs     a stream of what stands
//!                                             ├─ query_requests.rs   ◄── queries.rs
//!                                             ├─ upload.rs     files ──► parts.rs, blobs
//!                                             └─ download.rs   files ◄── restore.rs, blobs
//!          said.rs ──► the loop, which says Heard or NotHeard
//!   the loop ── TellTask ──► standing.rs, parts.rs       CopyLast ──► copy.rs
//! ```
//!
//! The machine of the TaskManager decides what counts. Here is what it never needs to know: which
//! files are being stored, who reads events, how far.
//!
//! # Limits
//!
//! | what | limit | when it is reached |
//! |---|---|---|
//! | connections of a task | [`MOST_CONNECTIONS`] | more wait to be accepted |
//! | head of a request: time, bytes | [`HEAD_TIME`], [`LARGEST_HEAD`] | closed, 431 |
//! | files that a task stores or reads at a time | [`MOST_OF_TASK`] | more wait |
//! | the same of all tasks | [`MOST_TRANSFERS`] | more wait |
//! | a file | [`MAX_CHECKPOINT_FILE`](incumbent_cluster_blobs::MAX_CHECKPOINT_FILE) | 413 |
//! | files of a part | [`MOST_FILES`](incumbent_cluster_core::checkpoint::MOST_FILES) | 413 |
//! | silence of a body that is sent, or not taken | 30 s, [`UNREAD_TIME`] | 408, cut |
//! | body of an acknowledgement | [`LARGEST_ACK`] | 413 |
//! | metrics of a task, of all tasks | [`LARGEST_TASK_METRICS`], [`LARGEST_ALL_METRICS`] | 413, left out and named |
//! | queries that wait for a task | [`MOST_QUERIES`] | 503 for those who ask |
//! | an answer to a query: time, bytes | [`QUERY_TIME`], [`LARGEST_QUERY_ANSWER`] | 504, 413 |
//! | progress | [`LONGEST_PROGRESS`](incumbent_cluster_core::message::LONGEST_PROGRESS) | 413 |

mod copy;
mod download;
mod events;
mod exposed;
mod metrics_text;
mod parts;
mod problems;
mod queries;
mod query_requests;
mod requests;
mod restore;
mod routes;
mod said;
mod socket;
mod socket_dir;
mod standing;
mod types;
mod upload;

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use incumbent_cluster_blobs::Blobs;
use incumbent_cluster_core::checkpoint::{CheckpointId, RankPart};
use incumbent_cluster_core::message::{ContractOrder, Deploy};
use incumbent_cluster_core::{SavepointId, TaskId};
use tokio::sync::{Semaphore, mpsc, watch};

pub use download::UNREAD_TIME;
pub use exposed::LARGEST_ALL_METRICS;
pub use queries::{LARGEST_QUERY_ANSWER, MOST_QUERIES, QUERY_TIME, Unanswered};
pub use requests::{LARGEST_ACK, LARGEST_TASK_METRICS};
pub use routes::task_document;
pub use socket::{HEAD_TIME, LARGEST_HEAD, MOST_CONNECTIONS};

pub(super) use exposed::Exposed;
pub(super) use said::TaskSaid;
pub(super) use socket::TaskSocket;
pub(super) use socket_dir::{SocketDir, remove_apart};

use super::blob_health::BlobHealth;
use crate::query::{Question, RankAnswer};
use parts::Parts;
use queries::Queries;
use restore::{Restore, Restores};
use standing::Standing;
use types::TaskIdentity;

/// Files that one task stores or reads at a time.
pub const MOST_OF_TASK: usize = 4;

/// Files that all tasks of a TaskManager store or read at a time. Each takes two megabytes of
/// memory at most.
pub const MOST_TRANSFERS: usize = 64;

/// How many things that tasks have said wait for the loop, which takes each in microseconds.
pub(super) const MOST_SAID: usize = 1024;

/// What the sockets of all tasks share.
#[derive(Debug)]
pub(super) struct Contracts {
    blobs: Blobs,
    blob_health: Arc<BlobHealth>,
    sockets: SocketDir,
    exposed: Exposed,
    restores: Restores,
    transfers: Arc<Semaphore>,
    said: mpsc::Sender<TaskSaid>,
}

/// One task, as its socket and the loop have it.
#[derive(Debug)]
pub(super) struct TaskContract {
    contracts: Arc<Contracts>,
    task: TaskId,
    identity: TaskIdentity,
    restore: Option<Arc<Restore>>,
    standing: watch::Sender<Standing>,
    parts: Mutex<Parts>,
    transfers: Arc<Semaphore>,
    copying: copy::Copying,
    queries: Queries,
    has_ended: AtomicBool,
    /// Why it cannot go on.
    not_restored: OnceLock<String>,
    /// Ends the task.
    end: End,
}

/// What ends a task.
struct End(Box<dyn Fn() + Send + Sync>);

impl fmt::Debug for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("End")
    }
}

impl Contracts {
    pub(super) fn new(
        blobs: Blobs,
        blob_health: Arc<BlobHealth>,
        sockets: SocketDir,
        exposed: Exposed,
        said: mpsc::Sender<TaskSaid>,
    ) -> Self {
        Self {
            blobs,
            blob_health,
            sockets,
            exposed,
            restores: Restores::default(),
            transfers: Arc::new(Semaphore::new(MOST_TRANSFERS)),
            said,
        }
    }

    /// A task that was ordered. `end` ends it.
    pub(super) fn task(
        self: &Arc<Self>,
        deploy: &Deploy,
        end: impl Fn() + Send + Sync + 'static,
    ) -> Arc<TaskContract> {
        let restore = deploy.restore.as_ref();
        Arc::new(TaskContract {
            contracts: Arc::clone(self),
            task: deploy.task,
            identity: TaskIdentity::of(deploy),
            restore: restore.map(|point| self.restores.get(point)),
            standing: watch::Sender::default(),
            parts: Mutex::default(),
            transfers: Arc::new(Semaphore::new(MOST_OF_TASK)),
            copying: copy::Copying::default(),
            queries: Queries::default(),
            has_ended: AtomicBool::new(false),
            not_restored: OnceLock::new(),
            end: End(Box::new(end)),
        })
    }
}

impl TaskContract {
    /// Tells the task.
    pub(super) fn tell(&self, order: ContractOrder) {
        // First: a task that reads of a number may store files for it.
        self.parts().take(order);
        self.standing.send_modify(|standing| standing.take(order));
    }

    /// Copies the last files to those of a savepoint, and then acknowledges it.
    pub(super) fn copy_last(self: &Arc<Self>, number: u64, savepoint: SavepointId, part: RankPart) {
        let checkpoint = CheckpointId {
            savepoint: Some(savepoint),
            ..self.checkpoint(number)
        };
        self.copying.begin(Arc::clone(self), checkpoint, part);
    }

    /// Asks the task about its state.
    ///
    /// # Errors
    ///
    /// [`Unanswered`].
    pub(super) async fn query(&self, question: &Question) -> Result<RankAnswer, Unanswered> {
        self.queries.ask(question, QUERY_TIME).await
    }

    /// Why the task was ended, if what it was to start from is gone or altered.
    pub(super) fn not_restored(&self) -> Option<&str> {
        self.not_restored.get().map(String::as_str)
    }

    /// It has ended: nothing of it is shown or done any more.
    pub(super) fn close(&self) {
        self.has_ended.store(true, Ordering::SeqCst);
        self.copying.stop();
        self.queries.end();
        self.contracts.exposed.remove(self.task);
    }

    /// Shows metrics, unless it has ended: its last request may be under way when it does.
    fn show(&self, metrics: String) {
        self.contracts.exposed.set(self.task, metrics);
        if self.has_ended.load(Ordering::SeqCst) {
            self.contracts.exposed.remove(self.task);
        }
    }

    fn cannot_restore(&self, why: String) {
        // The first reason is told.
        if self.not_restored.set(why).is_ok() {
            (self.end.0)();
        }
    }

    fn parts(&self) -> MutexGuard<'_, Parts> {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A checkpoint of the attempt that this task is of.
    fn checkpoint(&self, number: u64) -> CheckpointId {
        let TaskId {
            job,
            incarnation,
            attempt,
            ..
        } = self.task;
        CheckpointId {
            job,
            incarnation,
            attempt,
            number,
            savepoint: None,
        }
    }
}
