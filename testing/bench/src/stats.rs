//! Statistics of samples.

use std::time::Duration;

/// Samples in their order. There is at least one.
#[derive(Clone, Debug)]
pub(crate) struct Summary {
    sorted: Vec<f64>,
}

/// A number that summarizes the samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Statistic {
    Min,
    P25,
    Median,
    P75,
    P90,
    P99,
    Max,
}

impl Summary {
    /// `None` if there are no samples.
    pub(crate) fn of(samples: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut sorted: Vec<f64> = samples.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        (!sorted.is_empty()).then_some(Self { sorted })
    }

    pub(crate) fn of_millis(samples: impl IntoIterator<Item = Duration>) -> Option<Self> {
        Self::of(samples.into_iter().map(|sample| sample.as_secs_f64() * 1e3))
    }

    pub(crate) fn count(&self) -> usize {
        self.sorted.len()
    }

    /// By nearest rank: always a value that was measured.
    pub(crate) fn get(&self, statistic: Statistic) -> f64 {
        let percent = match statistic {
            Statistic::Min => 0,
            Statistic::P25 => 25,
            Statistic::Median => 50,
            Statistic::P75 => 75,
            Statistic::P90 => 90,
            Statistic::P99 => 99,
            Statistic::Max => 100,
        };
        let rank = (self.sorted.len() * percent).div_ceil(100).max(1);
        self.sorted[rank - 1]
    }
}

impl Statistic {
    pub(crate) const ALL: [Self; 7] = [
        Self::Min,
        Self::P25,
        Self::Median,
        Self::P75,
        Self::P90,
        Self::P99,
        Self::Max,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Min => "min",
            Self::P25 => "p25",
            Self::Median => "p50",
            Self::P75 => "p75",
            Self::P90 => "p90",
            Self::P99 => "p99",
            Self::Max => "max",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_samples() {
        let hundred = Summary::of((1..=100).rev().map(f64::from)).unwrap();
        assert_eq!(
            Statistic::ALL.map(|statistic| hundred.get(statistic)),
            [1.0, 25.0, 50.0, 75.0, 90.0, 99.0, 100.0]
        );
        let one = Summary::of([7.0]).unwrap();
        assert!(
            Statistic::ALL
                .iter()
                .all(|statistic| one.get(*statistic) == 7.0)
        );
        assert!(Summary::of([]).is_none());
    }
}
