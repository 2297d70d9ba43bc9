//! [`Fingerprint`]: a hash that is fast, and the same on every run.

use std::hash::{BuildHasherDefault, Hasher};

/// An odd number whose bits are as good as random.
const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;

/// Hashes what a simulation does. It resists no attacks: nobody else chooses what is hashed.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Fingerprint(u64);

/// For sets and maps.
pub(crate) type Build = BuildHasherDefault<Fingerprint>;

impl Hasher for Fingerprint {
    fn finish(&self) -> u64 {
        let mixed = (self.0 ^ (self.0 >> 32)).wrapping_mul(FACTOR);
        mixed ^ (mixed >> 29)
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.write_u64(u64::from_le_bytes(word));
        }
    }

    fn write_u8(&mut self, number: u8) {
        self.write_u64(number.into());
    }

    fn write_u32(&mut self, number: u32) {
        self.write_u64(number.into());
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = (self.0.rotate_left(23) ^ number).wrapping_mul(FACTOR);
    }

    fn write_u128(&mut self, number: u128) {
        self.write_u64(number as u64);
        self.write_u64((number >> 64) as u64);
    }

    fn write_usize(&mut self, number: usize) {
        self.write_u64(number as u64);
    }

    fn write_isize(&mut self, number: isize) {
        self.write_u64(number as u64);
    }
}
