//! Creates and replaces objects. Pure: the store and the time are arguments.

use serde_json::{Value, json};

use crate::act::quota;
use crate::request::ask::Ask;
use crate::request::status::{Cause, Refusal};
use crate::store::object;
use crate::store::resource::Resource;
use crate::store::validate::validate;
use crate::store::{Key, Store};

/// A write's circumstances.
#[derive(Clone, Debug)]
pub(crate) struct Now {
    /// For `creationTimestamp`.
    pub(crate) time: String,
    /// The uid of an object that is created now.
    pub(crate) uid: String,
}

/// The HTTP status and the body.
pub(crate) type Done = Result<(u16, Value), Refusal>;

/// Creates an object.
pub(crate) fn create(store: &mut Store, ask: &Ask, now: &Now) -> Done {
    let mut object = read(ask)?;
    let name = &mut object["metadata"]["name"];
    if name.is_null()
        && let Some(prefix) = object["metadata"]["generateName"].as_str()
    {
        object["metadata"]["name"] = json!(format!("{prefix}{}", &now.uid[..5]));
    }
    insert(store, ask, object, now)
}

/// Replaces an object (PUT). `may_create` tells whether the user may also create one, which some
/// kinds do if it does not exist.
pub(crate) fn update(
    store: &mut Store,
    ask: &Ask,
    now: &Now,
    may_create: Result<(), Refusal>,
) -> Done {
    let object = read(ask)?;
    let told = object["metadata"]["name"].as_str().unwrap_or_default();
    if told.is_empty() {
        let url = &ask.name;
        let message = format!(
            "the name of the object ({url} based on URL) was undeterminable: name must be provided"
        );
        return Err(Refusal::bad_request(message));
    }
    if told != ask.name {
        let url = &ask.name;
        return Err(Refusal::bad_request(format!(
            "the name of the object ({told}) does not match the name on the URL ({url})"
        )));
    }
    let key = key(ask);
    let uid = object["metadata"]["uid"].as_str().map(str::to_owned);
    let Some(before) = store.get(&key) else {
        if !ask.resource.create_on_update || ask.subresource.is_some() {
            return Err(Refusal::not_found(ask.resource, &ask.name));
        }
        check_uid(ask, uid.as_deref(), "")?;
        may_create?;
        return insert(store, ask, object, now).map(|(_, object)| (201, object));
    };
    check_uid(
        ask,
        uid.as_deref(),
        before["metadata"]["uid"].as_str().unwrap_or_default(),
    )?;
    replace(store, ask, &key, &before, object)
}

/// Replaces `before` by `object`, if the resource version allows it.
pub(crate) fn replace(
    store: &mut Store,
    ask: &Ask,
    key: &Key,
    before: &Value,
    mut object: Value,
) -> Done {
    let resource = ask.resource;
    let version = object["metadata"]["resourceVersion"]
        .as_str()
        .unwrap_or_default();
    if version.is_empty() || version == "0" {
        if !resource.unconditional_update {
            let cause = Cause::invalid_value(
                "metadata.resourceVersion",
                &json!(0),
                "must be specified for an update",
            );
            return Err(Refusal::invalid(
                resource.group,
                resource.plural,
                &ask.name,
                &[cause],
            ));
        }
    } else if version.parse::<u64>().is_err() {
        return Err(Refusal::new(
            500,
            "",
            format!("strconv.ParseUint: parsing {version:?}: invalid syntax"),
        ));
    } else if before["metadata"]["resourceVersion"] != version {
        let why = "the object has been modified; please apply your changes to the latest version and try again";
        return Err(Refusal::conflict(resource, &ask.name, why));
    }
    if ask.subresource.is_some() {
        object = with_status_of(resource, before, &object);
    } else if resource.status {
        object["status"] = before["status"].clone();
    }
    keep_system_fields(resource, before, &mut object);
    validate(resource, &object, Some(before))?;
    if resource.kind == "Pod" && fixed_spec(&object) != fixed_spec(before) {
        let cause = Cause::forbidden(
            "spec",
            "pod updates may not change fields other than images and tolerations",
        );
        return Err(Refusal::invalid("", "Pod", &ask.name, &[cause]));
    }
    // An object that is being deleted has lost its last finalizer.
    let metadata = &object["metadata"];
    let leaving = !before["metadata"]["deletionTimestamp"].is_null();
    let grace = before["metadata"]["deletionGracePeriodSeconds"]
        .as_i64()
        .unwrap_or(0);
    if leaving && metadata["finalizers"].is_null() && grace == 0 {
        store.commit(key.clone(), None);
        return Ok((200, object));
    }
    if object == *before {
        return Ok((200, object));
    }
    Ok((200, committed(store, key.clone(), object)))
}

