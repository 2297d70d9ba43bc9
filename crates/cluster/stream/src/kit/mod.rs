//! The test kit: runs a job in a test, with records that the test gives and output that it takes.
//!
//! ```
//! use std::time::Duration;
//!
//! use incumbent_stream::kit::{Nothing, Test};
//! use incumbent_stream::{Job, Timestamp, Tumbling, Windowed};
//!
//! // The job, as `main` gives it to `run`. A test replaces its sources and sinks.
//! fn clicks(job: &Job<'_>) {
//!     job.source("clicks", Nothing::<(String, i64)>::new())
//!         .event_time(|(_, time)| Timestamp::millis(*time), Duration::ZERO)
//!         .key_by(|(page, _)| page.clone())
//!         .window("per-minute", Tumbling::minutes(1))
//!         .count()
//!         .sink("counts", Nothing::new());
//! }
//!
//! let mut test = Test::new(clicks);
//! test.give("clicks", ("home".to_owned(), 10_000_i64));
//! test.give("clicks", ("home".to_owned(), 20_000_i64));
//! test.run();
//! assert!(test.taken::<Windowed<String, u64>>("counts").is_empty(), "the minute is not over");
//!
//! test.restart(2);
//! test.give("clicks", ("home".to_owned(), 70_000_i64));
//! test.run();
//! let counts = test.taken::<Windowed<String, u64>>("counts");
//! assert_eq!((counts[0].key.as_str(), counts[0].value), ("home", 2));
//! ```

mod feed;
mod gang;
mod nothing;
mod shelf;
#[cfg(test)]
mod tests;

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::api::Job;
use crate::engine::Plan;
use crate::logic::Data;
use crate::{Error, Timestamp};

pub use nothing::Nothing;

pub(crate) use feed::Feed;
pub(crate) use shelf::Shelf;

use feed::AnyFeed;
use gang::Gang;
use shelf::AnyShelf;

/// How long anything may take before a test fails: long enough for a machine that is very busy.
const PATIENCE: Duration = Duration::from_secs(120);

/// A job in a test. It runs on threads of this process.
///
/// Sources are replaced by what [`Test::give`] gives them and sinks by what [`Test::taken`] takes;
/// the job's own are never opened. **Nothing is settled before [`Test::run`]**: what is given
/// between two runs is one go, and the watermark may follow at its end.
///
/// All methods panic if the job fails, and when a name or a type is not the job's: it is a test
/// that calls them.
pub struct Test {
    describe: Arc<gang::Describe>,
    ends: Arc<Ends>,
    gang: Gang,
    tasks: u32,
    /// The number of the last checkpoint.
    number: u64,
    checkpoint: Vec<gang::Part>,
}

impl std::fmt::Debug for Test {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Test")
            .field("tasks", &self.tasks)
            .field("number", &self.number)
            .finish_non_exhaustive()
    }
}

