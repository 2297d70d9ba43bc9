//! How keys and values are written: MessagePack with the names of fields.
//!
//! What serde calls *human readable* forms are taken, so that a UUID or an IP address is a string,
//! as in JSON.

use std::io;

use rmp_serde::config::{DefaultConfig, HumanReadableConfig, StructMapConfig};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Damaged;

/// Why a value cannot be written, in serde's words.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct EncodeError(#[from] rmp_serde::encode::Error);

/// Why bytes are not a value of this type, in serde's words.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct DecodeError(#[from] rmp_serde::decode::Error);

/// How deep a value may be nested to be read: deeper, it might not fit the stack of a thread.
pub const MOST_DEPTH: usize = 256;

type Config = HumanReadableConfig<StructMapConfig<DefaultConfig>>;

pub(crate) fn serializer<W: io::Write>(out: W) -> rmp_serde::Serializer<W, Config> {
    rmp_serde::Serializer::new(out)
        .with_struct_map()
        .with_human_readable()
}

/// Appends a value.
///
/// # Errors
///
/// What serde says. A part of the value may have been appended.
#[inline]
pub fn encode<T: Serialize + ?Sized>(value: &T, into: &mut Vec<u8>) -> Result<(), EncodeError> {
    Ok(value.serialize(&mut serializer(into))?)
}

/// A value as bytes.
///
/// # Errors
///
/// What serde says.
pub fn to_vec<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, EncodeError> {
    let mut bytes = Vec::new();
    encode(value, &mut bytes)?;
    Ok(bytes)
}

/// Reads a value that takes these bytes.
///
/// # Errors
///
/// What serde says.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, DecodeError> {
    let mut from = rmp_serde::Deserializer::from_read_ref(bytes).with_human_readable();
    from.set_max_depth(MOST_DEPTH);
    Ok(T::deserialize(&mut from)?)
}

/// How many bytes the first value takes, of whatever type it is.
///
/// # Errors
///
/// The bytes end before the value does, or are no MessagePack.
pub fn length(bytes: &[u8]) -> Result<usize, Damaged> {
    let mut at = 0;
    // Values that are still to come: each takes a byte at least, so a false count ends at the end.
    let mut left = 1_u64;
    while left > 0 {
        left -= 1;
        let (head, payload, values) = head(&bytes[at..])?;
        at = at
            .checked_add(head)
            .and_then(|at| at.checked_add(payload))
            .filter(|at| *at <= bytes.len())
            .ok_or(Damaged::CUT)?;
        left += values;
    }
    Ok(at)
}

/// Whether the first value is nested so deeply that [`decode`] may refuse it. Whether it does
/// depends on its type: not all that takes a level here takes one there.
///
/// # Errors
///
/// The bytes end before the value does, or are no MessagePack.
#[inline]
pub fn is_deep(bytes: &[u8]) -> Result<bool, Damaged> {
    // A level takes a byte at least. A snapshot asks this of each key and value.
    if bytes.len() < MOST_DEPTH - 1 {
        return Ok(false);
    }
    has_many_levels(bytes)
}

fn has_many_levels(bytes: &[u8]) -> Result<bool, Damaged> {
    let mut at = 0;
    // How many values are still to come at each level.
    let mut open = Vec::new();
    loop {
        let (head, payload, values) = head(bytes.get(at..).ok_or(Damaged::CUT)?)?;
        at = at
            .checked_add(head)
            .and_then(|at| at.checked_add(payload))
            .ok_or(Damaged::CUT)?;
        if values > 0 {
            open.push(values);
            if open.len() >= MOST_DEPTH - 1 {
                return Ok(true);
            }
            continue;
        }
        // The last value of a level ends it, which is a value of the level around it.
        while let Some(left) = open.last_mut() {
            *left -= 1;
            if *left > 0 {
                break;
            }
            open.pop();
        }
        if open.is_empty() {
            return Ok(false);
        }
    }
}

/// Of the value that begins here: how long its marker with lengths is, how many bytes of its own
/// follow, and how many values it holds.
pub(crate) fn head(bytes: &[u8]) -> Result<(usize, usize, u64), Damaged> {
    let number = |from: usize, len: usize| -> Result<usize, Damaged> {
        let bytes = bytes.get(from..from + len).ok_or(Damaged::CUT)?;
        Ok(bytes
            .iter()
            .fold(0, |all, byte| all << 8 | usize::from(*byte)))
    };
    let marker = *bytes.first().ok_or(Damaged::CUT)?;
    Ok(match marker {
        0x00..=0x7f | 0xe0..=0xff | 0xc0 | 0xc2 | 0xc3 => (1, 0, 0),
        0x80..=0x8f => (1, 0, 2 * u64::from(marker & 0x0f)),
        0x90..=0x9f => (1, 0, u64::from(marker & 0x0f)),
        0xa0..=0xbf => (1, usize::from(marker & 0x1f), 0),
        0xc1 => return Err(Damaged("a byte that MessagePack does not use")),
        0xcc | 0xd0 => (1, 1, 0),
        0xcd | 0xd1 => (1, 2, 0),
        0xca | 0xce | 0xd2 => (1, 4, 0),
        0xcb | 0xcf | 0xd3 => (1, 8, 0),
        0xc4 | 0xd9 => (2, number(1, 1)?, 0),
        0xc5 | 0xda => (3, number(1, 2)?, 0),
        0xc6 | 0xdb => (5, number(1, 4)?, 0),
        0xdc => (3, 0, number(1, 2)? as u64),
        0xdd => (5, 0, number(1, 4)? as u64),
        0xde => (3, 0, 2 * number(1, 2)? as u64),
        0xdf => (5, 0, 2 * number(1, 4)? as u64),
        // Extensions have a type behind their length.
        0xd4 => (2, 1, 0),
        0xd5 => (2, 2, 0),
        0xd6 => (2, 4, 0),
        0xd7 => (2, 8, 0),
        0xd8 => (2, 16, 0),
        0xc7 => (3, number(1, 1)?, 0),
        0xc8 => (4, number(1, 2)?, 0),
        0xc9 => (6, number(1, 4)?, 0),
    })
}

#[cfg(test)]
#[path = "msgpack_tests.rs"]
mod tests;
