//! A leadership, shared by the runner and by the requests of its command: [`Office`].

use std::collections::BTreeMap;
use std::sync::Arc;

use incumbent::{Group, HolderName, Leadership, LostBecause, Record, RecordName, Seal};
use serde_json::value::RawValue;
use tokio::sync::{Mutex, RwLock, RwLockReadGuard, watch};

use super::problem::Problem;

/// Most records that one term keeps open for its command. Beyond that, records that are not in use
/// are forgotten.
pub(super) const MOST_OPEN: usize = 10_000;

/// A leadership, and the records that its command has opened.
pub(crate) struct Office {
    pub(super) group: Group,
    pub(super) seal: Seal,
    /// `None` once the term is over.
    leadership: RwLock<Option<Leadership>>,
    /// True once the command has ended. Then nobody waits for an answer.
    over: watch::Sender<bool>,
    records: Mutex<BTreeMap<RecordName, Cell>>,
}

pub(super) type Cell = Arc<Mutex<Option<Record<Box<RawValue>>>>>;

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

    /// Ends the term after its work has ended: resigns, in favour of `prefer` if it is given.
    pub(crate) async fn resign(&self, prefer: Option<HolderName>) -> Option<LostBecause> {
        self.over.send_replace(true);
        let leadership = self.leadership.write().await.take()?;
        Some(leadership.resign(prefer).await)
    }

    /// The leadership, for as long as the answer is held.
    pub(crate) async fn leadership(&self) -> Result<RwLockReadGuard<'_, Leadership>, Problem> {
        let guard = self.leadership.read().await;
        RwLockReadGuard::try_map(guard, Option::as_ref).map_err(|_| Problem::over(self.seal.epoch))
    }

    /// Does the work of a request, unless the command ends first.
    pub(super) async fn answer<T>(
        &self,
        work: impl Future<Output = Result<T, Problem>>,
    ) -> Result<T, Problem> {
        let mut over = self.over.subscribe();
        if *over.borrow() {
            // Nothing was started.
            return Err(Problem::over(self.seal.epoch));
        }
        tokio::select! {
            done = work => done,
            _ = over.wait_for(|over| *over) => Err(Problem::too_late()),
        }
    }

    /// The slot of a record, which one request uses at a time.
    pub(super) async fn cell(&self, name: &RecordName) -> Result<Cell, Problem> {
        let mut records = self.records.lock().await;
        if !records.contains_key(name) && records.len() >= MOST_OPEN {
            // The others can be opened again.
            records.retain(|_, cell| Arc::strong_count(cell) > 1);
        }
        if !records.contains_key(name) && records.len() >= MOST_OPEN {
            return Err(Problem::too_many_open(MOST_OPEN));
        }
        Ok(Arc::clone(records.entry(name.clone()).or_default()))
    }
}
