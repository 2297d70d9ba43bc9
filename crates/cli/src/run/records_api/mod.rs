//! The records API: a small HTTP server beside the command, for programs in any language. One per
//! term, so that what is left of an earlier term's command cannot write in a later one's name.
//!
//! `openapi.json` describes it and is served. `listen.rs` sees to it that nobody else reaches it,
//! `problem.rs` turns errors into answers, `handlers.rs` is the rest.

mod handlers;
mod listen;
mod problem;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::sync::Arc;

use incumbent::{Group, HolderName, Leadership, LostBecause, Record, RecordName, Seal};
use serde_json::value::RawValue;
use tokio::sync::{Mutex, RwLock, watch};

use crate::args::RecordsApi;
use crate::exit::Failure;
use problem::Problem;

/// Most records that one term keeps open for its command; beyond that those are forgotten that are
/// not in use.
const MOST_OPEN: usize = 10_000;

/// The name of the variable with the socket's path.
pub(crate) const SOCKET: &str = "INCUMBENT_RECORDS_SOCKET";
/// The name of the variable with the URL, on TCP.
pub(crate) const URL: &str = "INCUMBENT_RECORDS_URL";
/// The name of the variable with the token, on TCP.
pub(crate) const TOKEN: &str = "INCUMBENT_RECORDS_TOKEN";

/// A leadership, and what its command does with it.
pub(crate) struct Office {
    group: Group,
    seal: Seal,
    /// `None` once the term is over.
    leadership: RwLock<Option<Leadership>>,
    /// True once the command has ended: nobody waits for an answer any more.
    over: watch::Sender<bool>,
    records: Mutex<BTreeMap<RecordName, Cell>>,
}

type Cell = Arc<Mutex<Option<Record<Box<RawValue>>>>>;

/// The server of one term; it ends when this is dropped.
pub(crate) struct Server {
    /// What the command has to know.
    pub(crate) env: Vec<(OsString, OsString)>,
    task: tokio::task::JoinHandle<()>,
    /// The directory of the socket goes with it.
    _directory: Option<tempfile::TempDir>,
}

impl Office {
    pub(crate) fn new(leadership: Leadership) -> Arc<Self> {
        Arc::new(Self {
            group: leadership.group().clone(),
            seal: leadership.seal(),
            leadership: RwLock::new(Some(leadership)),
            over: watch::Sender::new(false),
            records: Mutex::default(),
        })
    }

    /// Ends the term, whose work has ended: resigns in favour of `prefer`.
    pub(crate) async fn resign(&self, prefer: Option<HolderName>) -> Option<LostBecause> {
        self.over.send_replace(true);
        let leadership = self.leadership.write().await.take()?;
        Some(leadership.resign(prefer).await)
    }

    /// The leadership, for as long as the answer is held.
    pub(crate) async fn leadership(
        &self,
    ) -> Result<tokio::sync::RwLockReadGuard<'_, Leadership>, Problem> {
        let guard = self.leadership.read().await;
        tokio::sync::RwLockReadGuard::try_map(guard, Option::as_ref)
            .map_err(|_| Problem::over(self.seal.epoch))
    }

    /// Does the work of a request, until the command has ended.
    async fn answer<T>(
        &self,
        work: impl Future<Output = Result<T, Problem>>,
    ) -> Result<T, Problem> {
        let mut over = self.over.subscribe();
        if *over.borrow() {
            // Nothing has been begun.
            return Err(Problem::over(self.seal.epoch));
        }
        tokio::select! {
            done = work => done,
            _ = over.wait_for(|over| *over) => Err(Problem::too_late()),
        }
    }

    async fn cell(&self, name: &RecordName) -> Result<Cell, Problem> {
        let mut records = self.records.lock().await;
        if !records.contains_key(name) && records.len() >= MOST_OPEN {
            // What is not in use can be opened again.
            records.retain(|_, cell| Arc::strong_count(cell) > 1);
        }
        if !records.contains_key(name) && records.len() >= MOST_OPEN {
            return Err(Problem::too_many_open(MOST_OPEN));
        }
        Ok(Arc::clone(records.entry(name.clone()).or_default()))
    }
}

impl Server {
    /// Begins to serve; `None` if that is switched off.
    pub(crate) fn start(office: &Arc<Office>, how: RecordsApi) -> Result<Option<Self>, Failure> {
        let failed =
            |cause: std::io::Error| Failure::new("the records API cannot listen").because(cause);
        match how {
            RecordsApi::Off => Ok(None),
            RecordsApi::Unix => listen::unix(office).map(Some).map_err(failed),
            RecordsApi::Tcp => listen::tcp(office).map(Some).map_err(failed),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}