/// Writes an object as it is, and returns it with its new resource version.
pub(crate) fn committed(store: &mut Store, key: Key, object: Value) -> Value {
    let object = store.commit(key, Some(object));
    (*object.expect("what was written is there")).clone()
}

/// The place that the path names.
pub(crate) fn key(ask: &Ask) -> Key {
    Key::new(ask.resource, &ask.namespace, &ask.name)
}

/// The body of a POST or PUT.
fn read(ask: &Ask) -> Result<Value, Refusal> {
    check_query(ask)?;
    check_json(ask)?;
    let object = object::read(
        ask.resource,
        &ask.body,
        ask.query.get("fieldValidation") == "Strict",
    )?;
    placed(ask, object)
}

/// The object with the namespace of the path.
pub(crate) fn placed(ask: &Ask, mut object: Value) -> Result<Value, Refusal> {
    let namespace = object["metadata"]["namespace"].as_str().unwrap_or_default();
    if !ask.resource.namespaced {
        object["metadata"]
            .as_object_mut()
            .and_then(|it| it.remove("namespace"));
        return Ok(object);
    }
    if !namespace.is_empty() && namespace != ask.namespace {
        let message =
            "the namespace of the provided object does not match the namespace sent on the request";
        return Err(Refusal::bad_request(message));
    }
    object["metadata"]["namespace"] = json!(ask.namespace);
    Ok(object)
}

/// Refuses parameters that the double does not implement.
pub(crate) fn check_query(ask: &Ask) -> Result<(), Refusal> {
    if ask.query.has("dryRun") {
        return Err(Refusal::bad_request(
            "this server is a double for tests and has no dry run",
        ));
    }
    Ok(())
}

/// Refuses a body that is no JSON.
pub(crate) fn check_json(ask: &Ask) -> Result<(), Refusal> {
    let known = matches!(
        ask.headers.content_type.as_str(),
        "" | "application/json" | "*/*"
    );
    if known {
        Ok(())
    } else {
        Err(unknown_format("application/json"))
    }
}

/// 415.
pub(crate) fn unknown_format(accepted: &str) -> Refusal {
    let message = format!(
        "the body of the request was in an unknown format - accepted media types include: {accepted}"
    );
    Refusal::new(415, "UnsupportedMediaType", message)
}

fn insert(store: &mut Store, ask: &Ask, mut object: Value, now: &Now) -> Done {
    let resource = ask.resource;
    if resource.namespaced
        && store
            .get(&Key::new(Resource::namespaces(), "", &ask.namespace))
            .is_none()
    {
        return Err(Refusal::not_found(Resource::namespaces(), &ask.namespace));
    }
    let by_update = ask.verb != "create";
    let metadata = object["metadata"]
        .as_object_mut()
        .expect("an object that was read has metadata");
    for field in [
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "generation",
    ] {
        metadata.remove(field);
    }
    metadata.insert("uid".into(), json!(now.uid));
    metadata.insert("creationTimestamp".into(), json!(now.time));
    if resource.generation {
        metadata.insert("generation".into(), json!(1));
    }
    let version = metadata.remove("resourceVersion");
    first_status(resource, &mut object);
    validate(resource, &object, None)?;
    // A PUT that creates has its version ignored.
    if !by_update && version.is_some_and(|it| it != "0") {
        return Err(Refusal::new(
            500,
            "",
            "resourceVersion should not be set on objects to be created",
        ));
    }
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    let key = Key::new(resource, &ask.namespace, name);
    if store.get(&key).is_some() {
        return Err(Refusal::already_exists(resource, name));
    }
    quota::check(store, resource, &ask.namespace, name)?;
    Ok((201, committed(store, key, object)))
}

