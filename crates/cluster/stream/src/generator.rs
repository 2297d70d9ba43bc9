//! [`Generator`]: a source that makes its records, for tests, examples and measurements.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::{At, Batch, BoxError, Found, Read, Reader, Source, Waker};

/// How many shares there are, if nothing else is said: enough for some tasks, and few enough that
/// each has something to do at low rates.
const SPLITS: u32 = 16;

/// What a record takes in memory, if nothing else is said.
const RECORD_BYTES: usize = 128;

/// So many records are made at a time: as few as other sources give.
const BATCH: u64 = 1000;

/// How often a source with a rate is looked at, at most: often enough to look even.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// The same, at least: a job that has nothing to do takes no processor.
const LOOK_SELDOM: Duration = Duration::from_secs(1);

/// Makes record `n` for `n` = 0, 1, 2, … The records are divided into shares by their number: share
/// `i` of `s` has `i`, `i + s`, `i + 2 s`, … A restart goes on with the next number of each share,
/// so the number of shares must not change.
///
/// ```
/// use incumbent_stream::Generator;
///
/// let squares = Generator::new(|n| n * n).records(1000).rate(100.0);
/// ```
#[derive(Clone)]
pub struct Generator<R> {
    make: Make<R>,
    records: Option<u64>,
    rate: Option<f64>,
    splits: u32,
    record_bytes: usize,
}

type Make<R> = Arc<dyn Fn(u64) -> R + Send + Sync>;

impl<R> Generator<R> {
    /// Without an end, and as fast as the job takes them. The same number must give the same record
    /// each time.
    pub fn new(make: impl Fn(u64) -> R + Send + Sync + 'static) -> Self {
        Self {
            make: Arc::new(make),
            records: None,
            rate: None,
            splits: SPLITS,
            record_bytes: RECORD_BYTES,
        }
    }

    /// Ends after so many records.
    #[must_use]
    pub fn records(mut self, records: u64) -> Self {
        self.records = Some(records);
        self
    }

    /// Makes so many records a second, of all tasks together. What was missed while the job stood
    /// is not caught up with.
    ///
    /// # Panics
    ///
    /// If it is not a number above 0.
    #[must_use]
    pub fn rate(mut self, records_per_second: f64) -> Self {
        assert!(
            records_per_second.is_finite() && records_per_second > 0.0,
            "a rate is above 0"
        );
        self.rate = Some(records_per_second);
        self
    }

    /// Makes so many shares; 16 if this is not called. Each is read by one task, so there should be
    /// more of them than tasks.
    ///
    /// # Panics
    ///
    /// If it is 0.
    #[must_use]
    pub fn splits(mut self, splits: u32) -> Self {
        assert!(splits > 0, "a generator has at least one split");
        self.splits = splits;
        self
    }

    /// About what a record takes in memory; 128 bytes if this is not called. Flow control counts
    /// them.
    #[must_use]
    pub fn record_bytes(mut self, bytes: usize) -> Self {
        self.record_bytes = bytes;
        self
    }
}

impl<R> fmt::Debug for Generator<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Generator")
            .field("records", &self.records)
            .field("rate", &self.rate)
            .field("splits", &self.splits)
            .finish_non_exhaustive()
    }
}

impl<R: 'static> Source for Generator<R> {
    type Record = R;
    type Reader = GeneratorReader<R>;

    fn open(&self, at: &At, positions: BTreeMap<String, Value>) -> Result<Self::Reader, BoxError> {
        let mut shares = BTreeMap::new();
        let splits = (0..self.splits).map(|split| (split.to_string(), u64::from(split)));
        for (name, first) in splits.filter(|(name, _)| at.is_mine(name)) {
            let next = match positions.get(&name) {
                None => first,
                Some(position) => parse(position, first, u64::from(self.splits))
                    .ok_or_else(|| format!("share {name} has no position {position}"))?,
            };
            shares.insert(name, Share { next, first: next });
        }
        if let Some(name) = positions.keys().find(|name| !shares.contains_key(*name)) {
            return Err(format!(
                "share {name} is not one of {}: the number of shares must not change",
                self.splits
            )
            .into());
        }
        let alarm = match self.rate {
            Some(rate) => Some(alarm(at.waker.clone(), look_every(rate))?),
            None => None,
        };
        Ok(GeneratorReader {
            make: Arc::clone(&self.make),
            end: self.records.unwrap_or(u64::MAX),
            rate: self.rate.map(|rate| rate / f64::from(self.splits)),
            step: u64::from(self.splits),
            record_bytes: self.record_bytes,
            shares,
            begin: None,
            _alarm: alarm,
        })
    }
}