/// Whether a job is well-formed.
///
/// # Errors
///
/// [`Error::Malformed`], with all that is wrong.
pub fn check(describe: impl Fn(&Job<'_>)) -> Result<(), Error> {
    Plan::of(&describe).map(drop)
}

impl Test {
    /// Starts a job with one task.
    pub fn new(describe: impl Fn(&Job<'_>) + Send + Sync + 'static) -> Self {
        Self::with_tasks(1, describe)
    }

    /// Starts a job with this many tasks.
    pub fn with_tasks(tasks: u32, describe: impl Fn(&Job<'_>) + Send + Sync + 'static) -> Self {
        let ends = Arc::new(Ends::default());
        let describe = replacing(&ends, describe);
        let gang = Gang::start(tasks, &describe, 0, &[]);
        let gang = gang.unwrap_or_else(|error| panic!("{}", gang::with_causes(&error)));
        Self {
            describe,
            ends,
            gang,
            tasks,
            number: 0,
            checkpoint: Vec::new(),
        }
    }

    /// Gives a record to a source.
    pub fn give<T: Data>(&mut self, source: &str, record: T) {
        self.ends.feed::<T>(source).give(record);
    }

    /// Gives several records to a source.
    pub fn give_all<T: Data>(&mut self, source: &str, records: impl IntoIterator<Item = T>) {
        let feed = self.ends.feed::<T>(source);
        records.into_iter().for_each(|record| feed.give(record));
    }

    /// Moves the event time of a source, as a record of this time would.
    pub fn advance(&mut self, source: &str, time: Timestamp) {
        self.ends.any_feed(source).advance(time);
    }

    /// Ends a source: it holds no watermark up any more.
    pub fn finish(&mut self, source: &str) {
        self.ends.any_feed(source).end();
    }

    /// Waits until everything that was given has been worked off, with what follows from it in
    /// event time. A checkpoint is made and committed, so that output is visible.
    pub fn run(&mut self) {
        let ends = Arc::clone(&self.ends);
        self.gang.wake();
        self.gang
            .wait("sources to be read", || ends.feeds_are_read());
        self.number += 1;
        if let Some(parts) = self.gang.checkpoint(self.number) {
            self.checkpoint = parts;
        }
        self.publish();
    }

    /// Ends all sources, and waits until the job has ended: all windows give their results.
    pub fn end(&mut self) {
        for feed in lock(&self.ends.feeds).values() {
            feed.end();
        }
        self.gang.wake();
        self.checkpoint = self.gang.last();
        self.number += 1;
        self.publish();
    }

    fn publish(&mut self) {
        let (ends, number, tasks) = (Arc::clone(&self.ends), self.number, self.tasks);
        self.gang.commit(number);
        self.gang.wait("sinks to publish", || {
            lock(&ends.shelves)
                .values()
                .all(|shelf| shelf.has_published(number, tasks))
        });
    }

    /// Takes what a sink has published since the last time. What comes from several tasks has no
    /// order.
    pub fn taken<T: Data>(&mut self, sink: &str) -> Vec<T> {
        self.ends.shelf::<T>(sink).take()
    }

    /// What is kept for a key: of a state, a window or a join, as a query shows it.
    pub fn state<V: DeserializeOwned>(&mut self, state: &str, key: &impl Serialize) -> Option<V> {
        let key = serde_json::to_value(key).expect("a key is JSON");
        let value = self.gang.state(state, &key)?;
        let shown = value.to_string();
        Some(serde_json::from_value(value).unwrap_or_else(|error| {
            panic!(
                "state `{state}`: {shown} is no {}: {error}",
                std::any::type_name::<V>()
            )
        }))
    }

    /// Kills the job and starts it from its last checkpoint, which is that of the last
    /// [`Test::run`], with this many tasks. What was given since then is read again.
    pub fn restart(&mut self, tasks: u32) {
        let restarted = self.begin_again(tasks);
        restarted.unwrap_or_else(|error| panic!("{}", gang::with_causes(&error)));
    }

    /// Kills the job, and starts another build of it from the last checkpoint.
    ///
    /// # Errors
    ///
    /// [`Error::Malformed`] and [`Error::DoesNotFit`]: what the job would be refused with.
    pub fn upgrade(
        &mut self,
        describe: impl Fn(&Job<'_>) + Send + Sync + 'static,
    ) -> Result<(), Error> {
        self.describe = replacing(&self.ends, describe);
        self.begin_again(self.tasks)
    }

    fn begin_again(&mut self, tasks: u32) -> Result<(), Error> {
        self.gang.stop();
        for shelf in lock(&self.ends.shelves).values() {
            shelf.begin_again();
        }
        self.tasks = tasks;
        self.gang = Gang::start(tasks, &self.describe, self.number, &self.checkpoint)?;
        Ok(())
    }
}

/// A job with the sources and sinks of a test.
fn replacing(
    ends: &Arc<Ends>,
    describe: impl Fn(&Job<'_>) + Send + Sync + 'static,
) -> Arc<gang::Describe> {
    let ends = Arc::clone(ends);
    Arc::new(move |job: &Job<'_>| describe(&job.replacing(&ends)))
}

/// What stands for the sources and the sinks of a job.
#[derive(Default)]
pub(crate) struct Ends {
    feeds: Mutex<BTreeMap<String, Arc<dyn AnyFeed + Send + Sync>>>,
    shelves: Mutex<BTreeMap<String, Arc<dyn AnyShelf + Send + Sync>>>,
}

impl Ends {
    /// What stands for a source. It is made when the job describes it.
    pub(crate) fn source<T: Data>(&self, name: &str) -> Feed<T> {
        let mut feeds = lock(&self.feeds);
        let new = || Feed::<T>::default().into_any();
        let any = feeds.entry(name.to_owned()).or_insert_with(new);
        Feed::of(any).unwrap_or_else(|| wrong_type::<T>("source", name))
    }

    /// What stands for a sink.
    pub(crate) fn sink<T: Data>(&self, name: &str) -> Shelf<T> {
        let mut shelves = lock(&self.shelves);
        let new = || Shelf::<T>::default().into_any();
        let any = shelves.entry(name.to_owned()).or_insert_with(new);
        Shelf::of(any).unwrap_or_else(|| wrong_type::<T>("sink", name))
    }

    fn any_feed(&self, name: &str) -> Arc<dyn AnyFeed + Send + Sync> {
        let feeds = lock(&self.feeds);
        match feeds.get(name) {
            Some(feed) => Arc::clone(feed),
            None => panic!("there is no source `{name}`; there are {}", names(&feeds)),
        }
    }

    fn feed<T: Data>(&self, name: &str) -> Feed<T> {
        Feed::of(&self.any_feed(name)).unwrap_or_else(|| wrong_type::<T>("source", name))
    }

    fn shelf<T: Data>(&self, name: &str) -> Shelf<T> {
        let shelves = lock(&self.shelves);
        match shelves.get(name) {
            Some(shelf) => Shelf::of(shelf).unwrap_or_else(|| wrong_type::<T>("sink", name)),
            None => panic!("there is no sink `{name}`; there are {}", names(&shelves)),
        }
    }

    fn feeds_are_read(&self) -> bool {
        lock(&self.feeds).values().all(|feed| feed.is_read())
    }
}

fn names<T>(all: &BTreeMap<String, T>) -> String {
    all.keys().cloned().collect::<Vec<_>>().join(", ")
}

fn wrong_type<T: Any>(kind: &str, name: &str) -> ! {
    let given = std::any::type_name::<T>();
    panic!("the records of {kind} `{name}` are no {given}")
}

/// A test that has failed fails for its own reason.
fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
