//! [`Records`]: the records of jobs that this term has open, and what is being done to them.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use incumbent::{Error, Found, Leadership, Record};
use incumbent_backend::causes;
use incumbent_cluster_core::leader::{LeaderEvent, Opened, Unwritten};
use incumbent_cluster_core::{Incarnation, JobId, JobRecord};
use metrics::{counter, histogram};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::archive::Archive;
use super::body::Body;
use super::remains::Remains;

/// Pause before a failure is told, so that a store that refuses at once is not asked a thousand
/// times a second. A store that works again is found soon enough.
const PAUSE: Duration = Duration::from_millis(250);

/// An open record. Boxed, because most of its life is spent in a map.
struct Handle {
    record: Box<Record<Body>>,
    incarnation: Incarnation,
}

/// The records that this term has open. Dropping it drops what is under way: an unknown outcome,
/// which is harmless when the term is over, because the next leader seals.
pub(super) struct Records {
    leadership: Arc<Leadership>,
    archive: Archive,
    remains: Remains,
    /// Open, and nothing is being done to them.
    open: HashMap<JobId, Handle>,
    /// Listed or found in this term, so that no hint about them is news.
    found: HashSet<JobId>,
    is_listed: bool,
    /// One listing at a time: it is tried until it works.
    is_listing: bool,
    running: JoinSet<Done>,
}

/// What became of one piece of work.
pub(super) struct Done {
    job: JobId,
    handle: Option<Handle>,
    told: Told,
    /// Of which job there may be files that nobody wants any more.
    remains: Option<Incarnation>,
}

/// What to tell the machine, or that there is nothing more to tell.
enum Told {
    Event(Box<LeaderEvent>),
    /// The term is over.
    Fenced,
}

impl Records {
    pub(super) fn new(leadership: Arc<Leadership>, archive: Archive, remains: Remains) -> Self {
        Self {
            leadership,
            archive,
            remains,
            open: HashMap::new(),
            found: HashSet::new(),
            is_listed: false,
            is_listing: false,
            running: JoinSet::new(),
        }
    }

    /// Whether a change of this record tells the leader nothing: it is the one who writes it.
    pub(super) fn is_found(&self, job: JobId) -> bool {
        self.found.contains(&job)
    }

    /// Whether they were listed in this term. What has changed before is in the list.
    pub(super) fn is_listed(&self) -> bool {
        self.is_listed
    }

    /// Lists the records of jobs, until that works.
    pub(super) fn list(&mut self) {
        if std::mem::replace(&mut self.is_listing, true) {
            return;
        }
        let leadership = Arc::clone(&self.leadership);
        self.running.spawn(async move {
            loop {
                match leadership.group().records().await {
                    Ok(names) => {
                        let jobs = names.iter().filter_map(JobId::of_record).collect();
                        return told(NO_JOB, LeaderEvent::Listed(jobs));
                    }
                    Err(error) => {
                        let why = causes(&error);
                        tracing::debug!(why, "cannot list the records of jobs; trying again");
                        tokio::time::sleep(PAUSE).await;
                    }
                }
            }
        });
    }

    /// Reads this record, and seals it unless its job has ended.
    pub(super) fn open(&mut self, job: JobId) {
        // If it was open, an outcome is unknown, and that handle can do nothing any more.
        self.open.remove(&job);
        let leadership = Arc::clone(&self.leadership);
        self.running.spawn(async move {
            match read_and_seal(&leadership, job).await {
                Ok((found, handle)) => {
                    if matches!(found, Opened::Unavailable) {
                        tokio::time::sleep(PAUSE).await;
                    }
                    let mut done = told(job, LeaderEvent::Opened { job, found });
                    done.handle = handle;
                    done
                }
                Err(Fenced) => fenced(job),
            }
        });
    }

    /// Commits this body to its record.
    pub(super) fn commit(&mut self, body: Box<JobRecord>) {
        let job = body.id;
        let handle = self.open.remove(&job);
        let leadership = Arc::clone(&self.leadership);
        self.running.spawn(async move {
            let mut handle = match opened(&leadership, job, handle).await {
                Ok(handle) => handle,
                Err(done) => return done,
            };
            let began = Instant::now();
            let committed = handle.record.commit(Body::new(body)).await;
            histogram!("incumbent_cluster_commit_seconds").record(began.elapsed());
            match committed {
                Ok(()) => {
                    handle.record.data().map(Body::take);
                    let mut done = told(job, LeaderEvent::Committed(job));
                    done.handle = Some(handle);
                    done
                }
                Err(error) => not_committed(job, Some(handle), &error).await,
            }
        });
    }

