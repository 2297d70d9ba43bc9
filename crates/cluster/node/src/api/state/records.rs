//! [`Records`]: the records of jobs whose state is asked for, so that a query asks the store once
//! and not each time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use incumbent_cluster_core::{JobId, JobRecord};
use tokio::time::Instant;

use super::super::Api;
use super::super::locate::Asker;
use super::super::problem::Problem;

/// From this age on, a record is read again beside the answer that it is used for.
const FRESH: Duration = Duration::from_secs(1);

/// The oldest record that is used: while the store is out, tasks go on, and may be asked.
const OLDEST: Duration = Duration::from_secs(60);

/// How many records are kept. Each has at most 400 KiB, and most have some.
const MOST_KEPT: usize = 256;

/// Records that were read lately. A record that is behind names tasks that have ended: code that
/// meets them calls [`Records::read`] and tries again. It also names an older checkpoint, which
/// nobody notices: code that wants the newest one calls [`Records::newest`].
#[derive(Default)]
pub(in super::super) struct Records {
    kept: Mutex<HashMap<JobId, Kept>>,
    /// The reads of the newest record of a job that are under way; others wait for their turn.
    turns: Mutex<HashMap<JobId, Turn>>,
    names: Mutex<HashMap<String, (JobId, Instant)>>,
}

type Turn = Arc<tokio::sync::Mutex<()>>;

struct Kept {
    record: Arc<JobRecord>,
    /// The reading of it began then.
    begun_at: Instant,
    read_at: Instant,
    is_being_read: bool,
}

impl Records {
    /// The id of a job that is named by its id or name.
    pub(super) async fn id_of(&self, api: &Api, job: &str, asker: Asker) -> Result<JobId, Problem> {
        let known = self.names().get(job).copied();
        match known.filter(|(_, at)| at.elapsed() < FRESH) {
            Some((id, _)) => Ok(id),
            None => api.id_of(job, asker).await,
        }
    }

    /// The job that had this name when somebody last asked for it.
    pub(in super::super) fn named(&self, name: &str) -> Option<JobId> {
        self.names().get(name).map(|(id, _)| *id)
    }

    /// This job has this name now.
    pub(in super::super) fn note_name(&self, name: &str, id: JobId) {
        let mut names = self.names();
        if names.len() >= MOST_KEPT {
            names.clear();
        }
        names.insert(name.to_owned(), (id, Instant::now()));
    }

    /// The record of a job, perhaps as it was a second ago.
    pub(super) async fn get(&self, api: &Arc<Api>, id: JobId) -> Result<Arc<JobRecord>, Problem> {
        let known = {
            let mut kept = self.kept();
            kept.get_mut(&id).map(|kept| {
                let age = kept.read_at.elapsed();
                let is_old = age >= FRESH && !kept.is_being_read;
                kept.is_being_read |= is_old;
                (Arc::clone(&kept.record), age, is_old)
            })
        };
        match known {
            Some((record, age, is_old)) if age < OLDEST => {
                if is_old {
                    let api = Arc::clone(api);
                    tokio::spawn(async move { api.state.records.read(&api, id).await });
                }
                Ok(record)
            }
            _ => self.read(api, id).await,
        }
    }

    /// The record as it was when this was called, or later. While the store is out, it is one that
    /// was read before.
    ///
    /// Of any number of calls at the same time, two read the store.
    pub(in super::super) async fn newest(
        &self,
        api: &Api,
        id: JobId,
    ) -> Result<Arc<JobRecord>, Problem> {
        let called_at = Instant::now();
        let turn = self.turn(id);
        let _turn = turn.lock().await;
        let kept = |is_good: &dyn Fn(&Kept) -> bool| {
            let kept = self.kept();
            let good = kept.get(&id).filter(|kept| is_good(kept));
            good.map(|kept| Arc::clone(&kept.record))
        };
        if let Some(record) = kept(&|kept| kept.begun_at >= called_at) {
            return Ok(record);
        }
        match self.read(api, id).await {
            Err(problem) if problem.is_outage() => {
                kept(&|kept| kept.read_at.elapsed() < OLDEST).ok_or(problem)
            }
            read => read,
        }
    }

    fn turn(&self, id: JobId) -> Turn {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        if turns.len() >= MOST_KEPT {
            // Those that nobody waits for.
            turns.retain(|_, turn| Arc::strong_count(turn) > 1);
        }
        Arc::clone(turns.entry(id).or_default())
    }

    /// The record as it is now.
    pub(super) async fn read(&self, api: &Api, id: JobId) -> Result<Arc<JobRecord>, Problem> {
        let begun_at = Instant::now();
        let read = api.record(id).await.map(Arc::new);
        let mut kept = self.kept();
        match &read {
            Ok(record) => {
                if kept.len() >= MOST_KEPT {
                    kept.retain(|_, kept| kept.read_at.elapsed() < FRESH);
                }
                let is_newer = |other: &Kept| other.begun_at < begun_at;
                if kept.get(&id).map_or(kept.len() < MOST_KEPT, is_newer) {
                    let known = Kept {
                        record: Arc::clone(record),
                        begun_at,
                        read_at: Instant::now(),
                        is_being_read: false,
                    };
                    kept.insert(id, known);
                }
            }
            // It was removed, or is damaged.
            Err(problem) if !problem.is_outage() => drop(kept.remove(&id)),
            Err(_) => {
                if let Some(kept) = kept.get_mut(&id) {
                    kept.is_being_read = false;
                }
            }
        }
        read
    }

    fn kept(&self) -> MutexGuard<'_, HashMap<JobId, Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn names(&self) -> MutexGuard<'_, HashMap<String, (JobId, Instant)>> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
