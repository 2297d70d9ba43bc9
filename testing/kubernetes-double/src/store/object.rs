//! An object from a client: parsed, its types checked, brought into the form in which it is stored.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use crate::request::status::Refusal;
use crate::store::resource::Resource;

/// The fields of `metadata` that are stored.
const METADATA: [&str; 13] = [
    "name",
    "generateName",
    "namespace",
    "labels",
    "annotations",
    "ownerReferences",
    "finalizers",
    "resourceVersion",
    "uid",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
];

/// The fields of a Lease's `spec`, and the type of each.
const LEASE: [(&str, Type); 7] = [
    ("holderIdentity", Type::Text),
    ("leaseDurationSeconds", Type::Number),
    ("acquireTime", Type::MicroTime),
    ("renewTime", Type::MicroTime),
    ("leaseTransitions", Type::Number),
    ("strategy", Type::Text),
    ("preferredHolder", Type::Text),
];

#[derive(Clone, Copy, Debug)]
enum Type {
    Text,
    Number,
    MicroTime,
}

/// Reads a body as an object of this kind. `strict` refuses unknown fields; otherwise they are
/// dropped.
pub(crate) fn read(resource: &Resource, body: &[u8], strict: bool) -> Result<Value, Refusal> {
    let object: Value = serde_json::from_slice(body).map_err(|error| {
        let kind = resource.kind;
        let why = format!("couldn't get version/kind; json parse error: {error}");
        Refusal::bad_request(format!(
            "the object provided is unrecognized (must be of type {kind}): {why}"
        ))
    })?;
    formed(resource, object, strict)
}

/// The object in the form in which it is stored.
pub(crate) fn formed(resource: &Resource, object: Value, strict: bool) -> Result<Value, Refusal> {
    let Value::Object(mut object) = object else {
        return Err(Refusal::bad_request(format!(
            "the object provided is unrecognized (must be of type {})",
            resource.kind
        )));
    };
    let text = |value: Option<Value>| {
        value
            .and_then(|it| it.as_str().map(str::to_owned))
            .unwrap_or_default()
    };
    let (kind, version) = (
        text(object.remove("kind")),
        text(object.remove("apiVersion")),
    );
    if !version.is_empty() && version != resource.api_version() {
        let told = if kind.is_empty() {
            resource.kind
        } else {
            &kind
        };
        let expected = resource.kind;
        return Err(Refusal::bad_request(format!(
            "{told} in version {version:?} cannot be handled as a {expected}: no kind {told:?} is registered for version {version:?}"
        )));
    }
    if !kind.is_empty() && kind != resource.kind {
        return Err(mistyped(
            resource,
            &kind,
            "no conversion between these kinds",
        ));
    }
    let mut unknown = Vec::new();
    let mut kept = Map::new();
    kept.insert("kind".into(), json!(resource.kind));
    kept.insert("apiVersion".into(), json!(resource.api_version()));
    kept.insert(
        "metadata".into(),
        metadata(resource, object.remove("metadata"), &mut unknown)?,
    );
    for (field, value) in object {
        if field == "status" && resource.status || resource.fields.contains(&field.as_str()) {
            if !value.is_null() {
                kept.insert(field, value);
            }
        } else {
            unknown.push(field);
        }
    }
    body(resource, &mut kept, &mut unknown)?;
    if strict && !unknown.is_empty() {
        let all: Vec<String> = unknown
            .iter()
            .map(|field| format!("unknown field {field:?}"))
            .collect();
        let (kind, version) = (resource.kind, resource.version);
        return Err(Refusal::bad_request(format!(
            "{kind} in version {version:?} cannot be handled as a {kind}: strict decoding error: {}",
            all.join(", ")
        )));
    }
    Ok(Value::Object(kept))
}

