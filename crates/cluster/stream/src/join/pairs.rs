//! [`Pairs`]: the logic of joins without windows.

use std::marker::PhantomData;

use serde::{Deserialize, Serialize};

use super::Either;
use crate::Timestamp;
use crate::logic::{Data, Key, Keyed, Logic, Timed};
use crate::state::{AnyTable, Table};
use crate::windows::{FAR, NEVER, SLICE, Timers, never, restore_timers};

/// Which records of two sides belong together, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bounds {
    /// All of the same key. Nothing is ever dropped.
    Always,
    /// A right one from so much before a left one to so much after it.
    Between {
        before: i64,
        after: i64,
        lateness: i64,
    },
}

/// How many parts of what it is kept for a record may be kept longer, so that not each record needs
/// a timer.
const EXPIRY_STEPS: i64 = 16;

impl Bounds {
    pub(super) fn between(before: i64, after: i64, lateness: i64) -> Self {
        Self::Between {
            before: before.min(FAR / 4),
            after: after.min(FAR / 4),
            lateness: lateness.min(FAR / 4),
        }
    }

    fn is_late(&self, time: i64, watermark: i64) -> bool {
        match self {
            Self::Always => false,
            Self::Between { lateness, .. } => time + lateness < watermark,
        }
    }

    /// The times of right records that belong to a left one.
    fn of_left(&self, time: i64) -> (i64, i64) {
        match self {
            Self::Always => (i64::MIN, i64::MAX),
            Self::Between { before, after, .. } => (time - before, time + after),
        }
    }

    /// The times of left records that belong to a right one.
    fn of_right(&self, time: i64) -> (i64, i64) {
        match self {
            Self::Always => (i64::MIN, i64::MAX),
            Self::Between { before, after, .. } => (time - after, time + before),
        }
    }

    /// The watermark from which on nothing comes any more that belongs to a record whose last
    /// partner has this time.
    fn expiry(&self, last: i64) -> i64 {
        match self {
            Self::Always => NEVER,
            Self::Between { lateness, .. } => last + lateness + 1,
        }
    }

    /// When to look, to drop what has expired.
    fn deadline(&self, expiry: i64) -> i64 {
        match self {
            Self::Always => NEVER,
            Self::Between {
                before,
                after,
                lateness,
            } => {
                let step = ((before + after + lateness) / EXPIRY_STEPS).max(1);
                expiry + (-expiry).rem_euclid(step)
            }
        }
    }
}

/// What is kept for a key: records of both sides, by time.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Sides<A, B> {
    left: Vec<Held<A>>,
    right: Vec<Held<B>>,
    /// When to look for what has expired.
    #[serde(skip, default = "never")]
    timer: i64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Held<T> {
    time: i64,
    value: T,
}

/// What the logic puts out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Paired<O, L> {
    Pair(O),
    /// A record whose partners may be gone.
    Late(L),
}

/// Each record with those of the other side that belong to it.
pub(super) struct Pairs<K, A, B, O, F> {
    table: Table<K, Sides<A, B>>,
    timers: Timers<K>,
    bounds: Bounds,
    apply: F,
    gives_late: bool,
    watermark: i64,
    out: PhantomData<fn() -> O>,
}

impl<K: Key, A: Data, B: Data, O, F> Pairs<K, A, B, O, F> {
    pub(super) fn new(
        table: Table<K, Sides<A, B>>,
        bounds: Bounds,
        apply: F,
        gives_late: bool,
    ) -> Self {
        Self {
            table,
            timers: Timers::new(),
            bounds,
            apply,
            gives_late,
            watermark: i64::MIN,
            out: PhantomData,
        }
    }

    /// A timer of this key is due.
    fn due(&mut self, now: i64, hash: u64, key: K) {
        let kept = self.table.get_mut(hash, &key);
        // It may be an old timer of the key.
        let Some(kept) = kept.filter(|kept| kept.timer == now) else {
            return;
        };
        let bounds = self.bounds;
        let is_gone = |last: i64| bounds.expiry(last) <= now;
        drop_first(&mut kept.left, |time| is_gone(bounds.of_left(time).1));
        drop_first(&mut kept.right, |time| is_gone(bounds.of_right(time).1));
        kept.timer = deadline(&bounds, kept);
        match kept.left.is_empty() && kept.right.is_empty() {
            true => {
                self.table.remove(hash, &key);
            }
            false => self.timers.set(kept.timer, hash, key),
        }
    }
}

