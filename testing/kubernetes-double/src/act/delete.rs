//! Deletes objects, at once or when finalizers and kubelet are done.

use serde_json::{Map, Value, json};

use crate::act::write::{Done, Now, check_json, check_query, committed, key};
use crate::request::ask::Ask;
use crate::request::status::Refusal;
use crate::store::resource::Resource;
use crate::store::{Key, Store, set_revision};

/// The grace period of a pod on a node, as the real server's default.
const GRACE_SECONDS: i64 = 30;

/// Deletes one object.
pub(crate) fn delete(store: &mut Store, ask: &Ask, now: &Now) -> Done {
    let options = options(ask)?;
    let key = key(ask);
    let object = store
        .get(&key)
        .ok_or_else(|| Refusal::not_found(ask.resource, &ask.name))?;
    check_preconditions(ask.resource, &ask.name, &object, &options["preconditions"])?;
    remove(store, ask.resource, key, &object, &options, now)
}

/// Deletes the selected objects; the answer lists them.
pub(crate) fn delete_collection(store: &mut Store, ask: &Ask, now: &Now) -> Done {
    let (options, selector) = (options(ask)?, ask.selector()?);
    let all = store
        .list(ask.resource, &ask.namespace)
        .filter(|(_, object)| selector.matches(object));
    let all: Vec<_> = all
        .map(|(key, object)| (key.clone(), object.clone()))
        .collect();
    let metadata = json!({"resourceVersion": store.revision().to_string()});
    for (key, object) in &all {
        check_preconditions(ask.resource, &key.name, object, &options["preconditions"])?;
        remove(store, ask.resource, key.clone(), object, &options, now)?;
    }
    let items: Vec<&Value> = all.iter().map(|(_, object)| &**object).collect();
    Ok((
        200,
        crate::request::represent::Form::Whole.list(ask.resource, &metadata, &items)?,
    ))
}

/// Deletes an object, as options say.
pub(crate) fn remove(
    store: &mut Store,
    resource: &'static Resource,
    key: Key,
    object: &Value,
    options: &Value,
    now: &Now,
) -> Done {
    let grace = grace(resource, object, options);
    let metadata = &object["metadata"];
    let ready = grace == 0 && metadata["finalizers"].is_null();
    // A pod is marked first, even if it is deleted at once.
    let marked = metadata["deletionGracePeriodSeconds"] == 0;
    if ready && (resource.kind != "Pod" || marked) {
        store.commit(key.clone(), None);
        if resource.kind == "Pod" {
            return Ok((200, object.clone()));
        }
        let mut details = Map::new();
        for (field, value) in [
            ("name", key.name.as_str()),
            ("group", resource.group),
            ("kind", resource.plural),
        ] {
            if !value.is_empty() {
                details.insert(field.into(), json!(value));
            }
        }
        details.insert("uid".into(), object["metadata"]["uid"].clone());
        let body = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details});
        return Ok((200, body));
    }
    let mut leaving = object.clone();
    let metadata = &mut leaving["metadata"];
    if metadata["deletionTimestamp"].is_null() {
        metadata["deletionTimestamp"] = json!(now.time);
        if let Some(generation) = metadata["generation"].as_i64() {
            metadata["generation"] = json!(generation + 1);
        }
    } else if metadata["deletionGracePeriodSeconds"].as_i64().unwrap_or(0) <= grace {
        return Ok((200, leaving));
    }
    metadata["deletionGracePeriodSeconds"] = json!(grace);
    let mut marked = committed(store, key.clone(), leaving);
    if ready {
        store.commit(key, None);
        set_revision(&mut marked, store.revision());
    }
    Ok((200, marked))
}

/// The grace period of an object: only a pod on a node has one.
fn grace(resource: &Resource, object: &Value, options: &Value) -> i64 {
    let phase = object["status"]["phase"].as_str().unwrap_or_default();
    let placed = !object["spec"]["nodeName"]
        .as_str()
        .unwrap_or_default()
        .is_empty();
    if resource.kind != "Pod" || !placed || matches!(phase, "Succeeded" | "Failed") {
        return 0;
    }
    let own = object["spec"]["terminationGracePeriodSeconds"]
        .as_i64()
        .unwrap_or(GRACE_SECONDS);
    options["gracePeriodSeconds"].as_i64().unwrap_or(own).max(0)
}

fn check_preconditions(
    resource: &Resource,
    name: &str,
    object: &Value,
    wanted: &Value,
) -> Result<(), Refusal> {
    let differs = |field: &str| match (&wanted[field], &object["metadata"][field]) {
        (Value::String(wanted), Value::String(found)) if wanted != found => {
            Some((wanted.clone(), found.clone()))
        }
        _ => None,
    };
    if let Some((wanted, found)) = differs("uid") {
        let why = format!(
            "the UID in the precondition ({wanted}) does not match the UID in record ({found}). The object might have been \
             deleted and then recreated"
        );
        return Err(Refusal::failed_precondition(resource, name, &why));
    }
    if let Some((wanted, found)) = differs("resourceVersion") {
        let why = format!(
            "the ResourceVersion in the precondition ({wanted}) does not match the ResourceVersion in record ({found}). The \
             object might have been modified"
        );
        return Err(Refusal::failed_precondition(resource, name, &why));
    }
    Ok(())
}

/// `DeleteOptions`, from the body or, if there is none, from the query.
fn options(ask: &Ask) -> Result<Value, Refusal> {
    check_query(ask)?;
    if ask.body.is_empty() {
        let grace = ask.query.get("gracePeriodSeconds").parse::<i64>().ok();
        return Ok(json!({"gracePeriodSeconds": grace}));
    }
    check_json(ask)?;
    let options: Value = serde_json::from_slice(&ask.body)
        .map_err(|error| Refusal::bad_request(error.to_string()))?;
    let kind = options["kind"].as_str().unwrap_or("DeleteOptions");
    if !options.is_object() || kind != "DeleteOptions" {
        return Err(Refusal::bad_request(
            "decoded object cannot be converted to DeleteOptions",
        ));
    }
    if options["dryRun"]
        .as_array()
        .is_some_and(|it| !it.is_empty())
    {
        return Err(Refusal::bad_request(
            "this server is a double for tests and has no dry run",
        ));
    }
    Ok(options)
}