    /// Marks the savepoints of the job, archives it if told so, and then erases its record. Without
    /// an archive it leaves a tombstone (R1), so that a submission that is repeated late does not
    /// bring the job back.
    pub(super) fn erase(&mut self, job: JobId, body: Box<JobRecord>, is_archived: bool) {
        let handle = self.open.remove(&job);
        let leadership = Arc::clone(&self.leadership);
        let blobs = self.archive.clone();
        self.remains.erasing(job);
        let files = self.remains.files();
        self.running.spawn(async move {
            let mut handle = match opened(&leadership, job, handle).await {
                Ok(handle) => handle,
                Err(done) => return done,
            };
            // File first, then the pointer to what it was.
            let kept = match blobs.mark_savepoints(&body).await {
                Ok(()) if is_archived => blobs.keep(&body).await,
                marked => marked,
            };
            if let Err(why) = kept {
                tracing::warn!(
                    %job, why,
                    "cannot write down in the blobs what the record of an old job says; the record \
                     stays"
                );
                tokio::time::sleep(PAUSE).await;
                let why = Unwritten::NotApplied;
                let mut done = told(job, LeaderEvent::NotCommitted { job, why });
                done.handle = Some(handle);
                return done;
            }
            if is_archived {
                return match handle.record.erase().await {
                    Ok(()) => told(job, LeaderEvent::Erased(job)),
                    Err(error) => not_committed(job, None, &error).await,
                };
            }
            let incarnation = handle.incarnation;
            let mut done = match handle.record.delete().await {
                // Pointer gone first, then files.
                Ok(()) if files.remove(job, incarnation).await => {
                    return told(job, LeaderEvent::Erased(job));
                }
                Ok(()) => told(job, LeaderEvent::Erased(job)),
                Err(error) => not_committed(job, None, &error).await,
            };
            done.remains = Some(incarnation);
            done
        });
    }

    /// Waits for the next piece of work to end; for ever if there is none.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing.
    pub(super) async fn next(&mut self) -> Done {
        match self.running.join_next().await {
            Some(Ok(done)) => done,
            Some(Err(error)) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Some(Err(_)) | None => std::future::pending().await,
        }
    }

    /// Takes what has ended, and says what it tells; `None` if the term is over.
    pub(super) fn take(&mut self, done: Done) -> Option<LeaderEvent> {
        if let Some(handle) = done.handle {
            self.open.insert(done.job, handle);
        }
        let Told::Event(event) = done.told else {
            return None;
        };
        match (&*event, done.remains) {
            (LeaderEvent::Erased(job), Some(remains)) => self.remains.remove(*job, remains),
            (LeaderEvent::Opened { job, found }, _) => match found {
                Opened::Record(record) => self.remains.opened(*job, Some(record)),
                Opened::Absent => self.remains.opened(*job, None),
                Opened::Damaged(_) | Opened::Unavailable => {}
            },
            (_, Some(remains)) => self.remains.unsure(done.job, remains),
            (_, None) => {}
        }
        match &*event {
            LeaderEvent::Listed(jobs) => {
                self.is_listed = true;
                self.is_listing = false;
                self.found.extend(jobs);
            }
            LeaderEvent::Opened {
                found: Opened::Record(_) | Opened::Unavailable,
                ..
            } => {
                self.found.insert(done.job);
            }
            // A person may repair what is damaged, and anybody submit what is absent.
            LeaderEvent::Opened {
                found: Opened::Absent | Opened::Damaged(_),
                ..
            }
            | LeaderEvent::Erased(_) => {
                self.found.remove(&done.job);
            }
            _ => {}
        }
        Some(*event)
    }

    /// Drops what is under way, and waits until it is gone.
    pub(super) async fn end(mut self) {
        self.remains.end().await;
        self.running.shutdown().await;
    }
}

