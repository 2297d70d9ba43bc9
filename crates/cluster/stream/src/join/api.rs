//! [`Join`]: what authors write joins with.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Either;
use super::pairs::{Bounds, Paired, Pairs};
use crate::logic::{Data, Key};
use crate::state::Table;
use crate::time::millis_of;
use crate::windows::{Aggregate, Window, WindowedStream, Windows};
use crate::{KeyedStream, Stream};

impl<'s, K: Key, A: Data> KeyedStream<'s, K, A> {
    /// Joins two streams by their keys. What follows says which records of a key belong together:
    /// [`Join::window`], [`Join::within`], [`Join::between`] or [`Join::forever`].
    ///
    /// The name must be the job's own for it: checkpoints and queries know it by that.
    pub fn join<B: Data>(&self, name: &str, other: &KeyedStream<'s, K, B>) -> Join<'s, K, A, B> {
        let left = self.map_values(Either::Left);
        let right = other.map_values(Either::Right);
        Join {
            sides: left.merge(&right),
            name: name.to_owned(),
        }
    }
}

/// Two streams that are to be joined.
pub struct Join<'s, K, A, B> {
    sides: KeyedStream<'s, K, Either<A, B>>,
    name: String,
}

impl<K, A, B> fmt::Debug for Join<'_, K, A, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Join")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl<'s, K: Key, A: Data, B: Data> Join<'s, K, A, B> {
    /// Records belong together if they are in the same window. Results come when it ends.
    pub fn window<W: Windows>(self, windows: W) -> WindowJoin<'s, K, A, B, W> {
        let windowed = self.sides.window(&self.name, windows).kind("join");
        WindowJoin { windowed }
    }

    /// Records belong together if they are at most this far apart in event time. Flink calls it an
    /// interval join, Kafka Streams a join with `JoinWindows`.
    ///
    /// A result comes as soon as both are there. A record is kept until the watermark says that
    /// nothing can come any more that belongs to it.
    pub fn within(self, distance: Duration) -> PairJoin<'s, K, A, B> {
        self.between(distance, distance)
    }

    /// The same, but a record of the other stream may be `before` earlier than one of this stream,
    /// and `after` later.
    pub fn between(self, before: Duration, after: Duration) -> PairJoin<'s, K, A, B> {
        self.pairs(Some((before, after)))
    }

    /// All records of a key belong together, whenever they come: the streams need no event time.
    ///
    /// **Nothing is ever dropped**, so this is for streams that end, or of which few records come
    /// for a key, as people register once.
    pub fn forever(self) -> PairJoin<'s, K, A, B> {
        self.pairs(None)
    }

    fn pairs(self, distance: Option<(Duration, Duration)>) -> PairJoin<'s, K, A, B> {
        PairJoin {
            join: self,
            distance,
            lateness: Duration::ZERO,
            late: None,
        }
    }
}

/// What becomes of late records.
type Late<'s, A, B> = Box<dyn FnOnce(Stream<'s, Either<A, B>>) + 's>;

/// A join without windows, of which pairs are to be made.
pub struct PairJoin<'s, K, A, B> {
    join: Join<'s, K, A, B>,
    distance: Option<(Duration, Duration)>,
    lateness: Duration,
    late: Option<Late<'s, A, B>>,
}

impl<K, A, B> fmt::Debug for PairJoin<'_, K, A, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PairJoin")
            .field("join", &self.join)
            .field("distance", &self.distance)
            .finish_non_exhaustive()
    }
}

impl<'s, K: Key, A: Data, B: Data> PairJoin<'s, K, A, B> {
    /// Records may be late by this much: what belongs to them is kept as much longer.
    #[must_use]
    pub fn allowed_lateness(mut self, lateness: Duration) -> Self {
        self.lateness = lateness;
        self
    }