/// When to look at a key again.
fn deadline<A, B>(bounds: &Bounds, kept: &Sides<A, B>) -> i64 {
    let left = kept.left.first().map(|held| bounds.of_left(held.time).1);
    let right = kept.right.first().map(|held| bounds.of_right(held.time).1);
    let last = [left, right].into_iter().flatten().min();
    last.map_or(NEVER, |last| bounds.deadline(bounds.expiry(last)))
}

fn drop_first<T>(held: &mut Vec<Held<T>>, is_gone: impl Fn(i64) -> bool) {
    let gone = held.partition_point(|held| is_gone(held.time));
    held.drain(..gone);
}

fn insert<T>(held: &mut Vec<Held<T>>, time: i64, value: T) {
    // Mostly it is the last one.
    let at = match held.last() {
        Some(last) if last.time > time => held.partition_point(|held| held.time <= time),
        _ => held.len(),
    };
    held.insert(at, Held { time, value });
}

fn within<T>(held: &[Held<T>], (from, to): (i64, i64)) -> &[Held<T>] {
    let first = held.partition_point(|held| held.time < from);
    let end = held.partition_point(|held| held.time <= to);
    &held[first..end]
}

impl<K, A, B, O, F> Logic for Pairs<K, A, B, O, F>
where
    K: Key,
    A: Data,
    B: Data,
    O: Data,
    F: Fn(&K, &A, &B) -> O + 'static,
{
    type Key = K;
    type Value = Either<A, B>;
    type Out = Paired<O, Either<A, B>>;

    fn record(&mut self, record: Keyed<K, Self::Value>, out: &mut Vec<Timed<Self::Out>>) {
        let Keyed {
            hash,
            time: at,
            key,
            value,
        } = record;
        let bounds = self.bounds;
        // A stream without event time has only one time, and `Always` calculates with none.
        let time = at.0.clamp(-FAR, FAR);
        if bounds.is_late(time, self.watermark) {
            if self.gives_late {
                out.push((at, Paired::Late(value)));
            }
            return;
        }
        let kept = self.table.entry(hash, &key, || Sides {
            left: Vec::new(),
            right: Vec::new(),
            timer: NEVER,
        });
        let has_time = at > Timestamp::MIN;
        let mut pair = |partner: i64, result: O| {
            let later = match has_time {
                true => Timestamp(time.max(partner)),
                false => Timestamp::MIN,
            };
            out.push((later, Paired::Pair(result)));
        };
        let last = match value {
            Either::Left(left) => {
                let partners = bounds.of_left(time);
                for right in within(&kept.right, partners) {
                    pair(right.time, (self.apply)(&key, &left, &right.value));
                }
                insert(&mut kept.left, time, left);
                partners.1
            }
            Either::Right(right) => {
                let partners = bounds.of_right(time);
                for left in within(&kept.left, partners) {
                    pair(left.time, (self.apply)(&key, &left.value, &right));
                }
                insert(&mut kept.right, time, right);
                partners.1
            }
        };
        let deadline = bounds.deadline(bounds.expiry(last));
        if deadline < kept.timer {
            kept.timer = deadline;
            self.timers.set(deadline, hash, key);
        }
    }

    fn watermark(&mut self, to: Timestamp, _: &mut Vec<Timed<Self::Out>>) -> bool {
        self.watermark = to.0;
        for _ in 0..SLICE {
            match self.timers.next(to.0) {
                Some((now, hash, key)) => self.due(now, hash, key),
                None => return true,
            }
        }
        false
    }

    fn table(&mut self) -> &mut dyn AnyTable {
        &mut self.table
    }

    fn restored(&mut self) -> Result<(), String> {
        let bounds = self.bounds;
        restore_timers(
            &mut self.table,
            &mut self.timers,
            |kept| deadline(&bounds, kept),
            |kept| &mut kept.timer,
        );
        Ok(())
    }
}
