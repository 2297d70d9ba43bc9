//! [`Dice`]: all random decisions of a script, from one seed.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// Seeded dice. The same seed and the same questions give the same answers.
#[derive(Debug)]
pub(crate) struct Dice(StdRng);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(StdRng::seed_from_u64(seed))
    }

    /// True in so many cases of a hundred.
    pub(crate) fn percent(&mut self, percent: u32) -> bool {
        self.0.random_range(0..100) < percent
    }

    /// A number from `low` up to and including `high`.
    pub(crate) fn between(&mut self, low: usize, high: usize) -> usize {
        self.0.random_range(low..=high)
    }

    /// One of these values.
    pub(crate) fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.0.random_range(0..of.len())]
    }

    /// One of these values, by their weights.
    pub(crate) fn weighted<T: Copy>(&mut self, of: &[(u32, T)]) -> T {
        let mut at = self
            .0
            .random_range(0..of.iter().map(|&(weight, _)| weight).sum::<u32>());
        for &(weight, item) in of {
            if at < weight {
                return item;
            }
            at -= weight;
        }
        unreachable!("the number is below the sum of the weights")
    }
}
