//! The body of a snapshot: chunks, and an end that says how many bytes there are.
//!
//! ```text
//! 0  length, 4; 0 at the end
//! 4  crc32, 4: of the salt, the number of the chunk, the length, and the bytes
//! 8  bytes; at the end the sum of all lengths, 8
//! ```

use crc32fast::Hasher;

use super::header::BLOCK;
use super::scan::Damage;
use super::sector::{u32_of, u64_of};

/// Length of a full chunk.
pub(crate) const CHUNK: usize = 1 << 20;
const HEAD: usize = 8;

/// Encodes the chunks of one snapshot in order.
#[derive(Debug)]
pub(crate) struct Chunks {
    salt: u64,
    number: u64,
    total: u64,
}

impl Chunks {
    pub(crate) fn new(salt: u64) -> Self {
        Self {
            salt,
            number: 0,
            total: 0,
        }
    }

    /// Adds one chunk to `out`, unless it is empty: an empty chunk is the end.
    pub(crate) fn chunk(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        if bytes.is_empty() {
            return;
        }
        let length = u32::try_from(bytes.len()).expect("a chunk is cut at a megabyte");
        self.push(length, bytes, out);
        self.total += u64::from(length);
    }

    /// Adds the end to `out`.
    pub(crate) fn end(mut self, out: &mut Vec<u8>) {
        let total = self.total.to_le_bytes();
        self.push(0, &total, out);
    }

    fn push(&mut self, length: u32, bytes: &[u8], out: &mut Vec<u8>) {
        out.extend(length.to_le_bytes());
        out.extend(checksum(self.salt, self.number, length, bytes).to_le_bytes());
        out.extend(bytes);
        self.number += 1;
    }
}

/// The bytes of a snapshot.
pub(crate) fn decode(salt: u64, file: &[u8]) -> Result<Vec<u8>, Damage> {
    let mut bytes = Vec::with_capacity(file.len());
    let mut offset = BLOCK;
    for number in 0.. {
        let cut_off = || damage(offset, "the file ends before the snapshot does");
        let rest = file.get(offset..).ok_or_else(cut_off)?;
        let (head, rest) = rest.split_at_checked(HEAD).ok_or_else(cut_off)?;
        let (length, sum) = (u32_of(head), u32_of(&head[4..]));
        let size = if length == 0 { 8 } else { length as usize };
        let (chunk, rest) = rest.split_at_checked(size).ok_or_else(cut_off)?;
        if checksum(salt, number, length, chunk) != sum {
            return Err(damage(offset, "the checksum of the chunk is wrong"));
        }
        if length != 0 {
            bytes.extend(chunk);
            offset += HEAD + size;
        } else if u64_of(chunk) != bytes.len() as u64 {
            return Err(damage(
                offset,
                "the snapshot does not have the length that it says",
            ));
        } else if rest.is_empty() {
            break;
        } else {
            return Err(damage(
                offset,
                "the file goes on after the end of the snapshot",
            ));
        }
    }
    Ok(bytes)
}

fn damage(offset: usize, what: &str) -> Damage {
    Damage {
        offset: offset as u64,
        what: what.into(),
    }
}

fn checksum(salt: u64, number: u64, length: u32, bytes: &[u8]) -> u32 {
    let mut hasher = Hasher::new();
    hasher.update(&salt.to_le_bytes());
    hasher.update(&number.to_le_bytes());
    hasher.update(&length.to_le_bytes());
    hasher.update(bytes);
    hasher.finalize()
}
