//! [`Dice`]: all chance of a simulation, from one seed.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// Seeded dice. The same seed and the same questions give the same answers.
#[derive(Debug)]
pub struct Dice(StdRng);

impl Dice {
    /// Dice with this seed.
    pub fn new(seed: u64) -> Self {
        Self(StdRng::seed_from_u64(seed))
    }

    /// Whether something happens that does in so many cases of a thousand.
    pub fn chance(&mut self, permille: u32) -> bool {
        self.0.random_range(0..1000) < permille
    }

    /// A number from `low` up to, and without, `high`; `low` if there is none.
    pub fn range(&mut self, low: u64, high: u64) -> u64 {
        if low < high {
            self.0.random_range(low..high)
        } else {
            low
        }
    }

    /// An index below `count`.
    pub fn index(&mut self, count: usize) -> usize {
        self.0.random_range(0..count)
    }

    /// One of these.
    pub fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.index(of.len())]
    }

    /// Any number.
    pub fn number(&mut self) -> u64 {
        self.0.random()
    }
}
