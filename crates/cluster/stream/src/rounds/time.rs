//! [`Time`]: when a record is in the dataflow.

/// A moment of the dataflow: a round, which is the number of the last checkpoint that was asked
/// for, and a tick in it, a small step of a source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Time(pub(crate) u64);

/// How many bits of a time are ticks. A round has four billion: at ten thousand a second, five
/// days. A source that has used them up waits for the next round.
const TICK_BITS: u32 = 32;

impl Time {
    /// The beginning of a round.
    pub(crate) const fn begin(round: u64) -> Self {
        Self(round << TICK_BITS)
    }

    pub(crate) const fn round(self) -> u64 {
        self.0 >> TICK_BITS
    }

    /// The next tick of this round, if there is one.
    pub(crate) const fn next(self) -> Option<Self> {
        let next = Self(self.0 + 1);
        match next.round() == self.round() {
            true => Some(next),
            false => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Time;

    #[test]
    fn rounds_come_before_ticks_in_the_order_of_times() {
        let last = Time(Time::begin(2).0 - 1);
        assert_eq!(last.round(), 1);
        assert!(Time::begin(1).next().unwrap() < last);
        assert_eq!(Time::begin(7).round(), 7);
    }

    #[test]
    fn a_source_never_counts_itself_into_the_next_round() {
        assert_eq!(Time::begin(3).next(), Some(Time(Time::begin(3).0 + 1)));
        assert_eq!(Time(Time::begin(4).0 - 1).next(), None);
    }
}
