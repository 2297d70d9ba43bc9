//! [`WindowedStream`]: what authors write windows with.

use std::fmt;
use std::ops::AddAssign;
use std::time::Duration;

use super::aggregate::{Collect, Count, Fold, Reduce, Sum};
use super::grid::Grid;
use super::kind::Shape;
use super::panes::Panes;
use super::sessions::Sessions;
use super::{Aggregate, Fired, FixedWindows, Windowed, Windows};
use crate::logic::{Data, Key};
use crate::state::Table;
use crate::time::millis_of;
use crate::{KeyedStream, Stream};

impl<'s, K: Key, T: Data> KeyedStream<'s, K, T> {
    /// Puts the records of each key into windows of event time: [`Tumbling`](crate::Tumbling),
    /// [`Sliding`](crate::Sliding) or [`Session`](crate::Session). What follows says what is made
    /// of them: [`WindowedStream::count`] or one of its siblings.
    ///
    /// A window gives its result when the watermark reaches its end: when no source above has
    /// anything earlier, but what is late. The time of the result is the last millisecond of the
    /// window. The name must be the job's own for it: checkpoints and queries know it by that.
    pub fn window<W: Windows>(&self, name: &str, windows: W) -> WindowedStream<'s, K, T, W> {
        WindowedStream {
            stream: self.clone(),
            name: name.to_owned(),
            windows,
            lateness: Duration::ZERO,
            late: None,
            kind: "window",
        }
    }

    /// Refuses the job if this stream has no event time.
    pub(crate) fn needs_time(&self, kind: &str, name: &str) {
        if !self.has_time {
            self.job.fault(format!(
                "{kind} `{name}`: its stream has no event time: call .event_time on its sources"
            ));
        }
    }
}

/// What becomes of late records.
type Late<'s, T> = Box<dyn FnOnce(Stream<'s, T>) + 's>;

/// Records in windows, of which something is to be made.
pub struct WindowedStream<'s, K, T, W> {
    stream: KeyedStream<'s, K, T>,
    name: String,
    windows: W,
    lateness: Duration,
    late: Option<Late<'s, T>>,
    kind: &'static str,
}

impl<K, T, W: fmt::Debug> fmt::Debug for WindowedStream<'_, K, T, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WindowedStream")
            .field("name", &self.name)
            .field("windows", &self.windows)
            .field("lateness", &self.lateness)
            .finish_non_exhaustive()
    }
}

impl<'s, K: Key, T: Data, W: Windows> WindowedStream<'s, K, T, W> {
    /// Keeps windows for this long after their end. A record that comes in this time gives the
    /// result of its window again, with the record in it: a reader of the results keeps the last
    /// one of each window. Sessions that such a record joins give one result, and what they gave
    /// before is not taken back.
    ///
    /// Without it, a window is gone when its result is given.
    #[must_use]
    pub fn allowed_lateness(mut self, lateness: Duration) -> Self {
        self.lateness = lateness;
        self
    }

    /// Says what becomes of records that are too late for all of their windows: the side output.
    /// Without it they are dropped.
    #[must_use]
    pub fn late(mut self, late: impl FnOnce(Stream<'s, T>) + 's) -> Self {
        self.late = Some(Box::new(late));
        self
    }

    /// The number of records.
    pub fn count(self) -> Stream<'s, Windowed<K, u64>> {
        self.aggregate(Count)
    }

    /// The sum of something that records have.
    pub fn sum<N>(self, of: impl Fn(&T) -> N + 'static) -> Stream<'s, Windowed<K, N>>
    where
        N: Data + Default + AddAssign,
    {
        self.aggregate(Sum::new(of))
    }

    /// The record with the greatest of something; the first of those that are equal.
    pub fn max_by<O: Ord>(self, of: impl Fn(&T) -> O + 'static) -> Stream<'s, Windowed<K, T>> {
        self.reduce(move |best, record| match of(&record) > of(&best) {
            true => record,
            false => best,
        })
    }

    /// The record with the least of something; the first of those that are equal.
    pub fn min_by<O: Ord>(self, of: impl Fn(&T) -> O + 'static) -> Stream<'s, Windowed<K, T>> {
        self.reduce(move |best, record| match of(&record) < of(&best) {
            true => record,
            false => best,
        })
    }

    /// Makes one record of two until one is left. Parts of a window are reduced by themselves, so
    /// it must not matter which two are taken first.
    pub fn reduce(self, two: impl Fn(T, T) -> T + 'static) -> Stream<'s, Windowed<K, T>> {
        self.aggregate(Reduce(two))
    }

    /// All records of the window. They are kept until it is gone: an [`Aggregate`] takes less.
    pub fn collect(self) -> Stream<'s, Windowed<K, Vec<T>>> {
        self.aggregate(Collect)
    }

    /// What an [`Aggregate`] makes of the records.
    pub fn aggregate<A: Aggregate<T>>(self, aggregate: A) -> Stream<'s, Windowed<K, A::Result>> {
        self.results(aggregate, true)
    }

    pub(crate) fn kind(mut self, kind: &'static str) -> Self {
        self.kind = kind;
        self
    }

    fn results<A>(self, aggregate: A, merges: bool) -> Stream<'s, Windowed<K, A::Result>>
    where
        A: Aggregate<T>,
    {
        let Self { stream, name, .. } = self;
        let shape = self.windows.shape();
        if let Some(fault) = shape.fault() {
            stream.job.fault(format!("{} `{name}`: {fault}", self.kind));
        }
        stream.needs_time(self.kind, &name);
        let lateness = millis_of(self.lateness);
        let gives_late = self.late.is_some();
        let said = shape.said();
        let fired: Stream<'s, Fired<K, A::Result, T>> = match shape.or_any() {
            Shape::Fixed {
                size,
                every,
                offset,
            } => {
                let grid = Grid::new(size, every, offset, lateness, merges);
                let table = Table::new(name.as_str(), self.kind);
                let table = table.with_shape(said.expect("it has a length"));
                stream.with_logic(&name, Panes::new(table, grid, aggregate, gives_late))
            }
            Shape::Session { gap } => {
                let kind = match self.kind {
                    "window" => "session",
                    other => other,
                };
                let table = Table::new(name.as_str(), kind);
                let logic = Sessions::new(table, gap, lateness, aggregate, gives_late);
                stream.with_logic(&name, logic)
            }
        };
        if let Some(late) = self.late {
            late(fired.batches("late", |time, fired, out| {
                if let Fired::Late(record) = fired {
                    out.push((time, record));
                }
            }));
        }
        fired.batches("results", |time, fired, out| {
            if let Fired::Result(result) = fired {
                out.push((time, result));
            }
        })
    }
}

impl<'s, K: Key, T: Data, W: FixedWindows> WindowedStream<'s, K, T, W> {
    /// A value that each record changes, in the order in which they come. It begins with
    /// `S::default()`.
    ///
    /// Each window has a value of its own, so with [`Sliding`](crate::Sliding) windows each record
    /// is added as often as they overlap. An [`Aggregate`], which can be merged, is added to once;
    /// it suits sessions too.
    pub fn fold<S: Data + Default>(
        self,
        add: impl Fn(&mut S, T) + 'static,
    ) -> Stream<'s, Windowed<K, S>> {
        let init = S::default;
        self.results(Fold { init, add }, false)
    }
}
