//! What a specification may be: each wrong field is named, with what is right.

use axum::http::StatusCode;
use incumbent_cluster_blobs::MAX_ARTIFACT;
use incumbent_cluster_core::{JobSpec, job_file};
use serde_json::{Map, Value, json};

use super::problem::{FieldProblem, Problem};

/// The specification in this body.
///
/// # Errors
///
/// 400 if it is no JSON, 422 if it is no specification that could run.
pub(super) fn spec(body: &[u8]) -> Result<JobSpec, Problem> {
    let value: Value = serde_json::from_slice(body).map_err(|error| {
        Problem::bad_request(format!("The specification is not JSON: {error}."))
    })?;
    let Value::Object(fields) = value else {
        return Err(Problem::bad_request(
            "The specification is not a JSON object.",
        ));
    };
    let spec = match serde_json::from_value::<JobSpec>(Value::Object(fields.clone())) {
        Ok(spec) => spec,
        Err(error) => return Err(refused(misread(&fields, &error))),
    };
    match problems(&spec) {
        found if found.is_empty() => Ok(spec),
        found => Err(refused(found)),
    }
}

/// What a job may start from. Files that another cluster wrote are never among it: nobody here
/// knows whether they are whole, or whose they are.
const RESTORE: &str = "a job starts from a savepoint or a job of this cluster, by its id, and never from a URL or a path: \
     {\"from\":\"savepoint\",\"savepoint\":ID} or {\"from\":\"job\",\"job\":ID}, the latter with \"checkpoint\":N for \
     another than the newest";

fn refused(errors: Vec<FieldProblem>) -> Problem {
    let texts: Vec<String> = errors
        .iter()
        .map(|error| format!("{}: {}", error.field, error.message))
        .collect();
    let detail = format!("Nothing was submitted. {}.", texts.join("; "));
    let title = "The job cannot be run as it is";
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "bad-job", title, detail).with_errors(errors)
}

/// Which fields have the wrong type, or should not be there. Each is looked at alone.
fn misread(fields: &Map<String, Value>, whole: &serde_json::Error) -> Vec<FieldProblem> {
    let mut found: Vec<FieldProblem> = Vec::new();
    for (field, value) in fields {
        let mut alone = json!({ "name": "x", "command": ["x"] });
        alone[field] = value.clone();
        if let Err(error) = serde_json::from_value::<JobSpec>(alone) {
            found.push(match field.as_str() {
                "restore" => wrong(field, RESTORE),
                _ => wrong(field, without_value(&error.to_string())),
            });
        }
    }
    for field in ["name", "command"] {
        if !fields.contains_key(field) {
            found.push(wrong(field, "is missing"));
        }
    }
    if found.is_empty() {
        found.push(wrong("", whole.to_string()));
    }
    found
}

fn problems(spec: &JobSpec) -> Vec<FieldProblem> {
    let found = job_file::check(spec);
    let found = found
        .iter()
        .map(|problem| wrong(&problem.field(), problem.why.as_str()));
    let mut found: Vec<FieldProblem> = found.collect();
    if spec
        .artifact
        .as_ref()
        .is_some_and(|artifact| artifact.size > MAX_ARTIFACT)
    {
        found.push(wrong(
            "artifact.size",
            format!("it is more than {MAX_ARTIFACT} bytes"),
        ));
    }
    found
}

/// What is wrong with a field, without its value, which may be a secret in the wrong place.
fn without_value(text: &str) -> String {
    let is_about_a_value = ["invalid type: ", "invalid value: "];
    let Some(rest) = is_about_a_value
        .iter()
        .find_map(|begin| text.strip_prefix(begin))
    else {
        return text.to_owned();
    };
    let kind = rest.split([' ', '`', '"']).next().unwrap_or_default();
    match rest.rfind(", expected ") {
        Some(at) => format!("it is a {kind}{}", &rest[at..]),
        None => format!("it is a {kind}, which it must not be"),
    }
}

