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

/// Records that were read lately. A record that is behind names tasks that have ended, or files
/// that are gone: code that meets them calls [`Records::read`] and tries again.
#[derive(Default)]
pub(in super::super) struct Records {
    kept: Mutex<HashMap<JobId, Kept>>,
    names: Mutex<HashMap<String, (JobId, Instant)>>,
}

struct Kept {
    record: Arc<JobRecord>,
    read_at: Instant,
    is_being_read: bool,
}

impl Records {
    /// The id of a job that is named by its id or name.
    pub(super) async fn id_of(&self, api: &Api, job: &str, asker: Asker) -> Result<JobId, Problem> {
        if let Ok(id) = job.parse() {
            return Ok(id);
        }
        let known = self.names().get(job).copied();
        if let Some((id, _)) = known.filter(|(_, at)| at.elapsed() < FRESH) {
            return Ok(id);
        }
        let id = api.id_of(job, asker).await?;
        let mut names = self.names();
        if names.len() >= MOST_KEPT {
            names.clear();
        }
        names.insert(job.to_owned(), (id, Instant::now()));
        Ok(id)
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

    /// The record as it is now.
    pub(super) async fn read(&self, api: &Api, id: JobId) -> Result<Arc<JobRecord>, Problem> {
        let read = api.record(id).await.map(Arc::new);
        let mut kept = self.kept();
        match &read {
            Ok(record) => {
                if kept.len() >= MOST_KEPT {
                    kept.retain(|_, kept| kept.read_at.elapsed() < FRESH);
                }
                if kept.len() < MOST_KEPT {
                    let known = Kept {
                        record: Arc::clone(record),
                        read_at: Instant::now(),
                        is_being_read: false,
                    };
                    kept.insert(id, known);
                }
            }
            // It was removed, or is damaged.
            Err(problem) if problem.status < 502 => drop(kept.remove(&id)),
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
