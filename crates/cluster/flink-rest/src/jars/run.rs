//! What running a program asks for, and the specification of the job that it becomes. Pure but for
//! the random id of the job.

use std::collections::HashMap;

use incumbent_cluster_core::JobId;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::id::JarId;
use crate::ask::job_id;
use crate::errors::Failure;
use crate::savepoints;

/// Settings of Flink that mean something here. Others are left out, as they are about Flink's own
/// parts.
const NAME: &str = "pipeline.name";
const PARALLELISM: &str = "parallelism.default";
const INTERVAL: &str = "execution.checkpointing.interval";

/// The body of a request, as Flink's clients write it.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Body {
    #[serde(default)]
    entry_class: Option<String>,
    #[serde(default)]
    program_args: Option<String>,
    #[serde(default)]
    program_args_list: Option<Vec<String>>,
    /// The dashboard sends a text.
    #[serde(default)]
    parallelism: Option<Value>,
    #[serde(default)]
    job_id: Option<String>,
    #[serde(default)]
    savepoint_path: Option<String>,
    #[serde(default)]
    flink_configuration: Option<HashMap<String, String>>,
}

/// What is wanted, by the body and by the query.
#[derive(Debug)]
pub(crate) struct Wanted {
    name: Option<String>,
    args: Vec<String>,
    tasks: u64,
    job: Option<String>,
    restore: Option<String>,
    interval: Option<String>,
}

impl Wanted {
    pub(crate) fn of(query: &HashMap<String, String>, body: Body) -> Result<Self, Failure> {
        let named = |name: &str| query.get(name).filter(|value| !value.is_empty()).cloned();
        let given = |text: Option<String>| text.filter(|text| !text.is_empty());
        let mut settings = body.flink_configuration.unwrap_or_default();
        let list = body.program_args_list.filter(|list| !list.is_empty());
        let list = list.or_else(|| {
            named("programArg").map(|list| list.split(',').map(str::to_owned).collect())
        });
        let text = given(body.program_args).or_else(|| named("program-args"));
        let parallelism = match body.parallelism {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) => given(Some(text)),
            Some(other) => Some(other.to_string()),
        };
        let parallelism = parallelism
            .or_else(|| named("parallelism"))
            .or_else(|| settings.remove(PARALLELISM));
        let tasks = match parallelism {
            None => 1,
            Some(text) => text
                .trim()
                .parse()
                .ok()
                .filter(|tasks| *tasks > 0)
                .ok_or_else(|| {
                    Failure::bad_request(format!(
                        "The parallelism is {text:?}; it must be a positive number."
                    ))
                })?,
        };
        Ok(Self {
            name: given(settings.remove(NAME))
                .or_else(|| given(body.entry_class))
                .or_else(|| named("entry-class")),
            args: list.unwrap_or_else(|| words(text.as_deref().unwrap_or_default())),
            tasks,
            job: given(body.job_id),
            restore: given(body.savepoint_path).or_else(|| named("savepointPath")),
            interval: settings.remove(INTERVAL),
        })
    }

    /// The id of the job: the client's, or a new one.
    pub(crate) fn job(&self) -> Result<JobId, Failure> {
        match &self.job {
            Some(id) => job_id(id),
            None => Ok(JobId::new(rand::random())),
        }
    }
}

/// The job. A name that nobody gave gets a few digits of the id, as names are unique among live
/// jobs.
pub(crate) fn spec(id: &JarId, size: u64, job: JobId, wanted: &Wanted) -> Result<Value, Failure> {
    let name = wanted.name.clone().filter(|name| name != id.name());
    let digits = job.to_string();
    let name = name.unwrap_or_else(|| format!("{}-{}", id.stem(), &digits[..6]));
    let mut command = vec!["{artifact}".to_owned()];
    command.extend(wanted.args.iter().cloned());
    let mut spec = Map::new();
    spec.insert("name".into(), name.into());
    spec.insert("tasks".into(), wanted.tasks.into());
    spec.insert("command".into(), command.into());
    let artifact = json!({ "digest": id.digest.to_string(), "name": id.name(), "size": size });
    spec.insert("artifact".into(), artifact);
    if let Some(interval) = &wanted.interval {
        spec.insert(
            "checkpoints".into(),
            json!({ "interval_ms": milliseconds(interval)? }),
        );
    } else if id.speaks_contract {
        spec.insert("checkpoints".into(), json!({}));
    }
    if let Some(path) = &wanted.restore {
        spec.insert("restore".into(), restore(path)?);
    }
    Ok(Value::Object(spec))
}

