//! The rules for objects.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use crate::request::status::{Cause, Refusal};
use crate::store::resource::Resource;

/// What all annotations of an object may have together, keys and values. The real server's limit.
const ANNOTATIONS: usize = 256 * 1024;
/// What all values of a ConfigMap may have together. The real server's limit.
const CONFIG_MAP: usize = 1024 * 1024;
/// A DNS-1123 subdomain.
const SUBDOMAIN: usize = 253;
/// A DNS-1123 label, the name part of a label's key, and a label's value.
const LABEL: usize = 63;

/// Refuses what the real server refuses. `before` is the object that is replaced.
pub(crate) fn validate(
    resource: &Resource,
    object: &Value,
    before: Option<&Value>,
) -> Result<(), Refusal> {
    let mut causes = Vec::new();
    metadata(resource, &object["metadata"], before, &mut causes);
    match resource.kind {
        "ConfigMap" => config_map(object, before, &mut causes),
        "Lease" => lease(&object["spec"], &mut causes),
        "Pod" => containers("spec.containers", &object["spec"], &mut causes),
        "Deployment" | "StatefulSet" | "ReplicaSet" => workload(&object["spec"], &mut causes),
        "Role" => role(object, &mut causes),
        "RoleBinding" => role_binding(object, before, &mut causes),
        _ => {}
    }
    if causes.is_empty() {
        return Ok(());
    }
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    Err(Refusal::invalid(
        resource.group,
        resource.kind,
        name,
        &causes,
    ))
}

fn metadata(
    resource: &Resource,
    metadata: &Value,
    before: Option<&Value>,
    causes: &mut Vec<Cause>,
) {
    let name = metadata["name"].as_str().unwrap_or_default();
    if name.is_empty() {
        causes.push(Cause::required(
            "metadata.name",
            "name or generateName is required",
        ));
    } else if let Err(why) = name_of(resource, name) {
        causes.push(Cause::invalid("metadata.name", name, why));
    }
    for (key, value) in entries(&metadata["labels"]) {
        if let Err(why) = qualified_name(key) {
            causes.push(Cause::invalid("metadata.labels", key, why));
        }
        if let Err(why) = label_value(value) {
            causes.push(Cause::invalid("metadata.labels", value, why));
        }
    }
    for (key, _) in entries(&metadata["annotations"]) {
        if let Err(why) = qualified_name(&key.to_ascii_lowercase()) {
            causes.push(Cause::invalid("metadata.annotations", key, why));
        }
    }
    if entries(&metadata["annotations"])
        .map(|(key, value)| key.len() + value.len())
        .sum::<usize>()
        > ANNOTATIONS
    {
        causes.push(Cause::too_long("metadata.annotations", ANNOTATIONS));
    }
    for owner in metadata["ownerReferences"].as_array().into_iter().flatten() {
        for field in ["apiVersion", "kind", "name", "uid"] {
            if owner[field].as_str().unwrap_or_default().is_empty() {
                causes.push(Cause::invalid(
                    format!("metadata.ownerReferences.{field}"),
                    "",
                    "must not be empty",
                ));
            }
        }
    }
    let finalizers = |metadata: &Value| -> Vec<String> {
        let all = metadata["finalizers"].as_array().into_iter().flatten();
        all.filter_map(Value::as_str).map(str::to_owned).collect()
    };
    for finalizer in finalizers(metadata) {
        if let Err(why) = qualified_name(&finalizer) {
            causes.push(Cause::invalid("metadata.finalizers", &finalizer, why));
        }
    }
    if let Some(before) = before
        && !before["metadata"]["deletionTimestamp"].is_null()
    {
        let old = finalizers(&before["metadata"]);
        if finalizers(metadata).iter().any(|it| !old.contains(it)) {
            let why = "no new finalizers can be added if the object is being deleted";
            causes.push(Cause::forbidden("metadata.finalizers", why));
        }
    }
}

fn config_map(object: &Value, before: Option<&Value>, causes: &mut Vec<Cause>) {
    if let Some(before) = before
        && before["immutable"] == true
    {
        const WHY: &str = "field is immutable when `immutable` is set";
        if object["immutable"] != true {
            causes.push(Cause::forbidden("immutable", WHY));
        }
        for field in ["data", "binaryData"] {
            if object[field] != before[field] {
                causes.push(Cause::forbidden(field, WHY));
            }
        }
    }
    let mut size = 0;
    for (key, value) in entries(&object["data"]) {
        config_map_key("data", key, causes);
        size += value.len();
    }
    for (key, value) in entries(&object["binaryData"]) {
        config_map_key("binaryData", key, causes);
        if !object["data"][key].is_null() {
            causes.push(Cause::invalid(
                format!("data[{key}]"),
                key,
                "duplicate of key present in binaryData",
            ));
        }
        size += STANDARD.decode(value).map_or(0, |bytes| bytes.len());
    }
    if size > CONFIG_MAP {
        // The real server names no field here, and this is how it writes none.
        causes.push(Cause::too_long("[]", CONFIG_MAP));
    }
}

fn config_map_key(field: &str, key: &str, causes: &mut Vec<Cause>) {
    let why = if key.len() > SUBDOMAIN {
        "must be no more than 253 characters"
    } else if key.is_empty()
        || !key
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
    {
        "a valid config key must match '[-._a-zA-Z0-9]+'"
    } else if key == "." || key.starts_with("..") {
        "must not be '.' or start with '..'"
    } else {
        return;
    };
    causes.push(Cause::invalid(format!("{field}[{key}]"), key, why));
}

