//! The names and types of all fields, beside what two versions of a real Flink have answered.
//!
//! `tests/flink/VERSION.json` is recorded by `testing/foreign/flink/run compare --record`.
//! `tests/flink/differs.txt` says what differs, and why; that command also checks that each of its
//! lines is true.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::sample::{JOB, NOW, SAVEPOINT, cluster, job};
use crate::{
    applications, checkpoints, exceptions, job as of_job, jobmanager, jobs, metrics, overview,
    plan, resources, savepoints, taskmanagers, vertices,
};

pub(super) const RECORDED: [(&str, &str); 2] = [
    ("1.20.5", include_str!("../../tests/flink/1.20.5.json")),
    ("2.3.0", include_str!("../../tests/flink/2.3.0.json")),
];

const DIFFERS: &str = include_str!("../../tests/flink/differs.txt");

/// What we answer to a request, if it is made of views only.
pub(super) fn ours(name: &str) -> Option<Value> {
    let (mut job, cluster) = (job(), cluster());
    // No checkpoint of the recorded Flink had failed.
    job.checkpoints.as_mut().unwrap().last_aborted = None;
    let jobs = [job.clone()];
    let task = &job.tasks[0];
    let id = SAVEPOINT.parse().unwrap();
    let body = match name {
        "config" => overview::config(),
        "overview" => overview::overview(&cluster, &jobs),
        "applications" => applications::overview(&jobs, NOW),
        "application" => applications::details(&job, NOW),
        "application-exceptions" => applications::exceptions(&job),
        "jobs" => jobs::ids(&jobs),
        "jobs-overview" | "jobs-overview-versioned" => jobs::overview(&jobs, NOW),
        "jobs-metrics" => {
            let wanted = ["numRestarts".to_owned()];
            metrics::aggregated(&metrics::of_job(&job, NOW), Some(&wanted), None)
        }
        "job" => of_job::details(&job, NOW),
        "job-status" => of_job::status(&job),
        "job-result" => of_job::execution_result(&job, NOW),
        "job-plan" => json!({ "plan": plan::plan(&job) }),
        "job-config" => of_job::config(&job),
        "job-exceptions" => exceptions::exceptions(&job, None),
        "job-accumulators" => of_job::accumulators(),
        "job-metrics" => {
            let wanted = ["numRestarts".to_owned(), "lastCheckpointSize".to_owned()];
            metrics::told(&metrics::of_job(&job, NOW), Some(&wanted))
        }
        "job-metric-names" => metrics::told(&metrics::of_job(&job, NOW), None),
        "job-resources" => resources::shown(&job),
        "checkpoints" => checkpoints::statistics(&job, NOW).unwrap(),
        "checkpoints-config" => checkpoints::config(&job).unwrap(),
        "checkpoint" => checkpoints::details(&job, "6", NOW).unwrap(),
        "checkpoint-subtasks" => checkpoints::of_subtasks(&job, "6", NOW).unwrap(),
        "savepoint-begun" | "disposal-begun" => savepoints::begun(id),
        "savepoint-status" => savepoints::status(&job, id).unwrap(),
        "disposal-status" => savepoints::disposed(false, id).unwrap(),
        "checkpoint-begun" => savepoints::checkpoint_begun(&job).unwrap(),
        "vertex" => vertices::details(&job, &cluster, NOW),
        "vertex-times" => vertices::times_of_subtasks(&job, &cluster, NOW),
        "vertex-taskmanagers" => vertices::by_task_manager(&job, &cluster, NOW),
        "vertex-accumulators" => vertices::accumulators(&job),
        "vertex-backpressure" => {
            metrics::back_pressure(&job, &std::collections::BTreeMap::new(), NOW)
        }
        "vertex-flamegraph" => vertices::flame_graph(),
        "subtask" | "subtask-attempt" => vertices::attempt(&job, task, &cluster, NOW),
        "subtask-attempt-accumulators" => vertices::attempt_accumulators(&job, task),
        "subtasks-accumulators" => vertices::subtask_accumulators(&job, &cluster),
        "taskmanagers" => taskmanagers::list(&cluster, NOW),
        "taskmanager" => taskmanagers::details(&cluster.nodes[0], &jobs, NOW),
        "jobmanager-config" | "job-jobmanager-config" | "application-config" => {
            jobmanager::config(&cluster)
        }
        "jobmanager-environment" | "job-jobmanager-environment" => jobmanager::environment(),
        _ => return None,
    };
    let text = body.to_string().replace(JOB, "{job}");
    Some(serde_json::from_str(&text).unwrap())
}

