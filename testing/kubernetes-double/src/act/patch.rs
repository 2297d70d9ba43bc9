//! Changes objects in part: JSON patch, merge patch and strategic merge patch.

use serde_json::{Map, Value};

use crate::act::write::{Done, check_query, key, placed, replace, unknown_format};
use crate::request::ask::Ask;
use crate::request::status::{Cause, Refusal};
use crate::store::Store;
use crate::store::object;

/// The lists whose items a strategic merge patch identifies by a field. All others are replaced as
/// a whole, except `finalizers`.
const MERGED_BY: [(&str, &str); 8] = [
    ("ownerReferences", "uid"),
    ("containers", "name"),
    ("initContainers", "name"),
    ("volumes", "name"),
    ("env", "name"),
    ("conditions", "type"),
    ("podIPs", "ip"),
    ("ports", "containerPort"),
];

/// Changes an object in part.
pub(crate) fn patch(store: &mut Store, ask: &Ask) -> Done {
    check_query(ask)?;
    let kind = ask.headers.content_type.as_str();
    let known = [
        "application/json-patch+json",
        "application/merge-patch+json",
        "application/strategic-merge-patch+json",
    ];
    if !known.contains(&kind) {
        return Err(unknown_format(&known.join(", ")));
    }
    let key = key(ask);
    let before = store
        .get(&key)
        .ok_or_else(|| Refusal::not_found(ask.resource, &ask.name))?;
    let wrong =
        |error: serde_json::Error| Refusal::bad_request(format!("error decoding patch: {error}"));
    let mut after = (*before).clone();
    if kind == known[0] {
        let patch: json_patch::Patch = serde_json::from_slice(&ask.body).map_err(wrong)?;
        json_patch::patch(&mut after, &patch).map_err(|error| {
            // The real server does not say which operation failed.
            drop(error);
            let mut refusal = Refusal::new(
                422,
                "Invalid",
                "the server rejected our request due to an error in our request",
            );
            refusal.details = Some(Map::new());
            refusal
        })?;
    } else {
        let patch: Value = serde_json::from_slice(&ask.body).map_err(wrong)?;
        let Value::Object(patch) = patch else {
            return Err(Refusal::bad_request("error decoding patch: not an object"));
        };
        if kind == known[1] {
            json_patch::merge(&mut after, &Value::Object(patch));
        } else {
            merge(&mut after, &patch)?;
        }
    }
    let strict = ask.query.get("fieldValidation") == "Strict";
    let told = after.to_string();
    let formed = object::formed(ask.resource, after, strict).map_err(|refusal| {
        // The result of a patch is checked by other rules than the body of a PUT.
        Refusal::invalid(
            "",
            "",
            "",
            &[Cause::invalid("patch", &told, &refusal.message)],
        )
    })?;
    let after = placed(ask, formed)?;
    if after["metadata"]["name"] != ask.name.as_str() {
        let told = after["metadata"]["name"].as_str().unwrap_or_default();
        let url = &ask.name;
        return Err(Refusal::bad_request(format!(
            "the name of the object ({told}) does not match the name on the URL ({url})"
        )));
    }
    let uid = &after["metadata"]["uid"];
    if !uid.is_null() && *uid != before["metadata"]["uid"] {
        let cause = Cause::invalid_value("metadata.uid", uid, "field is immutable");
        return Err(Refusal::invalid(
            ask.resource.group,
            ask.resource.kind,
            &ask.name,
            &[cause],
        ));
    }
    replace(store, ask, &key, &before, after)
}

/// A strategic merge: maps are merged, some lists too. It knows the directives `$patch: delete` and
/// `$patch: replace`.
fn merge(target: &mut Value, patch: &Map<String, Value>) -> Result<(), Refusal> {
    if patch.get("$patch").is_some_and(|it| it == "replace") {
        let mut whole = patch.clone();
        whole.remove("$patch");
        *target = Value::Object(whole);
        return Ok(());
    }
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let fields = target.as_object_mut().expect("it was made one");
    for (field, value) in patch {
        if field.starts_with("$setElementOrder/") || field.starts_with("$retainKeys") {
            continue;
        }
        if field.starts_with('$') && field != "$patch" {
            return Err(Refusal::bad_request(format!(
                "this server is a double for tests and does not know {field}"
            )));
        }
        match value {
            Value::Null => drop(fields.remove(field)),
            Value::Object(value) => {
                merge(fields.entry(field.as_str()).or_insert(Value::Null), value)?
            }
            Value::Array(items) => merge_list(
                fields.entry(field.as_str()).or_insert(Value::Null),
                field,
                items,
            )?,
            value => drop(fields.insert(field.clone(), value.clone())),
        }
    }
    Ok(())
}

fn merge_list(target: &mut Value, field: &str, items: &[Value]) -> Result<(), Refusal> {
    let by = MERGED_BY
        .iter()
        .find(|(name, _)| *name == field)
        .map(|(_, by)| *by);
    let mut all = target.as_array().cloned().unwrap_or_default();
    match by {
        None if field == "finalizers" => {
            let new: Vec<Value> = items
                .iter()
                .filter(|it| !all.contains(it))
                .cloned()
                .collect();
            all.extend(new);
        }
        None => all = items.to_vec(),
        Some(by) => {
            for item in items {
                let Value::Object(item) = item else {
                    return Err(Refusal::bad_request("a list of objects was expected"));
                };
                let place = all.iter().position(|it| Some(&it[by]) == item.get(by));
                match (place, item.get("$patch").is_some_and(|it| it == "delete")) {
                    (Some(place), true) => drop(all.remove(place)),
                    (Some(place), false) => merge(&mut all[place], item)?,
                    (None, true) => {}
                    (None, false) => all.push(Value::Object(item.clone())),
                }
            }
        }
    }
    *target = Value::Array(all);
    Ok(())
}
