//! The sector: the smallest piece that a disk writes as a whole, with a seal of its own.
//!
//! ```text
//! 496 bytes of content │ sequence of the batch, 8 │ crc32, 4 │ "iJ" 5A A5
//! ```
//!
//! The seal tells a write that was cut off from damage. Files are zeros before they are written, so
//! a sector whose write was cut off has zeros instead of a mark. A sector with a mark was written
//! as a whole; if its checksum is wrong, it was changed since. The checksum includes the salt of
//! the file and the place in it, so a sector from elsewhere does not pass.

use crc32fast::Hasher;

/// Disks write 512 bytes or a multiple of it at once.
pub(crate) const SECTOR: usize = 512;
/// How much of it is content.
pub(crate) const CONTENT: usize = SECTOR - SEAL;

const SEAL: usize = 16;
/// Four bytes, so that no change of one byte makes a seal out of zeros or zeros out of a seal.
const MARK: [u8; 4] = [b'i', b'J', 0x5a, 0xa5];

/// What is in a sector.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Sector<'a> {
    /// Zeros: nothing was written.
    Empty,
    /// Without a mark at its end: a write was cut off within it.
    Half,
    /// Whole.
    Whole { sequence: u64, content: &'a [u8] },
    /// Its checksum is wrong: it was changed.
    Damaged,
}

/// Reads the sector at `offset` of the file with this salt.
pub(crate) fn read(salt: u64, offset: u64, bytes: &[u8]) -> Sector<'_> {
    let (content, seal) = bytes.split_at(CONTENT);
    let (sequence, rest) = seal.split_at(8);
    let (sum, mark) = rest.split_at(4);
    if mark == [0; 4] {
        return if is_zero(bytes) {
            Sector::Empty
        } else {
            Sector::Half
        };
    }
    if mark != MARK || sum != checksum(salt, offset, content, sequence).to_le_bytes() {
        return Sector::Damaged;
    }
    Sector::Whole {
        sequence: u64_of(sequence),
        content,
    }
}

/// Seals the content that is in `bytes` already.
pub(crate) fn seal(salt: u64, offset: u64, sequence: u64, bytes: &mut [u8]) {
    let (content, seal) = bytes.split_at_mut(CONTENT);
    let sequence = sequence.to_le_bytes();
    seal[..8].copy_from_slice(&sequence);
    seal[8..12].copy_from_slice(&checksum(salt, offset, content, &sequence).to_le_bytes());
    seal[12..].copy_from_slice(&MARK);
}

fn checksum(salt: u64, offset: u64, content: &[u8], sequence: &[u8]) -> u32 {
    let mut hasher = Hasher::new();
    hasher.update(&salt.to_le_bytes());
    hasher.update(&offset.to_le_bytes());
    hasher.update(sequence);
    hasher.update(content);
    hasher.finalize()
}

/// Compares in pieces, which the compiler makes fast: whole files are searched.
pub(crate) fn is_zero(bytes: &[u8]) -> bool {
    const ZEROS: [u8; 4096] = [0; 4096];
    bytes
        .chunks(ZEROS.len())
        .all(|piece| piece == &ZEROS[..piece.len()])
}

/// The first eight bytes as a number.
pub(crate) fn u64_of(bytes: &[u8]) -> u64 {
    u64::from_le_bytes(*bytes.first_chunk().expect("eight bytes were cut out"))
}

/// The first four bytes as a number.
pub(crate) fn u32_of(bytes: &[u8]) -> u32 {
    u32::from_le_bytes(*bytes.first_chunk().expect("four bytes were cut out"))
}
