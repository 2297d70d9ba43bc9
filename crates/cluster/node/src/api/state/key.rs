//! Keys as text: in a path, or in a query.

use serde::Deserialize;
use serde_json::Value;

use super::super::problem::Problem;

/// The longest key or name of a state, in bytes.
pub(super) const LONGEST: usize = 4096;

/// How a key is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum KeyType {
    /// As JSON.
    Json,
    /// As the text that it is.
    Text,
}

/// The key that a text is. If its type is not said, what is JSON (a number, `true`, `false`, a
/// quoted string, an array, an object) is that, and all else is a string.
pub(super) fn key_of(text: &str, kind: Option<KeyType>) -> Result<Value, Problem> {
    if text.len() > LONGEST {
        return Err(Problem::bad_request(format!(
            "The key has more than {LONGEST} bytes."
        )));
    }
    let as_text = || Value::String(text.to_owned());
    match (kind, serde_json::from_str::<Value>(text)) {
        (Some(KeyType::Text), _) => Ok(as_text()),
        (Some(KeyType::Json), Ok(key)) => Ok(key),
        (Some(KeyType::Json), Err(error)) => Err(Problem::bad_request(format!(
            "The key {text:?} is not JSON: {error}. A string is in quotes, as in \"alice\"; or leave key-type out."
        ))),
        (None, Ok(Value::Null) | Err(_)) => Ok(as_text()),
        (None, Ok(key)) => Ok(key),
    }
}

/// What the text may have meant besides, if its type was not said: `7` as a string.
pub(super) fn other_key_of(text: &str, kind: Option<KeyType>, key: &Value) -> Option<Value> {
    let other = Value::String(text.to_owned());
    (kind.is_none() && *key != other).then_some(other)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_key_is_json_if_it_can_be_and_a_string_if_not() {
        for (text, key) in [
            ("alice", json!("alice")),
            ("7", json!(7)),
            ("-1.5", json!(-1.5)),
            ("true", json!(true)),
            ("null", json!("null")),
            ("\"7\"", json!("7")),
            ("\"\"", json!("")),
            ("[1,\"a\"]", json!([1, "a"])),
            ("{\"a\":1}", json!({"a": 1})),
            ("[1", json!("[1")),
            ("7 up", json!("7 up")),
        ] {
            assert_eq!(key_of(text, None).unwrap(), key, "{text}");
            assert_eq!(key_of(text, Some(KeyType::Text)).unwrap(), json!(text));
        }
        assert_eq!(key_of("null", Some(KeyType::Json)).unwrap(), Value::Null);
        assert_eq!(
            key_of("alice", Some(KeyType::Json)).unwrap_err().status,
            400
        );
        assert_eq!(
            key_of(&"x".repeat(LONGEST + 1), None).unwrap_err().status,
            400
        );
        assert_eq!(other_key_of("7", None, &json!(7)), Some(json!("7")));
        assert_eq!(other_key_of("a", None, &json!("a")), None);
        assert_eq!(other_key_of("7", Some(KeyType::Json), &json!(7)), None);
    }
}