/// The number of the next record, if it is one of this share.
fn parse(position: &Value, first: u64, step: u64) -> Option<u64> {
    let next = position.get("next")?.as_u64()?;
    (next % step == first).then_some(next)
}

/// Reads a [`Generator`] for one task.
pub struct GeneratorReader<R> {
    make: Make<R>,
    /// The number after the last.
    end: u64,
    /// Records a second, of each share.
    rate: Option<f64>,
    /// From one record of a share to the next.
    step: u64,
    record_bytes: usize,
    shares: BTreeMap<String, Share>,
    /// When it was first read: rates count from here.
    begin: Option<Instant>,
    /// Ends its thread when it is dropped.
    _alarm: Option<SyncSender<()>>,
}

struct Share {
    /// The number of the next record.
    next: u64,
    /// That of the first of this attempt.
    first: u64,
}

impl<R> fmt::Debug for GeneratorReader<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GeneratorReader").finish_non_exhaustive()
    }
}

impl<R: 'static> Reader for GeneratorReader<R> {
    type Record = R;

    fn discover(&mut self) -> Result<Found, BoxError> {
        Ok(Found {
            splits: self.shares.keys().cloned().collect(),
            is_complete: true,
        })
    }

    fn read(&mut self, split: &str, batch: &mut Batch<R>) -> Result<Read, BoxError> {
        let share = self.shares.get_mut(split).ok_or("no such share")?;
        let due = match self.rate {
            None => u64::MAX,
            Some(rate) => {
                let begin = *self.begin.get_or_insert_with(now);
                due(now() - begin, rate, share.first, self.step)
            }
        };
        let end = self.end.min(due);
        for _ in 0..BATCH {
            if share.next >= end {
                break;
            }
            batch.push((self.make)(share.next), self.record_bytes);
            share.next += self.step;
        }
        Ok(if share.next >= self.end {
            Read::Ended
        } else if share.next >= due {
            Read::Waiting
        } else {
            Read::More
        })
    }

    fn position(&self, split: &str) -> Value {
        match self.shares.get(split) {
            Some(share) => json!({ "next": share.next }),
            None => Value::Null,
        }
    }
}

/// The number that a share must not reach yet: its first records are due after a step of it.
fn due(since: Duration, rate: f64, first: u64, step: u64) -> u64 {
    // A float cast saturates, so a rate beyond all numbers is no limit.
    let records = (since.as_secs_f64() * rate) as u64;
    first.saturating_add(records.saturating_mul(step))
}

/// Four times for each record, within limits.
fn look_every(rate: f64) -> Duration {
    let seconds = (1.0 / (4.0 * rate)).min(LOOK_SELDOM.as_secs_f64());
    Duration::from_secs_f64(seconds).max(LOOK_EVERY)
}

/// Wakes the worker again and again, until what it returns is dropped.
fn alarm(waker: Waker, every: Duration) -> Result<SyncSender<()>, BoxError> {
    let (keep, dropped) = sync_channel::<()>(0);
    std::thread::Builder::new()
        .name("generator".into())
        .spawn(move || {
            while dropped.recv_timeout(every) == Err(RecvTimeoutError::Timeout) {
                waker.wake();
            }
        })?;
    Ok(keep)
}

