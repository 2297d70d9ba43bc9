//! [`Panes`]: the logic of tumbling and sliding windows.

use serde::{Deserialize, Serialize};

use super::grid::Grid;
use super::timers::{NEVER, SLICE, Timers, never};
use super::{Aggregate, Fired, Window, Windowed};
use crate::Timestamp;
use crate::logic::{Data, Key, Keyed, Logic, Timed};
use crate::state::{AnyTable, Table};

/// What is kept for a key.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Kept<A> {
    /// By their start.
    windows: Vec<Pane<A>>,
    /// When there is something to do next.
    #[serde(skip, default = "never")]
    timer: i64,
}

/// A window, or a part that several windows share.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Pane<A> {
    start: i64,
    /// For people who look at the state, and to see that windows of another length were kept.
    end: i64,
    value: A,
}

/// Windows of one length: tumbling and sliding ones.
pub(crate) struct Panes<K, T, A: Aggregate<T>> {
    table: Table<K, Kept<A::Acc>>,
    timers: Timers<K>,
    grid: Grid,
    aggregate: A,
    gives_late: bool,
    watermark: i64,
}

impl<K: Key, T: Data, A: Aggregate<T>> Panes<K, T, A> {
    pub(super) fn new(
        table: Table<K, Kept<A::Acc>>,
        grid: Grid,
        aggregate: A,
        gives_late: bool,
    ) -> Self {
        Self {
            table,
            timers: Timers::new(),
            grid,
            aggregate,
            gives_late,
            watermark: i64::MIN,
        }
    }

    /// A timer of this key is due.
    fn due(&mut self, now: i64, hash: u64, key: K, out: &mut Vec<Timed<Fired<K, A::Result, T>>>) {
        let kept = self.table.get_mut(hash, &key);
        // It may be an old timer of the key.
        let Some(kept) = kept.filter(|kept| kept.timer == now) else {
            return;
        };
        let grid = self.grid;
        if grid.is_end(now)
            && let Some(acc) = take(&grid, &self.aggregate, &mut kept.windows, now, now)
        {
            out.push(fired(&grid, &key, now, self.aggregate.result(acc)));
        }
        kept.windows.retain(|pane| !grid.is_gone(pane.start, now));
        kept.timer = deadline(&grid, kept, now);
        match kept.windows.is_empty() {
            true => {
                self.table.remove(hash, &key);
            }
            false => self.timers.set(kept.timer, hash, key),
        }
    }
}

/// When there is something to do for a key after `after`.
fn deadline<A>(grid: &Grid, kept: &Kept<A>, after: i64) -> i64 {
    let deadlines = kept
        .windows
        .iter()
        .map(|pane| grid.deadline(pane.start, after));
    deadlines.min().unwrap_or(NEVER)
}

/// What the window of this end has. Panes that are not needed after `watermark` are moved and not
/// cloned.
fn take<T, A: Aggregate<T>>(
    grid: &Grid,
    aggregate: &A,
    panes: &mut Vec<Pane<A::Acc>>,
    end: i64,
    watermark: i64,
) -> Option<A::Acc> {
    let first = panes.iter().position(|pane| grid.has(end, pane.start))?;
    let mut acc = match grid.is_gone(panes[first].start, watermark) {
        true => {
            let mut acc = panes.remove(first).value;
            merge_from(grid, aggregate, &mut acc, &panes[first..], end);
            return Some(acc);
        }
        false => panes[first].value.clone(),
    };
    merge_from(grid, aggregate, &mut acc, &panes[first + 1..], end);
    Some(acc)
}

fn merge_from<T, A: Aggregate<T>>(
    grid: &Grid,
    aggregate: &A,
    acc: &mut A::Acc,
    panes: &[Pane<A::Acc>],
    end: i64,
) {
    for pane in panes.iter().take_while(|pane| grid.has(end, pane.start)) {
        aggregate.merge(acc, &pane.value);
    }
}

fn fired<K: Key, R, T>(grid: &Grid, key: &K, end: i64, value: R) -> Timed<Fired<K, R, T>> {
    let window = Window {
        start: Timestamp(end - grid.size),
        end: Timestamp(end),
    };
    let result = Windowed {
        key: key.clone(),
        window,
        value,
    };
    (window.last(), Fired::Result(result))
}

