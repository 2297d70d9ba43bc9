//! What of a record is shown to nobody. Pure.
//!
//! The record `cluster` has what nodes prove themselves with: a process that knows it can order
//! TaskManagers, which a user of the API cannot. Of that record only what is known to be harmless
//! is shown. Of other records, which may be those of any application, values are left out whose
//! names say that they are secrets, and passwords in URLs.

use incumbent::RecordName;
use incumbent_cluster_core::cluster_record;
use serde_json::{Map, Value};

/// What is shown of the record `cluster`.
const OF_CLUSTER: [&str; 2] = ["format", "id"];

/// Parts of names, in lower case and without `-` and `_`, whose values are left out.
const SECRETS: [&str; 11] = [
    "secret",
    "password",
    "passwd",
    "pwd",
    "passphrase",
    "authorization",
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
            // A variable as Kubernetes writes it.
            let is_of_secret = fields
                .get("name")
                .and_then(Value::as_str)
                .is_some_and(is_secret);
            hide(fields, found, at, |field| is_of_secret && field == "value");
            for (field, value) in fields.iter_mut() {
                look(value, found, &format!("{at}/{field}"));
            }
        }
        Value::Array(values) => {
            for (index, value) in values.iter_mut().enumerate() {
                look(value, found, &format!("{at}/{index}"));
            }
        }
        Value::String(text) => {
            if let Some(shown) = without_passwords(text) {
                *text = shown;
                found.push(at.to_owned());
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The text without the passwords of URLs in it; `None` if there are none.
fn without_passwords(text: &str) -> Option<String> {
    let mut shown = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        shown.push_str(before);
        let ends = |letter: char| letter.is_whitespace() || "/?#\"'<>".contains(letter);
        let (authority, behind) = after.split_at(after.find(ends).unwrap_or(after.len()));
        match authority.rsplit_once('@') {
            Some((login, host)) if login.contains(':') => {
                let user = login.split(':').next().unwrap_or_default();
                shown.push_str(&format!("{user}:{HIDDEN}@{host}"));
            }
            _ => shown.push_str(authority),
        }
        rest = behind;
    }
    shown.push_str(rest);
    (shown != text).then_some(shown)
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

    #[test]
    fn a_password_in_a_url_and_beside_its_name_is_left_out() {
        let data = json!({
            "env": [{ "name": "DB_PASSWORD", "value": "x" }, { "name": "LEVEL", "value": "info" }],
            "command": ["run", "--db=postgres://u:pa:x@h:5432/d?a=b", "http://h:80/x@y", "a@b://c"],
        });
        let (data, found) = shown("settings", data);
        assert_eq!(data["env"][0]["value"], "(hidden)");
        assert_eq!(data["env"][1]["value"], "info");
        let command = json!([
            "run",
            "--db=postgres://u:(hidden)@h:5432/d?a=b",
            "http://h:80/x@y",
            "a@b://c"
        ]);
        assert_eq!(data["command"], command);
        assert_eq!(found, ["/command/1", "/env/0/value"]);
    }
}
