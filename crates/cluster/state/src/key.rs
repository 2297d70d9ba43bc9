//! A key that is known as JSON, as the bytes that it was stored by.

use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::msgpack::{self, head};

/// The encoded forms that a key can have, the likeliest first. `example` is another key of the same
/// state, encoded ([`IndexedState::example`](crate::IndexedState::example)): JSON does not say in
/// which order a struct has its fields, nor whether `"7"` is a string or a number in a path.
///
/// It finds all keys of strings, integers, booleans, tuples, structs, and enums without fields. It
/// may miss a key whose shape differs from that of the example: an enum with fields that are
/// structs, or a struct that leaves fields out.
pub fn key_bytes(key: &Value, example: &[u8]) -> Vec<Vec<u8>> {
    let mut forms = Vec::new();
    let mut like = Vec::new();
    let mut example = example;
    if encode_like(key, &mut example, &mut like).is_some() {
        forms.push(like);
    }
    // A JSON value is always encodable.
    if let Ok(plain) = msgpack::to_vec(&Plain(key))
        && !forms.contains(&plain)
    {
        forms.push(plain);
    }
    forms
}

/// Appends a value in the shape of the first value of `example`, and moves `example` behind it.
/// `None` if it does not fit.
fn encode_like(value: &Value, example: &mut &[u8], into: &mut Vec<u8>) -> Option<()> {
    let whole = *example;
    let (length, payload, values) = head(whole).ok()?;
    *example = whole.get(length + payload..)?;
    match whole[0] {
        0x80..=0x8f | 0xde | 0xdf => {
            let object = value.as_object()?;
            if object.len() as u64 != values / 2 {
                return None;
            }
            // The length of an object is written as that of the example.
            into.extend_from_slice(&whole[..length]);
            for _ in 0..values / 2 {
                let name = string(example)?;
                msgpack::encode(name, into).ok()?;
                encode_like(object.get(name)?, example, into)?;
            }
            Some(())
        }
        0x90..=0x9f | 0xdc | 0xdd => {
            let array = value.as_array()?;
            if array.len() as u64 != values {
                return None;
            }
            into.extend_from_slice(&whole[..length]);
            array
                .iter()
                .try_for_each(|value| encode_like(value, example, into))
        }
        0xa0..=0xbf | 0xd9..=0xdb => match value {
            Value::Number(_) | Value::Bool(_) => msgpack::encode(&value.to_string(), into).ok(),
            Value::String(text) => msgpack::encode(text, into).ok(),
            _ => None,
        },
        0x00..=0x7f | 0xe0..=0xff | 0xcc..=0xd3 | 0xc2 | 0xc3 => match value {
            // A path is text: `7` and `true` stand for themselves.
            Value::String(text) => match serde_json::from_str::<Value>(text).ok()? {
                value @ (Value::Number(_) | Value::Bool(_)) => {
                    msgpack::encode(&Plain(&value), into).ok()
                }
                _ => None,
            },
            value => msgpack::encode(&Plain(value), into).ok(),
        },
        0xc4..=0xc6 => {
            let bytes = unhex(value.as_str()?)?;
            let head: &[u8] = &match bytes.len() {
                short @ ..=0xff => vec![0xc4, short as u8],
                long @ ..=0xffff => vec![0xc5, (long >> 8) as u8, long as u8],
                _ => return None,
            };
            into.extend_from_slice(head);
            into.extend_from_slice(&bytes);
            Some(())
        }
        _ => msgpack::encode(&Plain(value), into).ok(),
    }
}

/// A JSON value, encoded as what it is. Its own `Serialize` makes something else of numbers if any
/// crate of the program asks serde_json for numbers of any precision.
pub(crate) struct Plain<'v>(pub(crate) &'v Value);

impl Serialize for Plain<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Null => to.serialize_unit(),
            Value::Bool(value) => to.serialize_bool(*value),
            Value::Number(number) => match (number.as_u64(), number.as_i64()) {
                (Some(value), _) => to.serialize_u64(value),
                (None, Some(value)) => to.serialize_i64(value),
                (None, None) => to.serialize_f64(number.as_f64().unwrap_or(f64::NAN)),
            },
            Value::String(text) => to.serialize_str(text),
            Value::Array(values) => to.collect_seq(values.iter().map(Plain)),
            Value::Object(fields) => {
                to.collect_map(fields.iter().map(|(name, value)| (name, Plain(value))))
            }
        }
    }
}

/// The string at the beginning, which `from` is moved behind.
fn string<'a>(from: &mut &'a [u8]) -> Option<&'a str> {
    let whole = *from;
    let (length, payload, _) = head(whole).ok()?;
    if !matches!(whole[0], 0xa0..=0xbf | 0xd9..=0xdb) {
        return None;
    }
    *from = whole.get(length + payload..)?;
    std::str::from_utf8(&whole[length..length + payload]).ok()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits = text.strip_prefix("0x")?;
    if digits.len() % 2 != 0 || !digits.is_ascii() {
        return None;
    }
    let byte = |at| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok();
    (0..digits.len()).step_by(2).map(byte).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[derive(Serialize)]
    struct Key {
        zone: &'static str,
        area: u8,
    }

    fn first(key: &Value, example: &impl Serialize) -> Vec<u8> {
        key_bytes(key, &msgpack::to_vec(example).unwrap()).remove(0)
    }

    #[test]
    fn a_key_takes_the_shape_of_the_example() {
        let to_vec = |value: &Key| msgpack::to_vec(value).unwrap();
        let example = Key { zone: "x", area: 1 };
        let key = Key {
            zone: "y",
            area: 200,
        };
        assert_eq!(
            first(&json!({"area": 200, "zone": "y"}), &example),
            to_vec(&key)
        );
        assert_eq!(first(&json!("7"), &1), msgpack::to_vec(&7).unwrap());
        assert_eq!(first(&json!("-7"), &1), msgpack::to_vec(&-7).unwrap());
        assert_eq!(first(&json!(7), &"x"), msgpack::to_vec("7").unwrap());
        assert_eq!(
            first(&json!("true"), &false),
            msgpack::to_vec(&true).unwrap()
        );
        assert_eq!(
            first(&json!(["7", 7]), &(1, "x")),
            msgpack::to_vec(&(7, "7")).unwrap()
        );
        let big = u128::from(u64::MAX) + 1;
        let shown = crate::to_json(&msgpack::to_vec(&big).unwrap()).unwrap();
        assert_eq!(first(&shown, &1_u128), msgpack::to_vec(&big).unwrap());
    }

    #[test]
    fn what_does_not_fit_the_example_is_taken_as_it_is() {
        for example in [
            &b""[..],
            b"\xa1",
            b"\x81",
            b"\x92\x01",
            b"\xc1",
            b"\x80",
            b"\xdf\xff\xff",
        ] {
            for key in [
                json!("a"),
                json!({"a": 1}),
                json!([1, 2]),
                json!(null),
                json!("0xzz"),
            ] {
                assert!(key_bytes(&key, example).contains(&msgpack::to_vec(&Plain(&key)).unwrap()));
            }
        }
    }
}
