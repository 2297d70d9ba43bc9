//! [`Janitor`]: deletes the files that no committed record can name any more (R15).
//!
//! It has no hurry and stands in nobody's way: a few jobs at a time, each again only after a rest,
//! and it looks at the guard of the term before each batch of files. What it is told to leave alone
//! may be out of date by then, which harms nothing: what is unlisted is never listed again.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use incumbent::Guard;
use incumbent_backend::causes;
use incumbent_cluster_blobs::{Blobs, Error, Tidied};
use incumbent_cluster_core::JobId;
use incumbent_cluster_core::leader::Tidy;
use metrics::counter;
use tokio::sync::Notify;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep, sleep_until};

use super::sweep::sweep_now_and_then;

/// Jobs that are tidied side by side.
const MOST_AT_ONCE: usize = 2;

/// A job rests at least so long after it was tidied. At one checkpoint a second that is a handful
/// of them more than are kept.
const LEAST_REST: Duration = Duration::from_secs(5);

/// And so many times as long as tidying took: a tenth of the time is enough.
const REST_FACTOR: u32 = 9;

/// Between two batches of one job.
const BATCH_PAUSE: Duration = Duration::from_millis(100);

/// While the blobs are out, nothing is tried for so long.
const OUTAGE_REST: Duration = Duration::from_secs(30);

/// While the blobs belong to another cluster, nothing is tried for so long. A person has to act.
const FOREIGN_REST: Duration = Duration::from_secs(300);

/// So many jobs are told of in the log in one term, each once.
const MOST_TOLD: usize = 1000;

/// The janitor of one term. Dropping it ends it; what is half done is done by the next one.
pub(super) struct Janitor {
    inbox: Arc<Inbox>,
    task: JoinHandle<()>,
}

/// What has come and was not begun.
#[derive(Default)]
struct Inbox {
    wanted: Mutex<BTreeMap<JobId, Wanted>>,
    news: Notify,
}

/// The newest list of a job.
struct Wanted {
    tidy: Box<Tidy>,
    /// Since when the job waits: the oldest is first.
    since: Instant,
}

/// What the task has.
struct Rounds {
    blobs: Blobs,
    guard: Guard,
    inbox: Arc<Inbox>,
    running: JoinSet<Done>,
    /// Jobs that are being tidied, or rest: until when, if that is known.
    resting: HashMap<JobId, Option<Instant>>,
    /// Nothing is begun before.
    not_before: Instant,
    told: HashSet<JobId>,
    is_foreign: bool,
}

/// What became of one job.
pub(super) struct Done {
    tidy: Box<Tidy>,
    took: Duration,
    unknown: Vec<String>,
    /// If it did not come to an end.
    pub(super) error: Option<Error>,
}

impl Janitor {
    /// Begins the janitor of a term.
    pub(super) fn start(blobs: Blobs, guard: Guard) -> Self {
        let inbox = Arc::<Inbox>::default();
        let rounds = Rounds {
            blobs,
            guard,
            inbox: Arc::clone(&inbox),
            running: JoinSet::new(),
            resting: HashMap::new(),
            not_before: Instant::now(),
            told: HashSet::new(),
            is_foreign: false,
        };
        let sweeping = sweep_now_and_then(rounds.blobs.clone(), rounds.guard.clone());
        let task = tokio::spawn(async {
            tokio::select! {
                () = rounds.run() => {}
                () = sweeping => {}
            }
        });
        Self { inbox, task }
    }

    /// This is listed now. Only the newest list of a job counts.
    pub(super) fn tidy(&self, tidy: Box<Tidy>) {
        self.inbox.put(tidy);
        self.inbox.news.notify_one();
    }

    /// What waits for this job is not done.
    pub(super) fn forget(&self, job: JobId) {
        self.inbox.wanted().remove(&job);
    }

    /// Ends it, and waits until it has ended.
    pub(super) async fn end(&mut self) {
        self.task.abort();
        // It was aborted, or has ended by itself.
        let _ = (&mut self.task).await;
    }
}

impl Drop for Janitor {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Inbox {
    fn wanted(&self) -> MutexGuard<'_, BTreeMap<JobId, Wanted>> {
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, tidy: Box<Tidy>) {
        let mut wanted = self.wanted();
        match wanted.get_mut(&tidy.job) {
            Some(older) => older.tidy = tidy,
            None => {
                let since = Instant::now();
                wanted.insert(tidy.job, Wanted { tidy, since });
            }
        }
    }

    /// Puts back what was not done, unless something newer has come.
    fn put_back(&self, tidy: Box<Tidy>) {
        let since = Instant::now();
        let mut wanted = self.wanted();
        let job = tidy.job;
        wanted.entry(job).or_insert(Wanted { tidy, since });
    }
}

