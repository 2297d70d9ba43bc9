//! [`Feed`]: a source that a test fills.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use serde_json::Value;

use super::lock;
use crate::logic::Data;
use crate::{At, Batch, BoxError, Found, Read, Reader, Source, Timestamp};

/// How many entries are read at a time: so few that a job's batches are several in a small test.
const BATCH: usize = 100;

/// A source that a test fills. It keeps all it was given, so that a restart reads it again.
pub(crate) struct Feed<T> {
    log: Arc<Mutex<Log<T>>>,
}

struct Log<T> {
    entries: Vec<Entry<T>>,
    has_ended: bool,
    /// How much of it the present attempt has read, and whether it knows of the end.
    read: usize,
    knows_end: bool,
}

#[derive(Clone)]
enum Entry<T> {
    Record(T),
    Time(Timestamp),
}

impl<T> Default for Feed<T> {
    fn default() -> Self {
        let log = Log {
            entries: Vec::new(),
            has_ended: false,
            read: 0,
            knows_end: false,
        };
        Self {
            log: Arc::new(Mutex::new(log)),
        }
    }
}

/// A feed whose type is not known here.
pub(super) trait AnyFeed: Any {
    fn advance(&self, time: Timestamp);
    fn end(&self);
    /// Whether all of it has been put into the dataflow.
    fn is_read(&self) -> bool;
}

impl<T: Data> AnyFeed for Mutex<Log<T>> {
    fn advance(&self, time: Timestamp) {
        lock(self).entries.push(Entry::Time(time));
    }

    fn end(&self) {
        lock(self).has_ended = true;
    }

    fn is_read(&self) -> bool {
        let log = lock(self);
        log.read == log.entries.len() && log.has_ended == log.knows_end
    }
}

impl<T: Data> Feed<T> {
    pub(super) fn into_any(self) -> Arc<dyn AnyFeed + Send + Sync> {
        self.log
    }

    /// `None` if its records are of another type.
    pub(super) fn of(any: &Arc<dyn AnyFeed + Send + Sync>) -> Option<Self> {
        let any: Arc<dyn Any + Send + Sync> = Arc::clone(any) as _;
        let log = any.downcast().ok()?;
        Some(Self { log })
    }

    pub(super) fn give(&self, record: T) {
        let mut log = lock(&self.log);
        assert!(!log.has_ended, "this source has been ended");
        log.entries.push(Entry::Record(record));
    }
}

impl<T: Data> Source for Feed<T> {
    type Record = T;
    type Reader = FeedReader<T>;

    fn open(&self, at: &At, positions: BTreeMap<String, Value>) -> Result<FeedReader<T>, BoxError> {
        // It has one split, so one task reads it, in order.
        let split = at.name.clone();
        let position = positions.get(&split).and_then(Value::as_u64).unwrap_or(0);
        let position = usize::try_from(position)?;
        if at.is_mine(&split) {
            let mut log = lock(&self.log);
            log.read = position;
            log.knows_end = false;
        }
        Ok(FeedReader {
            split,
            log: Arc::clone(&self.log),
            at: position,
        })
    }
}

pub(crate) struct FeedReader<T> {
    split: String,
    log: Arc<Mutex<Log<T>>>,
    at: usize,
}

impl<T: Data> Reader for FeedReader<T> {
    type Record = T;

    fn discover(&mut self) -> Result<Found, BoxError> {
        Ok(Found {
            splits: vec![self.split.clone()],
            is_complete: true,
        })
    }

    fn read(&mut self, _: &str, batch: &mut Batch<T>) -> Result<Read, BoxError> {
        let mut log = lock(&self.log);
        let end = log.entries.len().min(self.at + BATCH);
        for entry in &log.entries[self.at..end] {
            match entry {
                Entry::Record(record) => batch.push(record.clone(), size_of::<T>()),
                Entry::Time(time) => batch.advance(*time),
            }
        }
        self.at = end;
        log.read = end;
        if end < log.entries.len() {
            return Ok(Read::More);
        }
        log.knows_end = log.has_ended;
        match log.has_ended {
            true => Ok(Read::Ended),
            false => Ok(Read::Waiting),
        }
    }

    fn position(&self, _: &str) -> Value {
        self.at.into()
    }
}