/// Fields of a new object that the server sets.
fn first_status(resource: &Resource, object: &mut Value) {
    match resource.kind {
        "Pod" => object["status"] = json!({"phase": "Pending", "qosClass": "BestEffort"}),
        "Namespace" => {
            let name = object["metadata"]["name"].clone();
            object["metadata"]["labels"]["kubernetes.io/metadata.name"] = name;
            object["spec"] = json!({"finalizers": ["kubernetes"]});
            object["status"] = json!({"phase": "Active"});
        }
        "Deployment" => object["status"] = json!({}),
        "StatefulSet" => object["status"] = json!({"replicas": 0, "availableReplicas": 0}),
        _ => {}
    }
}

/// The uid in the body of a PUT is a precondition.
fn check_uid(ask: &Ask, wanted: Option<&str>, found: &str) -> Result<(), Refusal> {
    let Some(wanted) = wanted.filter(|it| *it != found) else {
        return Ok(());
    };
    let place = format!(
        "/registry/{}/{}/{}",
        ask.resource.plural, ask.namespace, ask.name
    );
    let why = format!(
        "StorageError: invalid object, Code: 4, Key: {place}, ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: \
         UID in precondition: {wanted}, UID in object meta: {found}"
    );
    Err(Refusal::conflict(ask.resource, &ask.name, &why))
}

fn with_status_of(resource: &Resource, before: &Value, object: &Value) -> Value {
    let mut after = before.clone();
    after["status"] = object["status"].clone();
    if resource.kind == "Pod" {
        for field in ["labels", "annotations"] {
            match &object["metadata"][field] {
                Value::Null => drop(
                    after["metadata"]
                        .as_object_mut()
                        .and_then(|it| it.remove(field)),
                ),
                value => after["metadata"][field] = value.clone(),
            }
        }
    }
    after
}

/// Fields that no client can change.
fn keep_system_fields(resource: &Resource, before: &Value, object: &mut Value) {
    let (old, new) = (&before["metadata"], object["metadata"].clone());
    let metadata = object["metadata"]
        .as_object_mut()
        .expect("an object that was read has metadata");
    let kept = [
        "uid",
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "generation",
        "resourceVersion",
    ];
    for field in kept {
        match &old[field] {
            Value::Null => drop(metadata.remove(field)),
            value => drop(metadata.insert(field.into(), value.clone())),
        }
    }
    if old["generateName"].is_null() && !new["generateName"].is_null() {
        metadata.remove("generateName");
    }
    if resource.generation && object["spec"] != before["spec"] {
        let generation = before["metadata"]["generation"].as_i64().unwrap_or(0) + 1;
        object["metadata"]["generation"] = json!(generation);
    }
}

/// Fields of a pod's `spec` that never change.
fn fixed_spec(pod: &Value) -> Value {
    let mut spec = pod["spec"].clone();
    for field in [
        "activeDeadlineSeconds",
        "tolerations",
        "terminationGracePeriodSeconds",
    ] {
        spec.as_object_mut().and_then(|it| it.remove(field));
    }
    for field in ["containers", "initContainers"] {
        for container in spec[field].as_array_mut().into_iter().flatten() {
            container.as_object_mut().and_then(|it| it.remove("image"));
        }
    }
    spec
}
