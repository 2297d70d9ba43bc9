//! [`Shelf`]: a sink that a test takes from.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use super::lock;
use crate::logic::Data;
use crate::{At, BoxError, Sink, Staged, Writer};

/// A sink that a test takes from: what is on it belongs to a committed checkpoint.
pub(crate) struct Shelf<T> {
    on: Arc<Mutex<On<T>>>,
}

struct On<T> {
    published: Vec<T>,
    /// By rank, the last number that was committed.
    committed: BTreeMap<u32, u64>,
}

impl<T> Default for Shelf<T> {
    fn default() -> Self {
        let on = On {
            published: Vec::new(),
            committed: BTreeMap::new(),
        };
        Self {
            on: Arc::new(Mutex::new(on)),
        }
    }
}

/// A shelf whose type is not known here.
pub(super) trait AnyShelf: Any {
    /// Whether all ranks have published this number.
    fn has_published(&self, number: u64, tasks: u32) -> bool;

    /// Another attempt begins.
    fn begin_again(&self);
}

impl<T: Data> AnyShelf for Mutex<On<T>> {
    fn has_published(&self, number: u64, tasks: u32) -> bool {
        let on = lock(self);
        let has = |rank| on.committed.get(&rank).is_some_and(|last| *last >= number);
        (0..tasks).all(has)
    }

    fn begin_again(&self) {
        lock(self).committed.clear();
    }
}

impl<T: Data> Shelf<T> {
    pub(super) fn into_any(self) -> Arc<dyn AnyShelf + Send + Sync> {
        self.on
    }

    /// `None` if its records are of another type.
    pub(super) fn of(any: &Arc<dyn AnyShelf + Send + Sync>) -> Option<Self> {
        let any: Arc<dyn Any + Send + Sync> = Arc::clone(any) as _;
        let on = any.downcast().ok()?;
        Some(Self { on })
    }

    pub(super) fn take(&self) -> Vec<T> {
        std::mem::take(&mut lock(&self.on).published)
    }
}

impl<T: Data> Sink<T> for Shelf<T> {
    type Writer = ShelfWriter<T>;

    fn open(&self, at: &At, _: Vec<Staged>) -> Result<ShelfWriter<T>, BoxError> {
        Ok(ShelfWriter {
            rank: at.rank,
            on: Arc::clone(&self.on),
            written: Vec::new(),
            staged: Vec::new(),
        })
    }
}

/// What it has staged is in memory only: a test waits for what it commits.
pub(crate) struct ShelfWriter<T> {
    rank: u32,
    on: Arc<Mutex<On<T>>>,
    written: Vec<T>,
    staged: Vec<(u64, Vec<T>)>,
}

impl<T: Data> Writer<T> for ShelfWriter<T> {
    fn write(&mut self, mut records: Vec<T>) -> Result<(), BoxError> {
        self.written.append(&mut records);
        Ok(())
    }

    fn stage(&mut self, number: u64) -> Result<Vec<Staged>, BoxError> {
        self.staged
            .push((number, std::mem::take(&mut self.written)));
        Ok(Vec::new())
    }

    fn stage_last(&mut self) -> Result<Vec<Staged>, BoxError> {
        self.stage(0)
    }

    fn commit(&mut self, number: u64) -> Result<(), BoxError> {
        let mut on = lock(&self.on);
        self.staged.retain_mut(|(from, records)| {
            let is_due = *from <= number;
            if is_due {
                on.published.append(records);
            }
            !is_due
        });
        on.committed.insert(self.rank, number);
        Ok(())
    }
}
