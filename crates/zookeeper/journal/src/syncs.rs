//! How long the disk takes.

use std::time::Duration;

/// How long syncs have taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SyncTimes {
    /// How many there were.
    pub count: u64,
    /// All of them together.
    pub total: Duration,
    /// The shortest; zero if there was none.
    pub shortest: Duration,
    /// The longest.
    pub longest: Duration,
}

impl SyncTimes {
    pub(crate) fn record(&mut self, took: Duration) {
        self.add(Self {
            count: 1,
            total: took,
            shortest: took,
            longest: took,
        });
    }

    pub(crate) fn add(&mut self, more: Self) {
        self.shortest = match (self.count, more.count) {
            (_, 0) => self.shortest,
            (0, _) => more.shortest,
            _ => self.shortest.min(more.shortest),
        };
        self.count += more.count;
        self.total += more.total;
        self.longest = self.longest.max(more.longest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_add_up_and_none_changes_nothing() {
        let ms = Duration::from_millis;
        let mut all = SyncTimes::default();
        all.add(SyncTimes::default());
        assert_eq!(all, SyncTimes::default());
        all.record(ms(3));
        let mut more = SyncTimes::default();
        more.record(ms(1));
        more.record(ms(5));
        all.add(more);
        all.add(SyncTimes::default());
        assert_eq!((all.count, all.total), (3, ms(9)));
        assert_eq!((all.shortest, all.longest), (ms(1), ms(5)));
    }
}