    /// Says what becomes of records that are late, as what belongs to them may be gone. Without it
    /// they are dropped.
    #[must_use]
    pub fn late(mut self, late: impl FnOnce(Stream<'s, Either<A, B>>) + 's) -> Self {
        self.late = Some(Box::new(late));
        self
    }

    /// Makes a result of each pair. Its time is that of the later record.
    pub fn apply<O: Data>(self, pair: impl Fn(&K, &A, &B) -> O + 'static) -> Stream<'s, O> {
        let Join { sides, name } = self.join;
        let bounds = match self.distance {
            None => Bounds::Always,
            Some((before, after)) => {
                sides.needs_time("join", &name);
                let lateness = millis_of(self.lateness);
                Bounds::between(millis_of(before), millis_of(after), lateness)
            }
        };
        let table = Table::new(name.as_str(), "join");
        let logic = Pairs::new(table, bounds, pair, self.late.is_some());
        let paired = sides.with_logic(&name, logic);
        if let Some(late) = self.late {
            late(paired.batches("late", |time, paired, out| {
                if let Paired::Late(record) = paired {
                    out.push((time, record));
                }
            }));
        }
        paired.batches("pairs", |time, paired, out| {
            if let Paired::Pair(pair) = paired {
                out.push((time, pair));
            }
        })
    }
}

/// A join in windows, of which something is to be made.
pub struct WindowJoin<'s, K, A, B, W> {
    windowed: WindowedStream<'s, K, Either<A, B>, W>,
}

impl<K, A, B, W: fmt::Debug> fmt::Debug for WindowJoin<'_, K, A, B, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WindowJoin")
            .field("windowed", &self.windowed)
            .finish_non_exhaustive()
    }
}

impl<'s, K: Key, A: Data, B: Data, W: Windows> WindowJoin<'s, K, A, B, W> {
    /// As [`WindowedStream::allowed_lateness`].
    #[must_use]
    pub fn allowed_lateness(mut self, lateness: Duration) -> Self {
        self.windowed = self.windowed.allowed_lateness(lateness);
        self
    }

    /// As [`WindowedStream::late`].
    #[must_use]
    pub fn late(mut self, late: impl FnOnce(Stream<'s, Either<A, B>>) + 's) -> Self {
        self.windowed = self.windowed.late(late);
        self
    }

    /// Makes a result of each pair of a window. A record without partner gives none.
    pub fn apply<O: Data>(self, pair: impl Fn(&K, &A, &B) -> O + 'static) -> Stream<'s, O> {
        self.co_group(move |key, _, left, right| {
            let pairs = left.iter().flat_map(|a| right.iter().map(move |b| (a, b)));
            pairs.map(|(a, b)| pair(key, a, b)).collect::<Vec<_>>()
        })
    }

    /// Makes results of all records that the two streams have in a window: one of the two may have
    /// none. So this makes left, right and full outer joins too.
    pub fn co_group<I>(
        self,
        group: impl Fn(&K, Window, &[A], &[B]) -> I + 'static,
    ) -> Stream<'s, I::Item>
    where
        I: IntoIterator,
        I::Item: Data,
    {
        self.windowed.aggregate(Sides).flat_map(move |windowed| {
            let Both { left, right } = &windowed.value;
            group(&windowed.key, windowed.window, left, right)
        })
    }
}

/// The records of a window, by side.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Both<A, B> {
    pub(super) left: Vec<A>,
    pub(super) right: Vec<B>,
}

pub(super) struct Sides;

impl<A: Data, B: Data> Aggregate<Either<A, B>> for Sides {
    type Acc = Both<A, B>;
    type Result = Both<A, B>;

    fn create(&self) -> Both<A, B> {
        Both {
            left: Vec::new(),
            right: Vec::new(),
        }
    }

    fn add(&self, acc: &mut Both<A, B>, record: Either<A, B>) {
        match record {
            Either::Left(left) => acc.left.push(left),
            Either::Right(right) => acc.right.push(right),
        }
    }

    fn merge(&self, acc: &mut Both<A, B>, other: &Both<A, B>) {
        acc.left.extend_from_slice(&other.left);
        acc.right.extend_from_slice(&other.right);
    }

    fn result(&self, acc: Both<A, B>) -> Both<A, B> {
        acc
    }
}
