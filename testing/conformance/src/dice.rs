//! Random decisions about one call.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::Faults;

/// The largest number of calls that a late swap waits for.
const LATEST: u32 = 12;

/// Seeded dice: the same seed and the same calls give the same results.
pub(crate) struct Dice(StdRng);

/// The result for one call.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Fate {
    pub(crate) happens: bool,
    pub(crate) heard: bool,
    /// If the call is a swap that neither happens nor is heard: the number of later calls after
    /// which it happens.
    pub(crate) late: Option<u32>,
    pub(crate) delay_before: Duration,
    pub(crate) delay_after: Duration,
}

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(StdRng::seed_from_u64(seed))
    }

    /// Throws all dice every time, so that switching off one fault does not change the others.
    pub(crate) fn throw(&mut self, faults: &Faults) -> Fate {
        let [happens, heard, late] =
            [faults.lost_call, faults.lost_answer, faults.late].map(|p| self.below(p));
        let calls = self.0.random_range(1..=LATEST);
        Fate {
            happens: !happens,
            heard: !heard,
            late: late.then_some(calls),
            delay_before: self.part_of(faults.delay),
            delay_after: self.part_of(faults.delay),
        }
    }

    pub(crate) fn part_of(&mut self, longest: Duration) -> Duration {
        longest.mul_f64(self.0.random::<f64>())
    }

    fn below(&mut self, probability: f64) -> bool {
        self.0.random::<f64>() < probability
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_fates_and_another_one_others() {
        let fates = |seed| {
            let mut dice = Dice::new(seed);
            (0..100)
                .map(|_| dice.throw(&Faults::RAGING))
                .collect::<Vec<_>>()
        };
        assert_eq!(fates(1), fates(1));
        assert_ne!(fates(1), fates(2));
    }

    #[test]
    fn all_four_outcomes_occur_and_none_without_faults() {
        let mut dice = Dice::new(7);
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..100 {
            let fate = dice.throw(&Faults::RAGING);
            seen.insert((fate.happens, fate.heard));
            let fate = dice.throw(&Faults::NONE);
            assert!(fate.happens && fate.heard && fate.delay_before.is_zero());
        }
        assert_eq!(seen.len(), 4);
    }
}