#[test]
fn fields_have_flinks_names_and_types_but_where_the_list_says_why_not() {
    for (version, recorded) in RECORDED {
        let told = listed(version);
        let recorded: Map<String, Value> = serde_json::from_str(recorded).unwrap();
        let (mut compared, mut new) = (0, Vec::new());
        for (name, theirs) in &recorded {
            // What Flink refuses and we do not is compared by its status, elsewhere.
            let is_answered = theirs["status"].as_u64().is_some_and(|status| status < 400);
            let Some(ours) = ours(name).filter(|_| is_answered) else {
                continue;
            };
            compared += 1;
            let mut found = BTreeSet::new();
            differences("", &theirs["body"], &ours, &mut found);
            for line in found {
                new.extend(Some(format!("{name} {line}")).filter(|line| !told.contains(line)));
            }
        }
        assert!(compared > 35, "{compared}");
        assert!(
            new.is_empty(),
            "Flink {version}, not in differs.txt: {new:#?}"
        );
    }
}

/// What the list says of a version. A line may begin with the beginning of one.
pub(super) fn listed(version: &str) -> BTreeSet<String> {
    let mut told = BTreeSet::new();
    for line in DIFFERS.lines() {
        let mut words: Vec<&str> = line
            .split('#')
            .next()
            .unwrap_or_default()
            .split_whitespace()
            .collect();
        let Some(first) = words.first().copied() else {
            continue;
        };
        if first.starts_with(|letter: char| letter.is_ascii_digit()) {
            if !version.starts_with(first.trim_end_matches('*')) {
                continue;
            }
            words.remove(0);
        }
        told.insert(words.join(" "));
    }
    told
}

pub(super) fn differences(path: &str, theirs: &Value, ours: &Value, found: &mut BTreeSet<String>) {
    match (theirs, ours) {
        (Value::Null, _) | (_, Value::Null) => {}
        (Value::Object(theirs), Value::Object(ours)) => {
            let (theirs, ours) = (named(theirs), named(ours));
            let names: BTreeSet<&String> = theirs.keys().chain(ours.keys()).collect();
            // What is in there is the user's.
            for name in names
                .into_iter()
                .filter(|_| !path.ends_with(".user-config"))
            {
                let below = format!("{path}.{name}");
                match (theirs.get(name), ours.get(name)) {
                    (Some(theirs), Some(ours)) => differences(&below, theirs, ours, found),
                    (Some(_), None) => drop(found.insert(format!("{below} missing"))),
                    (None, _) => drop(found.insert(format!("{below} extra"))),
                }
            }
        }
        (Value::Array(theirs), Value::Array(ours)) => {
            if let (Some(theirs), Some(ours)) = (merged(theirs), merged(ours)) {
                differences(&format!("{path}[]"), &theirs, &ours, found);
            }
        }
        (theirs, ours) if kind(theirs) == kind(ours) => {}
        (theirs, ours) => {
            let path = if path.is_empty() { "." } else { path };
            found.insert(format!("{path} {} {}", kind(theirs), kind(ours)));
        }
    }
}

/// The same, with one name for all ids.
fn named(fields: &Map<String, Value>) -> Map<String, Value> {
    let is_id = |name: &str| {
        name.starts_with('{')
            || (name.len() == 32 && name.bytes().all(|byte| byte.is_ascii_hexdigit()))
    };
    let name = |name: &String| {
        if is_id(name) {
            "*".to_owned()
        } else {
            name.clone()
        }
    };
    let fields = fields.iter();
    fields
        .map(|(of, value)| (name(of), value.clone()))
        .collect()
}

/// One element that has what any of them has.
fn merged(elements: &[Value]) -> Option<Value> {
    let mut whole = elements.first()?.clone();
    if let Value::Object(whole) = &mut whole {
        for (name, value) in elements.iter().filter_map(Value::as_object).flatten() {
            if whole.get(name).is_none_or(Value::is_null) {
                whole.insert(name.clone(), value.clone());
            }
        }
    }
    Some(whole)
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        // What Flink says of a number that is none.
        Value::String(text) if text == "NaN" => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}