#[expect(
    clippy::disallowed_methods,
    reason = "a rate is per second of real time, and nothing but the pace depends on it"
)]
fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    fn at(rank: u32, tasks: u32) -> At {
        At {
            name: "numbers".into(),
            job: "local".into(),
            attempt: 1,
            rank,
            tasks,
            waker: Waker::new(|| {}),
        }
    }

    /// Reads one batch of each share that has not ended.
    fn round(reader: &mut GeneratorReader<u64>, open: &mut Vec<String>) -> Vec<u64> {
        let mut all = Vec::new();
        open.retain(|split| {
            let mut batch = Batch::default();
            let read = reader.read(split, &mut batch).unwrap();
            all.extend(batch.into_records());
            read != Read::Ended
        });
        all
    }

    fn positions(reader: &GeneratorReader<u64>, open: &[String]) -> BTreeMap<String, Value> {
        let position = |split: &String| (split.clone(), reader.position(split));
        open.iter().map(position).collect()
    }

    #[test]
    fn all_tasks_together_make_each_record_once() {
        let generator = Generator::new(|n| n).records(50_001).splits(7);
        let mut all = Vec::new();
        for rank in 0..3 {
            let mut reader = generator.open(&at(rank, 3), BTreeMap::new()).unwrap();
            let mut open = reader.discover().unwrap().splits;
            while !open.is_empty() {
                all.extend(round(&mut reader, &mut open));
            }
        }
        all.sort_unstable();
        assert_eq!(all, (0..50_001).collect::<Vec<_>>());
    }

    #[test]
    fn a_restart_with_another_number_of_tasks_goes_on_exactly() {
        let generator = Generator::new(|n| n).records(50_001).splits(7);
        let mut reader = generator.open(&at(0, 1), BTreeMap::new()).unwrap();
        let mut open = reader.discover().unwrap().splits;
        let mut all = Vec::new();
        for _ in 0..3 {
            all.extend(round(&mut reader, &mut open));
        }
        let positions = positions(&reader, &open);
        for rank in 0..2 {
            let at = at(rank, 2);
            let is_mine = |(name, _): &(&String, &Value)| at.is_mine(name);
            let mine = positions.iter().filter(is_mine);
            let mine = mine.map(|(name, at)| (name.clone(), at.clone())).collect();
            let mut reader = generator.open(&at, mine).unwrap();
            let mut open = reader.discover().unwrap().splits;
            while !open.is_empty() {
                all.extend(round(&mut reader, &mut open));
            }
        }
        all.sort_unstable();
        assert_eq!(all, (0..50_001).collect::<Vec<_>>());
    }

    #[test]
    fn another_number_of_shares_is_refused() {
        let generator = Generator::new(|n| n).splits(2);
        let beyond = BTreeMap::from([("5".to_owned(), json!({ "next": 5 }))]);
        assert!(generator.open(&at(0, 1), beyond).is_err());
        let of_another = BTreeMap::from([("1".to_owned(), json!({ "next": 4 }))]);
        assert!(generator.open(&at(0, 1), of_another).is_err());
    }

    #[test]
    fn a_source_with_a_low_rate_is_seldom_looked_at() {
        assert_eq!(look_every(1e6), LOOK_EVERY);
        assert_eq!(look_every(1.0), Duration::from_millis(250));
        assert_eq!(look_every(f64::MIN_POSITIVE), LOOK_SELDOM);
    }

    #[test]
    fn a_rate_limits_what_is_due_and_wakes_the_worker() {
        assert_eq!(due(Duration::from_secs(2), 10.0, 3, 4), 3 + 20 * 4);
        assert_eq!(due(Duration::ZERO, 10.0, 3, 4), 3);
        let woken = Arc::new(AtomicU64::new(0));
        let (tell, told) = sync_channel(1);
        let counter = Arc::clone(&woken);
        let waker = Waker::new(move || {
            counter.fetch_add(1, Ordering::SeqCst);
            // Nobody may listen any more.
            let _ = tell.try_send(());
        });
        let at = At { waker, ..at(0, 1) };
        let generator = Generator::new(|n| n).rate(1e6).splits(1);
        let mut reader = generator.open(&at, BTreeMap::new()).unwrap();
        let mut found = 0;
        while found < 1000 {
            let mut batch = Batch::default();
            if reader.read("0", &mut batch).unwrap() == Read::Waiting {
                told.recv().unwrap();
            }
            found += batch.len();
        }
        assert!(woken.load(Ordering::SeqCst) > 0);
    }
}
