//! [`Grid`]: where windows of one length lie, and the panes that they share.

use super::kind::FAR;

/// How many panes more than its windows overlap a window may be cut into: a length of 60 s each 7 s
/// would be 60 panes of 1 s, and merging those costs more than counting each record nine times.
const MOST_CUTS: i64 = 4;

/// Windows of one length, one of which begins at each multiple of `every`. All times are
/// milliseconds.
///
/// They are put together from **panes**: with panes of the length of `every`, a record is counted
/// once, however many windows it falls into. If values cannot be merged, each window is a pane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Grid {
    pub(super) size: i64,
    every: i64,
    offset: i64,
    pub(super) width: i64,
    /// How long a window is kept after its end.
    pub(super) lateness: i64,
}

impl Grid {
    pub(super) fn new(size: i64, every: i64, offset: i64, lateness: i64, merges: bool) -> Self {
        let shared = gcd(size, every);
        let width = match merges && every / shared <= MOST_CUTS {
            true => shared,
            false => size,
        };
        Self {
            size,
            every,
            offset: offset.rem_euclid(every),
            width,
            lateness: lateness.min(FAR),
        }
    }

    /// The starts of the panes that a record of this time is added to, the latest first.
    pub(super) fn panes(&self, time: i64) -> impl Iterator<Item = i64> + use<> {
        let time = time.clamp(-FAR, FAR);
        let (last, step) = match self.width == self.size {
            true => (self.floor(time, self.every), self.every),
            false => (self.floor(time, self.width), self.width),
        };
        let first = match self.width == self.size {
            true => time - self.size,
            false => last - 1,
        };
        (0..)
            .map(move |back| last - back * step)
            .take_while(move |start| *start > first)
    }

    /// Whether this is one of its panes.
    pub(super) fn is_pane(&self, start: i64, end: i64) -> bool {
        let step = match self.width == self.size {
            true => self.every,
            false => self.width,
        };
        end - start == self.width && self.floor(start, step) == start
    }

    /// The end of the last window that has a pane.
    pub(super) fn last_end(&self, pane: i64) -> i64 {
        self.floor(pane, self.every) + self.size
    }

    /// The end of the first window that has a pane and ends after `after`, if there is one.
    pub(super) fn next_end(&self, pane: i64, after: i64) -> Option<i64> {
        let least = (pane + self.width).max(after.clamp(-FAR * 2, FAR * 3) + 1);
        let last = self.last_end(pane);
        let end = least + (last - least).rem_euclid(self.every);
        (end <= last).then_some(end)
    }

    /// Whether the window of this end has a pane.
    pub(super) fn has(&self, end: i64, pane: i64) -> bool {
        end - self.size <= pane && pane + self.width <= end
    }

    /// Whether windows end here.
    pub(super) fn is_end(&self, time: i64) -> bool {
        (time - self.size - self.offset).rem_euclid(self.every) == 0
    }

    /// Whether no window that has the pane is kept at this watermark.
    pub(super) fn is_gone(&self, pane: i64, watermark: i64) -> bool {
        self.last_end(pane) + self.lateness <= watermark
    }

    /// When there is something to do about a pane after `after`: a window ends, or the last one is
    /// not kept any more.
    pub(super) fn deadline(&self, pane: i64, after: i64) -> i64 {
        let gone = self.last_end(pane) + self.lateness;
        self.next_end(pane, after).unwrap_or(gone)
    }

    fn floor(&self, time: i64, step: i64) -> i64 {
        time - (time - self.offset).rem_euclid(step)
    }
}

fn gcd(one: i64, other: i64) -> i64 {
    match other {
        0 => one,
        _ => gcd(other, one % other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The windows that have a time, from their definition.
    fn windows(grid: &Grid, time: i64) -> Vec<(i64, i64)> {
        (time - 100..=time)
            .filter(|start| (start - grid.offset).rem_euclid(grid.every) == 0)
            .map(|start| (start, start + grid.size))
            .filter(|(_, end)| time < *end)
            .collect()
    }

    #[test]
    fn panes_make_the_windows_that_the_definition_has() {
        for (size, every, offset) in [(10, 10, 0), (10, 10, 3), (12, 4, 1), (9, 6, 0), (10, 3, 2)] {
            for merges in [true, false] {
                let grid = Grid::new(size, every, offset, 0, merges);
                for time in -40..40 {
                    let wanted = windows(&grid, time);
                    let panes: Vec<i64> = grid.panes(time).collect();
                    let mut made: Vec<i64> = Vec::new();
                    for pane in panes {
                        assert!(grid.is_pane(pane, pane + grid.width));
                        let mut after = i64::MIN;
                        while let Some(end) = grid.next_end(pane, after) {
                            assert!(grid.has(end, pane) && grid.is_end(end));
                            made.push(end);
                            after = end;
                        }
                        assert_eq!(grid.last_end(pane), after);
                    }
                    made.sort_unstable();
                    let ends: Vec<i64> = wanted.iter().map(|(_, end)| *end).collect();
                    assert_eq!(made, ends, "{grid:?} at {time}");
                }
            }
        }
    }

    #[test]
    fn a_record_is_added_once_if_values_merge_and_once_a_window_if_not() {
        let merging = Grid::new(60, 10, 0, 0, true);
        assert_eq!(merging.panes(25).collect::<Vec<_>>(), [20]);
        let whole = Grid::new(60, 10, 0, 0, false);
        assert_eq!(whole.panes(25).count(), 6);
        // Panes would be too small.
        let odd = Grid::new(60_000, 7_001, 0, 0, true);
        assert_eq!(odd.width, 60_000);
    }

    #[test]
    fn times_far_away_are_no_overflow() {
        let grid = Grid::new(1_000, 100, 7, i64::MAX, true);
        for time in [i64::MIN, i64::MIN + 1, i64::MAX - 1, i64::MAX] {
            for pane in grid.panes(time) {
                assert!(grid.next_end(pane, i64::MIN).is_some());
                assert_eq!(grid.next_end(pane, i64::MAX), None);
                assert!(grid.deadline(pane, i64::MAX) > 0);
                assert!(grid.is_gone(pane, i64::MAX));
            }
        }
    }
}