impl Rounds {
    async fn run(mut self) {
        loop {
            let wake = self.begin();
            let waking = async {
                match wake {
                    Some(at) => sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = self.guard.ended() => return,
                () = self.inbox.news.notified() => {}
                Some(done) = self.running.join_next() => match done {
                    Ok(done) => self.take(done),
                    Err(error) if error.is_panic() => {
                        std::panic::resume_unwind(error.into_panic());
                    }
                    Err(_) => {}
                },
                () = waking => {}
            }
        }
    }

    /// Begins what may begin, and says when to look again, if by the time alone.
    fn begin(&mut self) -> Option<Instant> {
        let now = Instant::now();
        self.resting
            .retain(|_, until| until.is_none_or(|until| until > now));
        let mut wanted = self.inbox.wanted();
        if wanted.is_empty() {
            return None;
        }
        if self.not_before > now {
            return Some(self.not_before);
        }
        while self.running.len() < MOST_AT_ONCE {
            let free = wanted
                .iter()
                .filter(|(job, _)| !self.resting.contains_key(job));
            let oldest = free.min_by_key(|(_, wanted)| wanted.since);
            let Some(job) = oldest.map(|(job, _)| *job) else {
                break;
            };
            let Some(Wanted { tidy, .. }) = wanted.remove(&job) else {
                break;
            };
            self.resting.insert(job, None);
            self.running
                .spawn(tidy_job(self.blobs.clone(), self.guard.clone(), tidy));
        }
        let waiting = wanted.keys();
        waiting
            .filter_map(|job| self.resting.get(job).copied().flatten())
            .min()
    }

    fn take(&mut self, done: Done) {
        let now = Instant::now();
        let job = done.tidy.job;
        let rest = (done.took * REST_FACTOR).max(LEAST_REST);
        self.resting.insert(job, Some(now + rest));
        if !done.unknown.is_empty() && self.is_news(job) {
            let unknown = done.unknown.join(", ");
            tracing::warn!(
                %job, unknown,
                "there are files among the checkpoints of a job that this program does not write; \
                 they are left alone"
            );
        }
        let outcome = match done.error {
            None => {
                self.is_foreign = false;
                "done"
            }
            Some(error) if error.is_outage() => {
                let why = causes(&error);
                tracing::debug!(%job, why, "the blobs do not answer the janitor; trying again");
                self.not_before = now + OUTAGE_REST;
                self.inbox.put_back(done.tidy);
                "outage"
            }
            Some(error @ Error::NotOurs { .. }) => {
                let why = causes(&error);
                if !std::mem::replace(&mut self.is_foreign, true) {
                    tracing::warn!(
                        why,
                        "the janitor deletes nothing: old checkpoints pile up until this is settled"
                    );
                }
                self.not_before = now + FOREIGN_REST;
                self.inbox.put_back(done.tidy);
                "foreign"
            }
            Some(error) => {
                let why = causes(&error);
                if self.is_news(job) {
                    tracing::warn!(
                        %job, why,
                        "cannot tell which files of a job its checkpoints need; the janitor \
                         deletes none of them, and tries again after the next checkpoint"
                    );
                }
                "unreadable"
            }
        };
        counter!("incumbent_cluster_janitor_rounds_total", "outcome" => outcome).increment(1);
    }

    fn is_news(&mut self, job: JobId) -> bool {
        self.told.len() < MOST_TOLD && self.told.insert(job)
    }
}

/// Deletes what may go of one job, batch by batch, while the term lasts.
pub(super) async fn tidy_job(blobs: Blobs, guard: Guard, tidy: Box<Tidy>) -> Done {
    let began = Instant::now();
    let mut unknown = Vec::new();
    let mut error = None;
    // A process that was stopped past its lease deletes nothing when it goes on.
    while guard.is_valid() {
        match blobs.tidy(&tidy).await {
            Ok(tidied) => {
                count(&tidy, &tidied);
                let is_done = !tidied.more;
                unknown = tidied.unknown;
                if is_done {
                    break;
                }
                sleep(BATCH_PAUSE).await;
            }
            Err(failed) => {
                error = Some(failed);
                break;
            }
        }
    }
    Done {
        took: began.elapsed(),
        tidy,
        unknown,
        error,
    }
}

fn count(tidy: &Tidy, tidied: &Tidied) {
    if tidied.deleted == 0 {
        return;
    }
    counter!("incumbent_cluster_janitor_deleted_total").increment(tidied.deleted);
    counter!("incumbent_cluster_janitor_deleted_bytes_total").increment(tidied.bytes);
    let (job, files, bytes) = (tidy.job, tidied.deleted, tidied.bytes);
    tracing::debug!(%job, files, bytes, "old checkpoints are deleted");
}