fn wrong(field: &str, message: impl Into<String>) -> FieldProblem {
    FieldProblem {
        field: field.into(),
        message: message.into(),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn no_value_is_repeated() {
        let found =
            super::without_value("invalid type: string \"PASSWORD=hunter2\", expected a map");
        assert_eq!(found, "it is a string, expected a map");
        assert_eq!(
            super::without_value("missing field `name`"),
            "missing field `name`"
        );
    }

    use super::*;

    fn fields(body: Value) -> Vec<String> {
        match spec(body.to_string().as_bytes()) {
            Ok(_) => Vec::new(),
            Err(problem) => {
                assert_eq!(problem.status, 422);
                problem
                    .errors
                    .into_iter()
                    .map(|error| error.field)
                    .collect()
            }
        }
    }

    #[test]
    fn every_wrong_field_is_named() {
        let good =
            json!({ "name": "a-job_1.x", "tasks": 2, "command": ["sh", "-c", "echo {rank}"] });
        assert_eq!(fields(good.clone()), [""; 0]);
        for (field, value, named) in [
            ("name", json!(""), "name"),
            ("name", json!("a/b"), "name"),
            ("name", json!(".."), "name"),
            ("name", json!("0123456789abcdef0123456789abcdef"), "name"),
            ("tasks", json!(0), "tasks"),
            ("tasks", json!(1001), "tasks"),
            ("tasks", json!(-1), "tasks"),
            ("tasks", json!("2"), "tasks"),
            ("command", json!([]), "command"),
            ("command", json!([""]), "command[0]"),
            ("command", json!("sh"), "command"),
            ("command", json!(["sh", "a\0b"]), "command[1]"),
            ("taskz", json!(1), "taskz"),
            ("env", json!({ "A=B": "" }), "env.(a name)"),
            ("env", json!({ "A": "{rnak}" }), "env.A"),
            ("command", json!(["{artifact}"]), "command[0]"),
            (
                "env",
                json!({ "INCUMBENT_RANK": "1" }),
                "env.INCUMBENT_RANK",
            ),
            ("env_files", json!({ "A": "relative" }), "env_files.A"),
            ("grace_ms", json!(u64::MAX), "grace_ms"),
            (
                "isolation",
                json!({ "mode": "exclusive", "timeout_ms": 1 }),
                "isolation.timeout_ms",
            ),
            ("isolation", json!({ "mode": "other" }), "isolation"),
            (
                "restart",
                json!({ "strategy": "fixed-delay", "delay_ms": u64::MAX, "attempts": 1 }),
                "restart.delay_ms",
            ),
            ("endpoints", json!(["web", "web"]), "endpoints[1]"),
            ("restore", json!("s3://bucket/savepoint"), "restore"),
            (
                "restore",
                json!({ "from": "savepoint", "savepoint": "/mnt/savepoint" }),
                "restore",
            ),
            (
                "artifact",
                json!({ "digest": "x", "name": "a", "size": 1 }),
                "artifact.digest",
            ),
            (
                "artifact",
                json!({ "digest": "0".repeat(64), "name": "../a", "size": 1 }),
                "artifact.name",
            ),
        ] {
            let mut bad = good.clone();
            bad[field] = value;
            assert_eq!(fields(bad), [named], "{field}");
        }
        assert_eq!(fields(json!({ "tasks": 0, "name": "" })), ["command"]);
        assert_eq!(
            fields(json!({ "tasks": 0, "name": "", "command": ["x"] })),
            ["name", "tasks"]
        );
    }

    #[test]
    fn no_value_of_the_environment_is_repeated() {
        let body = json!({ "name": "x", "command": ["x"], "env": { "A": "s3cret\0" }, "tasks": 0 });
        let problem = spec(body.to_string().as_bytes()).unwrap_err();
        assert!(!serde_json::to_string(&problem).unwrap().contains("s3cret"));
    }
}
