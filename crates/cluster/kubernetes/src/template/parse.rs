//! From the text of a template to a pod.

use k8s_openapi::api::core::v1::Pod;
use serde_json::{Map, Value, json};

use super::Refusals;

/// Largest template: an object in Kubernetes has 1.5 MiB at most, and each pod is one.
const LARGEST: usize = 256 * 1024;

/// A template, as far as it can be read.
pub(super) struct Parsed {
    pub(super) pod: Pod,
    pub(super) value: Value,
    /// The fields that are of another type, or that no pod has, one line each.
    pub(super) refusals: Vec<String>,
}

/// Reads YAML or JSON. Fields that a pod does not have are refused: the API server would drop them.
///
/// # Errors
///
/// [`Refusals`]: it is no Pod, so nothing else can be said of it.
pub(super) fn parse(text: &str) -> Result<Parsed, Refusals> {
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
    let mut refusals = Vec::new();
    let (pod, given) = match serde_json::from_value::<Pod>(value.clone()) {
        Ok(pod) => (pod, value.clone()),
        Err(error) => {
            let given = readable("", &value, &|whole| whole, &mut refusals).unwrap_or_default();
            let Ok(pod) = serde_json::from_value::<Pod>(given.clone()) else {
                refusals.push(format!("it is no Pod of Kubernetes: {error}"));
                return Err(Refusals(refusals));
            };
            (pod, given)
        }
    };
    let known = serde_json::to_value(&pod).expect("a pod is JSON");
    let mut unknown = Vec::new();
    compare("", &given, &known, &mut unknown);
    let unknown = unknown
        .iter()
        .map(|path| format!("{path}: a pod has no such field"));
    refusals.extend(unknown);
    Ok(Parsed {
        pod,
        value,
        refusals,
    })
}

/// What of this part can be read as part of a pod. `pod` makes a pod that has nothing else.
///
/// Each field is tried by itself, because an error of the whole names no field, and only the first.
fn readable(
    path: &str,
    given: &Value,
    pod: &dyn Fn(Value) -> Value,
    refusals: &mut Vec<String>,
) -> Option<Value> {
    let alone = match given {
        Value::Object(_) => json!({}),
        Value::Array(_) => json!([]),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => given.clone(),
    };
    if let Err(error) = serde_json::from_value::<Pod>(pod(alone)) {
        refusals.push(mistyped(path, given, &error));
        return None;
    }
    Some(match given {
        Value::Object(fields) => {
            let mut read = Map::new();
            for (field, value) in fields {
                let pod = |part: Value| pod(Value::Object(Map::from_iter([(field.clone(), part)])));
                if let Some(value) = readable(&below(path, field), value, &pod, refusals) {
                    read.insert(field.clone(), value);
                }
            }
            Value::Object(read)
        }
        Value::Array(items) => {
            let pod = |part: Value| pod(Value::Array(vec![part]));
            let mut read = Vec::new();
            for (at, item) in items.iter().enumerate() {
                read.extend(readable(&format!("{path}[{at}]"), item, &pod, refusals));
            }
            Value::Array(read)
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => given.clone(),
    })
}

fn mistyped(path: &str, given: &Value, error: &serde_json::Error) -> String {
    let error = error.to_string();
    let is_text = (given.is_boolean() || given.is_number()) && error.contains("expected a string");
    let advice = match is_text {
        true => "; text that YAML reads as something else, such as yes or 8, must be in quotes",
        false => "",
    };
    format!("{path}: {error}{advice}")
}

fn below(path: &str, field: &str) -> String {
    match path {
        "" => field.to_owned(),
        _ => format!("{path}.{field}"),
    }
}

/// The fields that were given and that a pod, read and written again, does not have.
fn compare(path: &str, given: &Value, known: &Value, unknown: &mut Vec<String>) {
    match (given, known) {
        (Value::Object(given), known) => {
            let none = Map::new();
            let known = known.as_object().unwrap_or(&none);
            for (field, value) in given {
                let path = below(path, field);
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
