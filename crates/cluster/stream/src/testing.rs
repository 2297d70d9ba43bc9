//! What the tests of several modules need.

use incumbent_state::Block;

use crate::Timestamp;
use crate::logic::Logic;
use crate::state::{AnyTable, Misfits};

/// Numbers that look random, the same for the same seed.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// A number below this one.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % end
    }
}

/// A new logic that has restored what this one has, as the engine does it.
pub(crate) fn reopened<L: Logic>(logic: &mut L, mut new: L, watermark: Timestamp) -> L {
    let mut blocks = Vec::new();
    logic.table().begin_snapshot();
    all_blocks(logic.table(), &mut blocks);
    let mut misfits = Misfits::default();
    for block in &blocks {
        new.table().restore(block, &mut misfits);
    }
    assert_eq!(misfits.sentences(), Vec::<String>::new());
    new.restored().unwrap();
    if watermark > Timestamp::MIN {
        while !new.watermark(watermark, &mut Vec::new()) {}
    }
    new
}

/// All blocks of the snapshot that has begun.
pub(crate) fn all_blocks(table: &mut dyn AnyTable, blocks: &mut Vec<Block>) {
    while !table.next_blocks(64 << 10, blocks).unwrap() {}
}
