//! The order of keys as JSON: the one order that a job and every node can tell.

use std::cmp::Ordering;

use serde_json::{Number, Value};

/// Compares two keys: null, booleans, numbers, strings, arrays, objects; each kind by value,
/// strings by their bytes, arrays by their first element that differs, objects by their fields in
/// the order of names.
pub fn compare_json(a: &Value, b: &Value) -> Ordering {
    match (a, b) {
        (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
        (Value::Number(a), Value::Number(b)) => compare_numbers(a, b),
        (Value::String(a), Value::String(b)) => a.cmp(b),
        (Value::Array(a), Value::Array(b)) => compare_all(a.iter(), b.iter(), compare_json),
        (Value::Object(a), Value::Object(b)) => compare_all(a.iter(), b.iter(), |a, b| {
            a.0.cmp(b.0).then_with(|| compare_json(a.1, b.1))
        }),
        (a, b) => kind(a).cmp(&kind(b)),
    }
}

fn compare_all<T>(
    a: impl Iterator<Item = T>,
    mut b: impl Iterator<Item = T>,
    compare: impl Fn(T, T) -> Ordering,
) -> Ordering {
    for a in a {
        let Some(b) = b.next() else {
            return Ordering::Greater;
        };
        let order = compare(a, b);
        if order.is_ne() {
            return order;
        }
    }
    match b.next() {
        Some(_) => Ordering::Less,
        None => Ordering::Equal,
    }
}

fn compare_numbers(a: &Number, b: &Number) -> Ordering {
    match (a.as_i128(), b.as_i128()) {
        (Some(a), Some(b)) => a.cmp(&b),
        _ => {
            let (a, b) = (a.as_f64().unwrap_or(0.0), b.as_f64().unwrap_or(0.0));
            a.total_cmp(&b)
        }
    }
}

fn kind(value: &Value) -> u8 {
    match value {
        Value::Null => 0,
        Value::Bool(_) => 1,
        Value::Number(_) => 2,
        Value::String(_) => 3,
        Value::Array(_) => 4,
        Value::Object(_) => 5,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn keys_have_one_order() {
        let ordered = json!([
            null, false, true, i64::MIN, -1.5, -1, 0, 0.5, 1, 10, u64::MAX, "", "a", "a\u{0}", "aa", "b",
            [], [1], [1, 2], [2], ["a"], {}, {"a": 1}, {"a": 2}, {"a": 2, "b": 0}, {"b": 0}
        ]);
        let ordered = ordered.as_array().unwrap();
        for (i, a) in ordered.iter().enumerate() {
            for (j, b) in ordered.iter().enumerate() {
                assert_eq!(compare_json(a, b), i.cmp(&j), "{a} and {b}");
            }
        }
    }
}
