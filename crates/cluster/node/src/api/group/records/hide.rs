//! What of a record is shown to nobody. Pure.
//!
//! The record `cluster` has what nodes prove themselves with: a process that knows it can order
//! TaskManagers, which a user of the API cannot. Of that record only what is known to be harmless
//! is shown. Of other records, which may be those of any application, values are left out whose
//! names say that they are secrets.

use incumbent::RecordName;
use incumbent_cluster_core::cluster_record;
use serde_json::{Map, Value};

/// What is shown of the record `cluster`.
const OF_CLUSTER: [&str; 2] = ["format", "id"];

/// Parts of names, in lower case and without `-` and `_`, whose values are left out.
const SECRETS: [&str; 9] = [
    "secret",
    "password",
    "passwd",
    "passphrase",
    "token",
    "credential",
    "privatekey",
    "apikey",
    "accesskey",
];

/// What stands for something that was left out.
const HIDDEN: &str = "(hidden)";

/// The data without secrets, and where they were.
pub(super) fn hidden(name: &RecordName, mut data: Value) -> (Value, Vec<String>) {
    let is_cluster = cluster_record().is_ok_and(|cluster| cluster == *name);
    let mut found = Vec::new();
    match &mut data {
        Value::Object(fields) if is_cluster => {
            hide(fields, &mut found, "", |field| !OF_CLUSTER.contains(&field));
        }
        // It is not what it should be, and may be anything.
        _ if is_cluster => {
            data = HIDDEN.into();
            found.push("/".to_owned());
        }
        _ => look(&mut data, &mut found, ""),
    }
    (data, found)
}

fn look(data: &mut Value, found: &mut Vec<String>, at: &str) {
    match data {
        Value::Object(fields) => {
            hide(fields, found, at, is_secret);
            for (field, value) in fields.iter_mut() {
                look(value, found, &format!("{at}/{field}"));
            }
        }
        Value::Array(values) => {
            for (index, value) in values.iter_mut().enumerate() {
                look(value, found, &format!("{at}/{index}"));
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn hide(
    fields: &mut Map<String, Value>,
    found: &mut Vec<String>,
    at: &str,
    is_hidden: impl Fn(&str) -> bool,
) {
    for (field, value) in fields.iter_mut() {
        if is_hidden(field) && !value.is_null() {
            *value = HIDDEN.into();
            found.push(format!("{at}/{field}"));
        }
    }
}

fn is_secret(field: &str) -> bool {
    let letters = field
        .chars()
        .filter(|letter| !matches!(letter, '-' | '_' | '.'));
    let name: String = letters.flat_map(char::to_lowercase).collect();
    // Files that hold secrets are named in records so that secrets are not: `env_files`.
    SECRETS.iter().any(|secret| name.contains(secret))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn shown(name: &str, data: Value) -> (Value, Vec<String>) {
        hidden(&name.parse().unwrap(), data)
    }

    #[test]
    fn the_secret_of_the_nodes_is_never_shown() {
        let data = json!({ "format": 1, "id": "c", "secret": "0011", "later": ["x"] });
        let (data, found) = shown("cluster", data);
        assert_eq!(
            data,
            json!({ "format": 1, "id": "c", "secret": "(hidden)", "later": "(hidden)" })
        );
        assert_eq!(found, ["/later", "/secret"]);
        assert_eq!(shown("cluster", json!("0011")).0, json!("(hidden)"));
    }

    #[test]
    fn what_is_named_as_a_secret_is_left_out_wherever_it_is() {
        let data = json!({
            "env": { "DB_PASSWORD": "x", "LEVEL": "info", "awsSecretAccessKey": { "deep": "x" } },
            "users": [{ "name": "a", "api-key": "x", "token": null }],
        });
        let (data, found) = shown("settings", data);
        assert!(!data.to_string().contains("\"x\""), "{data}");
        assert_eq!(data["env"]["LEVEL"], "info");
        assert_eq!(data["users"][0]["name"], "a");
        assert_eq!(
            found,
            [
                "/env/DB_PASSWORD",
                "/env/awsSecretAccessKey",
                "/users/0/api-key"
            ]
        );
        assert_eq!(shown("n", json!([1, "secret"])).0, json!([1, "secret"]));
    }
}