fn lease(spec: &Value, causes: &mut Vec<Cause>) {
    let seconds = &spec["leaseDurationSeconds"];
    if seconds.as_i64().is_some_and(|it| it <= 0) {
        causes.push(Cause::invalid_value(
            "spec.leaseDurationSeconds",
            seconds,
            "must be greater than 0",
        ));
    }
    let transitions = &spec["leaseTransitions"];
    if transitions.as_i64().is_some_and(|it| it < 0) {
        causes.push(Cause::invalid_value(
            "spec.leaseTransitions",
            transitions,
            "must be greater than or equal to 0",
        ));
    }
}

fn containers(field: &str, spec: &Value, causes: &mut Vec<Cause>) {
    let all = spec["containers"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    if all.is_empty() {
        causes.push(Cause::required(field, ""));
    }
    for (index, container) in all.iter().enumerate() {
        for needed in ["name", "image"] {
            if container[needed].as_str().unwrap_or_default().is_empty() {
                causes.push(Cause::required(format!("{field}[{index}].{needed}"), ""));
            }
        }
    }
}

fn workload(spec: &Value, causes: &mut Vec<Cause>) {
    let wanted = &spec["selector"]["matchLabels"];
    if spec["selector"].is_null() {
        causes.push(Cause::required("spec.selector", ""));
    }
    let labels = &spec["template"]["metadata"]["labels"];
    if entries(wanted).any(|(key, value)| labels[key] != value) {
        let why = "`selector` does not match template `labels`";
        causes.push(Cause::invalid_value(
            "spec.template.metadata.labels",
            labels,
            why,
        ));
    }
    containers(
        "spec.template.spec.containers",
        &spec["template"]["spec"],
        causes,
    );
}

fn role(object: &Value, causes: &mut Vec<Cause>) {
    for (index, rule) in object["rules"].as_array().into_iter().flatten().enumerate() {
        if rule["verbs"].as_array().is_none_or(Vec::is_empty) {
            causes.push(Cause::required(
                format!("rules[{index}].verbs"),
                "verbs must contain at least one value",
            ));
        }
    }
}

fn role_binding(object: &Value, before: Option<&Value>, causes: &mut Vec<Cause>) {
    if object["roleRef"]["name"]
        .as_str()
        .unwrap_or_default()
        .is_empty()
    {
        causes.push(Cause::required("roleRef.name", ""));
    }
    let kind = object["roleRef"]["kind"].as_str().unwrap_or_default();
    if kind != "Role" && kind != "ClusterRole" {
        causes.push(Cause::invalid(
            "roleRef.kind",
            kind,
            "must be Role or ClusterRole",
        ));
    }
    if before.is_some_and(|it| it["roleRef"] != object["roleRef"]) {
        causes.push(Cause::invalid_value(
            "roleRef",
            &json!(object["roleRef"]),
            "cannot change roleRef",
        ));
    }
}

fn entries(map: &Value) -> impl Iterator<Item = (&str, &str)> {
    let all = map.as_object().into_iter().flat_map(Map::iter);
    all.map(|(key, value)| (key.as_str(), value.as_str().unwrap_or_default()))
}

fn name_of(resource: &Resource, name: &str) -> Result<(), &'static str> {
    match resource.kind {
        "Role" | "RoleBinding" if name == "." || name == ".." || name.contains(['/', '%']) => {
            Err("may not be '.' or '..', nor contain '/' or '%'")
        }
        "Role" | "RoleBinding" => Ok(()),
        "Namespace" if name.len() > LABEL => Err("must be no more than 63 characters"),
        "Namespace" if !is_dns_label(name) => {
            Err("a lowercase RFC 1123 label must match '[a-z0-9]([-a-z0-9]*[a-z0-9])?'")
        }
        "Namespace" => Ok(()),
        _ => subdomain(name),
    }
}

fn subdomain(name: &str) -> Result<(), &'static str> {
    if name.len() > SUBDOMAIN {
        return Err("must be no more than 253 characters");
    }
    if name.split('.').all(is_dns_label) {
        return Ok(());
    }
    Err(
        "a lowercase RFC 1123 subdomain must be lower case alphanumerics and '-' in parts that '.' joins",
    )
}

fn is_dns_label(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !text.is_empty() && text.bytes().all(inner) && !text.starts_with('-') && !text.ends_with('-')
}

/// A label's key: a name, with a prefix or without.
fn qualified_name(key: &str) -> Result<(), &'static str> {
    let name = match key.split_once('/') {
        Some((prefix, name)) if subdomain(prefix).is_ok() => name,
        Some(_) => return Err("prefix part must be a DNS subdomain"),
        None => key,
    };
    if name.len() > LABEL {
        return Err("name part must be no more than 63 characters");
    }
    if is_word(name) {
        Ok(())
    } else {
        Err("name part must match '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]'")
    }
}

fn label_value(value: &str) -> Result<(), &'static str> {
    if value.len() > LABEL {
        return Err("must be no more than 63 characters");
    }
    let good = value.is_empty() || is_word(value);
    if good {
        Ok(())
    } else {
        Err("a valid label must be empty or match '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]'")
    }
}

fn is_word(text: &str) -> bool {
    let ends = |letter: Option<char>| letter.is_some_and(|it| it.is_ascii_alphanumeric());
    text.bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
        && ends(text.chars().next())
        && ends(text.chars().last())
}