/// The fields after `metadata`.
fn body(
    resource: &Resource,
    object: &mut Map<String, Value>,
    unknown: &mut Vec<String>,
) -> Result<(), Refusal> {
    match resource.kind {
        "ConfigMap" => {
            texts(resource, object, "data")?;
            texts(resource, object, "binaryData")?;
            for value in object
                .get("binaryData")
                .and_then(Value::as_object)
                .into_iter()
                .flat_map(Map::values)
            {
                if STANDARD.decode(value.as_str().unwrap_or_default()).is_err() {
                    return Err(mistyped(
                        resource,
                        resource.kind,
                        "illegal base64 data in binaryData",
                    ));
                }
            }
            match object.get("immutable") {
                None | Some(Value::Bool(_)) => Ok(()),
                Some(_) => Err(mistyped(resource, resource.kind, "immutable is no bool")),
            }
        }
        "Lease" => lease(
            resource,
            object.entry("spec").or_insert_with(|| json!({})),
            unknown,
        ),
        "RoleBinding" => {
            role_binding(object);
            Ok(())
        }
        // The real server shows them even if they are empty.
        "Namespace" | "Pod" | "Deployment" | "StatefulSet" | "ReplicaSet" | "Node" => {
            for field in ["spec", "status"] {
                if !object.entry(field).or_insert_with(|| json!({})).is_object() {
                    return Err(mistyped(resource, resource.kind, "an object was expected"));
                }
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

fn metadata(
    resource: &Resource,
    given: Option<Value>,
    unknown: &mut Vec<String>,
) -> Result<Value, Refusal> {
    let mut kept = match given {
        None | Some(Value::Null) => Map::new(),
        Some(Value::Object(map)) => map,
        Some(_) => return Err(mistyped(resource, resource.kind, "metadata is no object")),
    };
    for field in ["managedFields", "selfLink"] {
        kept.remove(field);
    }
    unknown.extend(
        kept.keys()
            .filter(|it| !METADATA.contains(&it.as_str()))
            .map(|it| format!("metadata.{it}")),
    );
    kept.retain(|field, value| METADATA.contains(&field.as_str()) && !value.is_null());
    texts(resource, &mut kept, "labels")?;
    texts(resource, &mut kept, "annotations")?;
    for field in [
        "name",
        "generateName",
        "namespace",
        "resourceVersion",
        "uid",
        "creationTimestamp",
        "deletionTimestamp",
    ] {
        match kept.get(field) {
            Some(Value::String(text)) if text.is_empty() => drop(kept.remove(field)),
            None | Some(Value::String(_)) => {}
            Some(_) => {
                return Err(mistyped(
                    resource,
                    resource.kind,
                    &format!("metadata.{field} is no string"),
                ));
            }
        }
    }
    for field in ["ownerReferences", "finalizers"] {
        match kept.get(field) {
            Some(Value::Array(items)) if items.is_empty() => drop(kept.remove(field)),
            None | Some(Value::Array(_)) => {}
            Some(_) => {
                return Err(mistyped(
                    resource,
                    resource.kind,
                    &format!("metadata.{field} is no list"),
                ));
            }
        }
    }
    Ok(Value::Object(kept))
}

/// A map of strings. An empty one is left out.
fn texts(resource: &Resource, object: &mut Map<String, Value>, field: &str) -> Result<(), Refusal> {
    let Some(value) = object.get_mut(field) else {
        return Ok(());
    };
    let Value::Object(map) = value else {
        return Err(mistyped(
            resource,
            resource.kind,
            &format!("json: cannot unmarshal {field} into a map of strings"),
        ));
    };
    for value in map.values_mut() {
        if value.is_null() {
            *value = json!("");
        } else if !value.is_string() {
            let why = format!("json: cannot unmarshal {value} in {field} into a string");
            return Err(mistyped(resource, resource.kind, &why));
        }
    }
    if map.is_empty() {
        object.remove(field);
    }
    Ok(())
}

fn lease(resource: &Resource, spec: &mut Value, unknown: &mut Vec<String>) -> Result<(), Refusal> {
    let Value::Object(spec) = spec else {
        return Err(mistyped(resource, resource.kind, "spec is no object"));
    };
    unknown.extend(
        spec.keys()
            .filter(|it| LEASE.iter().all(|(name, _)| name != it))
            .map(|it| format!("spec.{it}")),
    );
    spec.retain(|field, value| LEASE.iter().any(|(name, _)| name == field) && !value.is_null());
    for (field, wanted) in LEASE {
        let Some(value) = spec.get(field) else {
            continue;
        };
        let good = match wanted {
            Type::Text => value.is_string(),
            Type::Number => value.as_i64().is_some_and(|it| i32::try_from(it).is_ok()),
            Type::MicroTime => value.as_str().is_some_and(is_micro_time),
        };
        if !good {
            return Err(mistyped(
                resource,
                resource.kind,
                &format!("cannot read {value} as Lease.spec.{field}"),
            ));
        }
    }
    Ok(())
}

/// A time with exactly six digits after the point, in UTC. (The real server also accepts other
/// zones.)
fn is_micro_time(text: &str) -> bool {
    let fraction = text
        .strip_suffix('Z')
        .and_then(|it| it.split_once('.'))
        .map(|(_, fraction)| fraction);
    fraction.is_some_and(|it| it.len() == 6) && humantime::parse_rfc3339(text).is_ok()
}

/// The default API group.
fn role_binding(object: &mut Map<String, Value>) {
    const GROUP: &str = "rbac.authorization.k8s.io";
    if let Some(Value::Object(role)) = object.get_mut("roleRef")
        && role
            .get("apiGroup")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .is_empty()
    {
        role.insert("apiGroup".into(), json!(GROUP));
    }
    for subject in object
        .get_mut("subjects")
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
    {
        if subject["kind"] != "ServiceAccount"
            && subject["apiGroup"].as_str().unwrap_or_default().is_empty()
        {
            subject["apiGroup"] = json!(GROUP);
        }
    }
}

fn mistyped(resource: &Resource, kind: &str, why: &str) -> Refusal {
    let (version, expected) = (resource.version, resource.kind);
    Refusal::bad_request(format!(
        "{kind} in version {version:?} cannot be handled as a {expected}: {why}"
    ))
}
