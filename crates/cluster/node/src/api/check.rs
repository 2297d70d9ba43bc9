//! What a specification may be: each wrong field is named, with what is right.

use axum::http::StatusCode;
use incumbent_cluster_blobs::{Digest, MAX_ARTIFACT};
use incumbent_cluster_core::{Isolation, JobSpec, LONGEST_JOB_NAME, MOST_TASKS, Restart};
use serde_json::{Map, Value, json};

use super::problem::{FieldProblem, Problem};

/// Longest name of a file or an endpoint, in bytes.
const LONGEST_WORD: usize = 128;

/// Most endpoints of a job.
const MOST_ENDPOINTS: usize = 16;

/// The longest of all times, in milliseconds: a year.
const LONGEST: u64 = 365 * 24 * 60 * 60 * 1000;

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
            found.push(wrong(field, error.to_string()));
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
    let mut found = Vec::new();
    if !is_word(&spec.name, LONGEST_JOB_NAME) {
        let message = format!("must be 1 to {LONGEST_JOB_NAME} letters, digits, - _ or .");
        found.push(wrong("name", message));
    } else if spec.name.parse::<incumbent_cluster_core::JobId>().is_ok() {
        found.push(wrong(
            "name",
            "looks like the id of a job; choose another name",
        ));
    }
    if !(1..=MOST_TASKS).contains(&spec.tasks) {
        let message = format!("is {}; it must be 1 to {MOST_TASKS}", spec.tasks);
        found.push(wrong("tasks", message));
    }
    if spec.command.first().is_none_or(String::is_empty) {
        found.push(wrong("command", "names no program"));
    }
    for (at, part) in spec.command.iter().enumerate() {
        if part.contains('\0') {
            found.push(wrong(&format!("command[{at}]"), "contains a zero byte"));
        }
    }
    artifact(spec, &mut found);
    environment(spec, &mut found);
    times(spec, &mut found);
    if spec.endpoints.len() > MOST_ENDPOINTS {
        found.push(wrong(
            "endpoints",
            format!("are more than {MOST_ENDPOINTS}"),
        ));
    }
    for (at, endpoint) in spec.endpoints.iter().enumerate() {
        if !is_word(endpoint, LONGEST_WORD) {
            let message = format!("must be 1 to {LONGEST_WORD} letters, digits, - _ or .");
            found.push(wrong(&format!("endpoints[{at}]"), message));
        } else if spec.endpoints[..at].contains(endpoint) {
            found.push(wrong(&format!("endpoints[{at}]"), "is there twice"));
        }
    }
    found
}

fn artifact(spec: &JobSpec, found: &mut Vec<FieldProblem>) {
    let Some(artifact) = &spec.artifact else {
        return;
    };
    if artifact.digest.parse::<Digest>().is_err() {
        let message =
            "must be a SHA-256: 64 hexadecimal digits in lower case, as sha256sum prints it";
        found.push(wrong("artifact.digest", message));
    }
    let is_path = artifact.name.contains(['/', '\0']) || artifact.name.starts_with('.');
    if artifact.name.is_empty() || artifact.name.len() > LONGEST_WORD || is_path {
        let message = format!(
            "must be the name of a file, without a directory or a leading dot, at most {LONGEST_WORD} bytes"
        );
        found.push(wrong("artifact.name", message));
    }
    if artifact.size > MAX_ARTIFACT {
        found.push(wrong(
            "artifact.size",
            format!("is more than {MAX_ARTIFACT} bytes"),
        ));
    }
}

fn environment(spec: &JobSpec, found: &mut Vec<FieldProblem>) {
    // Values are not repeated: they may be secrets.
    let maps = [("env", &spec.env), ("env_files", &spec.env_files)];
    for (map, variables) in maps {
        for (name, value) in variables {
            let field = format!("{map}.{name}");
            if name.is_empty() || name.contains(['=', '\0']) {
                found.push(wrong(&field, "is not the name of a variable"));
            } else if name.starts_with("INCUMBENT_") {
                found.push(wrong(
                    &field,
                    "is set by the TaskManager; choose another name",
                ));
            }
            if value.contains('\0') {
                found.push(wrong(&field, "contains a zero byte"));
            }
            if map == "env_files" && !value.starts_with('/') {
                let message =
                    "must be the whole path of a file on the machines of the TaskManagers";
                found.push(wrong(&field, message));
            }
            if map == "env_files" && spec.env.contains_key(name) {
                found.push(wrong(&field, "is in env, too"));
            }
        }
    }
}

fn times(spec: &JobSpec, found: &mut Vec<FieldProblem>) {
    let mut check = |field: &str, ms: u64, least: u64| {
        if !(least..=LONGEST).contains(&ms) {
            let message = format!("is {ms} ms; it must be {least} ms to a year");
            found.push(wrong(field, message));
        }
    };
    check("grace_ms", spec.grace_ms, 0);
    if let Isolation::Exclusive {
        timeout_ms: Some(timeout),
    } = spec.isolation
    {
        check("isolation.timeout_ms", timeout, 1000);
    }
    match spec.restart {
        Restart::ExponentialDelay {
            initial_ms,
            max_ms,
            reset_after_ms,
            ..
        } => {
            check("restart.initial_ms", initial_ms, 1);
            check("restart.max_ms", max_ms, initial_ms);
            check("restart.reset_after_ms", reset_after_ms, 0);
        }
        Restart::FixedDelay { delay_ms, .. } => check("restart.delay_ms", delay_ms, 0),
        Restart::None => {}
    }
}

fn is_word(text: &str, longest: usize) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    !text.is_empty()
        && text.len() <= longest
        && !text.starts_with('.')
        && text.bytes().all(is_allowed)
}

fn wrong(field: &str, message: impl Into<String>) -> FieldProblem {
    FieldProblem {
        field: field.into(),
        message: message.into(),
    }
}

#[cfg(test)]
mod tests {
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
            ("command", json!([""]), "command"),
            ("command", json!("sh"), "command"),
            ("command", json!(["sh", "a\0b"]), "command[1]"),
            ("taskz", json!(1), "taskz"),
            ("env", json!({ "A=B": "" }), "env.A=B"),
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
