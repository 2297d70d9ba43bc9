//! From the text of a template to a pod.

use k8s_openapi::api::core::v1::Pod;
use serde_json::{Map, Value, json};

use super::Refusals;

/// Largest template: an object in Kubernetes has 1.5 MiB at most, and each pod is one.
const LARGEST: usize = 256 * 1024;

/// Reads YAML or JSON. Fields that a pod does not have are refused: the API server would drop them.
pub(super) fn parse(text: &str) -> Result<(Pod, Value), Refusals> {
    let one = |why: String| Refusals(vec![why]);
    if text.len() > LARGEST {
        return Err(one(format!("it has more than {} KiB", LARGEST / 1024)));
    }
    let mut value = match text.trim() {
        "" => json!({}),
        _ => serde_saphyr::from_str::<Value>(text)
            .map_err(|error| one(format!("it is neither YAML nor JSON: {error}")))?,
    };
    let Value::Object(fields) = &mut value else {
        return Err(one(
            "it is no object; it must be a Pod of Kubernetes".to_owned()
        ));
    };
    for (field, wanted) in [("apiVersion", "v1"), ("kind", "Pod")] {
        let found = fields.entry(field).or_insert_with(|| json!(wanted));
        if found != wanted {
            return Err(one(format!("{field} is {found}; it must be {wanted:?}")));
        }
    }
    let pod: Pod = serde_json::from_value(value.clone())
        .map_err(|error| one(format!("it is no Pod of Kubernetes: {error}")))?;
    let known = serde_json::to_value(&pod).expect("a pod is JSON");
    let mut unknown = Vec::new();
    compare("", &value, &known, &mut unknown);
    if unknown.is_empty() {
        return Ok((pod, value));
    }
    let refusals = unknown
        .iter()
        .map(|path| format!("{path}: a pod has no such field"));
    Err(Refusals(refusals.collect()))
}

/// The fields that were given and that a pod, read and written again, does not have.
fn compare(path: &str, given: &Value, known: &Value, unknown: &mut Vec<String>) {
    match (given, known) {
        (Value::Object(given), known) => {
            let none = Map::new();
            let known = known.as_object().unwrap_or(&none);
            for (field, value) in given {
                let path = match path {
                    "" => field.clone(),
                    _ => format!("{path}.{field}"),
                };
                match known.get(field) {
                    Some(known) => compare(&path, value, known, unknown),
                    None if is_nothing(value) => {}
                    None => unknown.push(path),
                }
            }
        }
        (Value::Array(given), Value::Array(known)) => {
            for (at, (given, known)) in given.iter().zip(known).enumerate() {
                compare(&format!("{path}[{at}]"), given, known, unknown);
            }
        }
        _ => {}
    }
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.values().all(is_nothing),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}
