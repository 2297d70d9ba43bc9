//! MessagePack as JSON, without knowing the type: for people who look at state.
//!
//! | MessagePack | JSON |
//! |---|---|
//! | nil, booleans, integers, strings, arrays | the same |
//! | floats | numbers; `"NaN"`, `"Infinity"`, `"-Infinity"` |
//! | maps | objects; a key that is no string becomes its JSON as a string |
//! | bytes, and `u128` and `i128`, which are 16 bytes | `"0x"` and hexadecimal digits |
//! | extensions | `{"extension": type, "bytes": "0x…"}` |

use std::fmt::Write;

use serde_json::{Map, Number, Value};

use crate::{Damaged, msgpack};

/// How deep arrays and maps may be nested. It is what JSON parsers take.
pub const MOST_DEPTH: u32 = 128;

/// A value that takes these bytes, as JSON.
///
/// # Errors
///
/// The bytes are no MessagePack, there are more than one value takes, or it is nested deeper than
/// [`MOST_DEPTH`].
pub fn to_json(bytes: &[u8]) -> Result<Value, Damaged> {
    let mut rest = bytes;
    let value = take(&mut rest, MOST_DEPTH)?;
    if !rest.is_empty() {
        return Err(Damaged("there are bytes behind a value"));
    }
    Ok(value)
}

/// Takes one value from the beginning of these bytes.
fn take(rest: &mut &[u8], depth: u32) -> Result<Value, Damaged> {
    let (head, payload, values) = msgpack::head(rest)?;
    let marker = rest[0];
    if rest.len() < head {
        return Err(Damaged::CUT);
    }
    let (head, behind) = rest.split_at(head);
    let (payload, behind) = behind.split_at_checked(payload).ok_or(Damaged::CUT)?;
    *rest = behind;
    Ok(match marker {
        0x00..=0x7f => Value::from(marker),
        0xe0..=0xff => Value::from(marker.cast_signed()),
        0xc2 => Value::Bool(false),
        0xc3 => Value::Bool(true),
        0xcc..=0xcf => Value::from(unsigned(payload)),
        0xd0..=0xd3 => Value::from(signed(payload)),
        0xca => float(f64::from(f32::from_bits(unsigned(payload) as u32))),
        0xcb => float(f64::from_bits(unsigned(payload))),
        0xa0..=0xbf | 0xd9..=0xdb => match std::str::from_utf8(payload) {
            Ok(text) => Value::from(text),
            Err(_) => return Err(Damaged("a string is not UTF-8")),
        },
        0xc4..=0xc6 => Value::from(hex(payload)),
        0x90..=0x9f | 0xdc | 0xdd => {
            let depth = deeper(depth)?;
            // Not reserved by what it says: that may be damaged.
            let mut array = Vec::new();
            for _ in 0..values {
                array.push(take(rest, depth)?);
            }
            Value::Array(array)
        }
        0x80..=0x8f | 0xde | 0xdf => {
            let depth = deeper(depth)?;
            let mut object = Map::new();
            for _ in 0..values / 2 {
                let key = match take(rest, depth)? {
                    Value::String(text) => text,
                    other => other.to_string(),
                };
                object.insert(key, take(rest, depth)?);
            }
            Value::Object(object)
        }
        0xd4..=0xd8 | 0xc7..=0xc9 => {
            let kind = head[head.len() - 1].cast_signed();
            serde_json::json!({"extension": kind, "bytes": hex(payload)})
        }
        0xc0 | 0xc1 => Value::Null,
    })
}

fn deeper(depth: u32) -> Result<u32, Damaged> {
    depth
        .checked_sub(1)
        .ok_or(Damaged("a value is nested too deeply to be shown"))
}

fn unsigned(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0, |all, byte| all << 8 | u64::from(*byte))
}

fn signed(bytes: &[u8]) -> i64 {
    // The sign is the highest bit of the bytes that there are.
    let unused = 64 - 8 * bytes.len() as u32;
    (unsigned(bytes) << unused).cast_signed() >> unused
}

fn float(value: f64) -> Value {
    match Number::from_f64(value) {
        Some(number) => Value::Number(number),
        None if value.is_nan() => Value::from("NaN"),
        None if value > 0.0 => Value::from("Infinity"),
        None => Value::from("-Infinity"),
    }
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 + 2 * bytes.len());
    text.push_str("0x");
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
#[path = "json_tests.rs"]
mod tests;