/// For work that is about no job in particular.
const NO_JOB: JobId = JobId::new(0);

struct Fenced;

/// Seals this record, unless its job has ended, or it does not exist: sealing one that does not
/// exist would leave a tombstone, over which nobody submits.
async fn read_and_seal(
    leadership: &Leadership,
    job: JobId,
) -> Result<(Opened, Option<Handle>), Fenced> {
    let name = job.record();
    let lives = |body: Option<&Body>| body.is_some_and(|body| !body.is_terminal());
    let record = match leadership.open_if::<Body>(&name, lives).await {
        Ok(Found::Open(record)) => record,
        Ok(Found::Left(left)) => {
            let body = left.and_then(|left| left.data.take());
            return Ok((body.map_or(Opened::Absent, Opened::Record), None));
        }
        Err(error) => return not_opened(job, &error),
    };
    Ok(match handle(record) {
        Some((body, handle)) => (Opened::Record(body), Some(handle)),
        None => (Opened::Absent, None),
    })
}

/// Seals this record; `None` if there is nothing in it.
async fn seal(
    leadership: &Leadership,
    job: JobId,
) -> Result<Option<(Box<JobRecord>, Handle)>, Error> {
    leadership.open(&job.record()).await.map(handle)
}

/// What is in an open record, and the handle of it; `None` if there is nothing in it.
fn handle(record: Record<Body>) -> Option<(Box<JobRecord>, Handle)> {
    let body = record.data().and_then(Body::take)?;
    let incarnation = body.incarnation;
    let record = Box::new(record);
    Some((
        body,
        Handle {
            record,
            incarnation,
        },
    ))
}

/// The handle of this record. That of a job that has ended is opened now: it was only read.
async fn opened(
    leadership: &Leadership,
    job: JobId,
    handle: Option<Handle>,
) -> Result<Handle, Done> {
    if let Some(handle) = handle {
        return Ok(handle);
    }
    match seal(leadership, job).await {
        Ok(Some((body, handle))) if body.state.is_terminal() => Ok(handle),
        // What was decided, was decided on something else.
        Ok(_) => {
            let why = Unwritten::Unknown;
            Err(told(job, LeaderEvent::NotCommitted { job, why }))
        }
        Err(error) => Err(not_committed(job, None, &error).await),
    }
}

fn not_opened(job: JobId, error: &Error) -> Result<(Opened, Option<Handle>), Fenced> {
    count("open", error);
    match error {
        Error::Fenced { .. } => Err(Fenced),
        Error::Damaged { .. } | Error::WrongType { .. } => {
            Ok((Opened::Damaged(causes(error)), None))
        }
        error => {
            tracing::debug!(%job, why = causes(error), "cannot open the record of a job");
            Ok((Opened::Unavailable, None))
        }
    }
}

async fn not_committed(job: JobId, handle: Option<Handle>, error: &Error) -> Done {
    count("commit", error);
    let why = match error {
        Error::Fenced { .. } => return fenced(job),
        // A record may have no more than its limit at submission, so this is a fault of ours. It
        // must not be tried as fast as it fails.
        Error::TooLarge { .. } => {
            let why = causes(error);
            tracing::error!(%job, why, "the record of a job is too large; trying again");
            Unwritten::NotApplied
        }
        Error::Unavailable(_) => Unwritten::NotApplied,
        // Nothing may be decided before it is opened again; that also finds what is damaged.
        _ => Unwritten::Unknown,
    };
    tracing::debug!(%job, why = causes(error), "the record of a job was not written");
    if why == Unwritten::NotApplied {
        tokio::time::sleep(PAUSE).await;
    }
    let mut done = told(job, LeaderEvent::NotCommitted { job, why });
    done.handle = handle;
    done
}

fn count(operation: &'static str, error: &Error) {
    counter!("incumbent_cluster_unwritten_total", "operation" => operation, "outcome" => error.kind())
        .increment(1);
}

fn told(job: JobId, event: LeaderEvent) -> Done {
    Done {
        job,
        handle: None,
        told: Told::Event(Box::new(event)),
        remains: None,
    }
}

fn fenced(job: JobId) -> Done {
    Done {
        job,
        handle: None,
        told: Told::Fenced,
        remains: None,
    }
}
