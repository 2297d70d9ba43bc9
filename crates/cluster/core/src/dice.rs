//! [`Dice`]: random numbers for pauses.

use incumbent_core::Nonce;

/// Random numbers that a seed determines, so that none is drawn here and all can be simulated.
#[derive(Debug)]
#[cfg_attr(test, derive(Clone))]
pub(crate) struct Dice(u64);

impl Dice {
    /// The numbers that belong to this seed.
    pub(crate) fn new(seed: Nonce) -> Self {
        let seed = seed.get();
        Self(seed as u64 ^ (seed >> 64) as u64)
    }

    /// The next number of the sequence known as splitmix64.
    pub(crate) fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}
