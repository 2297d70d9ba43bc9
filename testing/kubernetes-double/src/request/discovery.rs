//! What clients ask before they ask for objects.

use hyper::body::Bytes;
use serde_json::{Value, json};

use crate::request::answer::{Answer, json as answer_json, whole};
use crate::request::ask::Headers;
use crate::store::resource::{RESOURCES, Resource};

/// The release whose behaviour the double has.
const VERSION: &str = "v1.36.0";

/// The answer for a path that is no resource's; `None` if there is nothing.
pub(crate) fn answer(path: &str, headers: &Headers) -> Option<Answer> {
    let steps: Vec<&str> = path.split('/').filter(|it| !it.is_empty()).collect();
    let body = match steps.as_slice() {
        ["readyz" | "healthz" | "livez"] => {
            return Some(whole(
                200,
                "text/plain; charset=utf-8",
                Bytes::from_static(b"ok"),
            ));
        }
        ["version"] => {
            json!({"major": "1", "minor": "36", "gitVersion": VERSION, "platform": "double"})
        }
        ["api"] => json!({"kind": "APIVersions", "versions": ["v1"]}),
        ["apis"] => json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups()}),
        ["api", "v1"] => resources("")?,
        ["apis", group] => {
            let group = groups().into_iter().find(|it| it["name"] == *group)?;
            let mut whole = json!({"kind": "APIGroup", "apiVersion": "v1"});
            for field in ["name", "versions", "preferredVersion"] {
                whole[field] = group[field].clone();
            }
            whole
        }
        ["apis", group, "v1"] => resources(group)?,
        // A document that says nothing: old clients then leave the checking to the server. Of a
        // message in the binary form, no bytes are the empty one.
        ["openapi", "v2"] if headers.accept.contains("proto") => {
            return Some(whole(
                200,
                "application/com.github.proto-openapi.spec.v2.v1.0+protobuf",
                Bytes::new(),
            ));
        }
        ["openapi", "v2"] => {
            json!({"swagger": "2.0", "info": {"title": "double", "version": VERSION}, "paths": {}})
        }
        ["openapi", "v3"] => open_api_index(),
        ["openapi", "v3", "api", "v1"] => open_api("")?,
        ["openapi", "v3", "apis", group, "v1"] => open_api(group)?,
        _ => return None,
    };
    Some(answer_json(200, &body))
}

fn named_groups() -> Vec<&'static str> {
    let mut groups: Vec<&str> = RESOURCES
        .iter()
        .map(|it| it.group)
        .filter(|it| !it.is_empty())
        .collect();
    groups.dedup();
    groups
}

fn groups() -> Vec<Value> {
    let one = |group| {
        let version = json!({"groupVersion": format!("{group}/v1"), "version": "v1"});
        json!({"name": group, "versions": [version], "preferredVersion": version})
    };
    named_groups().into_iter().map(one).collect()
}

fn resources(group: &str) -> Option<Value> {
    let of_group = || RESOURCES.iter().filter(|it| it.group == group);
    let version = of_group().next()?.api_version();
    let main = of_group().map(|it| {
        let verbs: &[&str] = match it.kind {
            "Namespace" => &["create", "get", "list", "patch", "update", "watch"],
            _ => &["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"],
        };
        json!({
            "name": it.plural, "singularName": it.singular, "namespaced": it.namespaced, "kind": it.kind,
            "verbs": verbs, "shortNames": it.short, "categories": it.categories,
        })
    });
    let status = of_group().filter(|it| it.status).map(|it| {
        let name = format!("{}/status", it.plural);
        json!({
            "name": name, "singularName": "", "namespaced": it.namespaced, "kind": it.kind,
            "verbs": ["get", "patch", "update"],
        })
    });
    let all: Vec<Value> = main.chain(status).collect();
    Some(
        json!({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": version, "resources": all}),
    )
}

fn open_api_index() -> Value {
    let mut paths = json!({"api/v1": {"serverRelativeURL": "/openapi/v3/api/v1"}});
    for group in named_groups() {
        let path = format!("apis/{group}/v1");
        paths[&path] = json!({"serverRelativeURL": format!("/openapi/v3/{path}")});
    }
    json!({"paths": paths})
}

/// Just enough for a client to see that the server checks the fields itself.
fn open_api(group: &str) -> Option<Value> {
    let of_group: Vec<&Resource> = RESOURCES.iter().filter(|it| it.group == group).collect();
    let version = of_group.first()?.api_version();
    let root = if group.is_empty() {
        "/api/v1".to_owned()
    } else {
        format!("/apis/{version}")
    };
    let mut paths = json!({});
    for it in of_group {
        let place = if it.namespaced {
            "/namespaces/{namespace}"
        } else {
            ""
        };
        let operation = json!({
            "parameters": [{"name": "fieldValidation", "in": "query", "schema": {"type": "string"}}],
            "responses": {"200": {"description": "OK"}},
            "x-kubernetes-group-version-kind": {"group": it.group, "version": it.version, "kind": it.kind},
        });
        paths[format!("{root}{place}/{}/{{name}}", it.plural)] = json!({"patch": operation});
    }
    let info = json!({"title": "double", "version": VERSION});
    Some(json!({"openapi": "3.0.0", "info": info, "paths": paths, "components": {"schemas": {}}}))
}