impl<K: Key, T: Data, A: Aggregate<T>> Logic for Panes<K, T, A> {
    type Key = K;
    type Value = T;
    type Out = Fired<K, A::Result, T>;

    fn record(&mut self, record: Keyed<K, T>, out: &mut Vec<Timed<Self::Out>>) {
        let Keyed {
            hash,
            time,
            key,
            value,
        } = record;
        let (grid, watermark) = (self.grid, self.watermark);
        // Of several windows, the last one begins latest and is gone last.
        let mut panes = grid
            .panes(time.0)
            .take_while(|pane| !grid.is_gone(*pane, watermark));
        let Some(mut pane) = panes.next() else {
            if self.gives_late {
                out.push((time, Fired::Late(value)));
            }
            return;
        };
        let kept = self.table.entry(hash, &key, || Kept {
            windows: Vec::with_capacity(1),
            timer: NEVER,
        });
        let before = kept.timer;
        let mut value = Some(value);
        loop {
            let next = panes.next();
            let record = match next {
                Some(_) => value.clone(),
                None => value.take(),
            };
            let record = record.expect("the last pane takes it");
            let at = slot(&mut kept.windows, pane, grid.width, || {
                self.aggregate.create()
            });
            self.aggregate.add(&mut kept.windows[at].value, record);
            kept.timer = kept.timer.min(grid.deadline(pane, watermark));
            // Windows that have ended, and are kept, fire again; those whose timer is due will.
            let mut ended = pane + grid.width - 1;
            while let Some(end) = grid.next_end(pane, ended).filter(|end| *end <= watermark) {
                ended = end;
                if end + grid.lateness > watermark && before > end {
                    let acc = take(&grid, &self.aggregate, &mut kept.windows, end, watermark);
                    let acc = acc.expect("the record is in it");
                    out.push(fired(&grid, &key, end, self.aggregate.result(acc)));
                }
            }
            match next {
                Some(next) => pane = next,
                None => break,
            }
        }
        if kept.timer < before {
            self.timers.set(kept.timer, hash, key);
        }
    }

    fn watermark(&mut self, to: Timestamp, out: &mut Vec<Timed<Self::Out>>) -> bool {
        self.watermark = to.0;
        for _ in 0..SLICE {
            match self.timers.next(to.0) {
                Some((now, hash, key)) => self.due(now, hash, key, out),
                None => return true,
            }
        }
        false
    }

    fn table(&mut self) -> &mut dyn AnyTable {
        &mut self.table
    }

    fn restored(&mut self) -> Result<(), String> {
        let grid = self.grid;
        let panes = self.table.iter().flat_map(|(_, kept)| &kept.windows);
        let mut spans = panes.map(|pane| (pane.start, pane.end));
        let other = spans.find(|(start, end)| !grid.is_pane(*start, *end));
        drop(spans);
        if let Some((start, end)) = other {
            return Err(format!(
                "{} `{}`: the checkpoint has windows or slices from {start} to {end}, and this job makes \
                 others: give them a new name",
                self.table.kind(),
                self.table.name(),
            ));
        }
        super::restore_timers(
            &mut self.table,
            &mut self.timers,
            |kept| deadline(&grid, kept, i64::MIN),
            |kept| &mut kept.timer,
        );
        Ok(())
    }
}

/// Where the pane of this start is, after it has been made.
fn slot<A>(panes: &mut Vec<Pane<A>>, start: i64, width: i64, create: impl FnOnce() -> A) -> usize {
    // Mostly it is the last one.
    let at = match panes.last() {
        Some(last) if last.start == start => return panes.len() - 1,
        Some(last) if last.start > start => panes.partition_point(|pane| pane.start < start),
        _ => panes.len(),
    };
    if panes.get(at).is_none_or(|pane| pane.start != start) {
        let pane = Pane {
            start,
            end: start + width,
            value: create(),
        };
        panes.insert(at, pane);
    }
    at
}