/// A savepoint by its id, or `JOB@NUMBER`, as a checkpoint is shown.
fn restore(path: &str) -> Result<Value, Failure> {
    if let Some((job, number)) = path.split_once('@')
        && let (Ok(job), Ok(number)) = (job_id(job), number.parse::<u64>())
    {
        return Ok(json!({ "from": "job", "job": job.to_string(), "checkpoint": number }));
    }
    let id = savepoints::of_location(path)?;
    Ok(json!({ "from": "savepoint", "savepoint": id.to_string() }))
}

/// What it would run.
pub(crate) fn plan(id: &JarId, wanted: &Wanted) -> Value {
    json!({
        "jid": "0".repeat(32),
        "name": wanted.name.as_deref().unwrap_or_else(|| id.stem()),
        "type": "STREAMING",
        "nodes": [{
            "id": "0".repeat(32),
            "parallelism": wanted.tasks,
            "operator": "",
            "operator_strategy": "",
            "description": id.name(),
            "optimizer_properties": {},
        }],
    })
}

/// Arguments in one text: words, of which some are in quotes.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let (mut word, mut is_open, mut quote) = (String::new(), false, None);
    for letter in text.chars() {
        match (letter, quote) {
            (end, Some(begin)) if end == begin => quote = None,
            ('"' | '\'', None) => (quote, is_open) = (Some(letter), true),
            (space, None) if space.is_whitespace() => {
                if is_open {
                    words.push(std::mem::take(&mut word));
                }
                is_open = false;
            }
            (other, _) => {
                word.push(other);
                is_open = true;
            }
        }
    }
    if is_open {
        words.push(word);
    }
    words
}

/// A span as Flink writes it: `10 s`, `500ms`, `1 min`; without a unit, milliseconds.
fn milliseconds(text: &str) -> Result<u64, Failure> {
    let plain = text.trim().parse::<u64>().ok();
    let span = || {
        let span = humantime::parse_duration(text.trim()).ok()?;
        u64::try_from(span.as_millis()).ok()
    };
    plain.or_else(span).ok_or_else(|| {
        Failure::bad_request(format!("{INTERVAL} is {text:?}, which is no span of time."))
    })
}

#[cfg(test)]
mod tests {
    use incumbent_cluster_blobs::Digest;
    use incumbent_cluster_core::JobSpec;

    use super::*;

    fn wanted(query: &[(&str, &str)], body: Value) -> Result<Wanted, Failure> {
        let query = query
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Wanted::of(&query.collect(), serde_json::from_value(body).unwrap())
    }

    fn made(query: &[(&str, &str)], body: Value, speaks: bool) -> JobSpec {
        let id = JarId::new(Digest::of(b"x"), "sum.jar", speaks);
        let wanted = wanted(query, body).unwrap();
        let spec = spec(&id, 7, JobId::new(0xabc << 116), &wanted).unwrap();
        serde_json::from_value(spec).unwrap()
    }

    #[test]
    fn a_program_becomes_a_job_by_body_or_by_query() {
        let body = json!({
            "entryClass": "sums", "programArgs": "-v 'a b' \"\"", "parallelism": "3",
            "savepointPath": format!("/x/{}", "b".repeat(32)), "allowNonRestoredState": null,
        });
        let spec = made(&[], body, false);
        assert_eq!((spec.name.as_str(), spec.tasks), ("sums", 3));
        assert_eq!(spec.command, ["{artifact}", "-v", "a b", ""]);
        assert!(spec.checkpoints.is_none() && spec.restore.is_some());
        let query = [
            ("parallelism", "2"),
            ("programArg", "x,y"),
            ("entry-class", ""),
        ];
        let spec = made(&query, json!({}), true);
        assert_eq!((spec.name.as_str(), spec.tasks), ("sum-abc000", 2));
        assert_eq!(spec.command, ["{artifact}", "x", "y"]);
        assert!(spec.checkpoints.is_some());
        let settings =
            json!({ "flinkConfiguration": { "pipeline.name": "n", INTERVAL: "10 s", "x": "y" } });
        let spec = made(&[], settings, false);
        assert_eq!(spec.checkpoints.unwrap().interval_ms, Some(10_000));
        assert_eq!(spec.name, "n");
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for parallelism in [json!(0), json!(-1), json!("many"), json!(1.5)] {
            assert!(wanted(&[], json!({ "parallelism": parallelism })).is_err());
        }
        assert!(restore("/tmp/savepoint-1").is_err());
        assert!(restore(&format!("{}@7", "a".repeat(32))).is_ok());
        assert!(milliseconds("soon").is_err());
    }
}
