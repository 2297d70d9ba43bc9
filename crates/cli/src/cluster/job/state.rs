//! `incumbent job state`: what a job knows, by key or range.

use std::process::ExitCode;

use clap::{Args, ValueEnum};
use hyper::StatusCode;
use incumbent_cluster_node::api::{StateNames, StateRange, StateValue};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::args::JobRef;
use super::find::{named, path};
use crate::cluster::client::{Ask, Client, ClientError, ClusterArgs, segment};
use crate::exit::{Code, Failure};
use crate::settings::Output;
use crate::show;

const HELP: &str = "\
Look at a job while it runs. Any node answers, also while nobody leads:
  incumbent job state words                          the names of its states
  incumbent job state words totals                   the first 100 keys of a state, in order
  incumbent job state words totals alice             the value of one key
  incumbent job state words totals --from k --to l   the keys that begin with k
The same as its newest checkpoint has it. Nothing needs to run:
  incumbent job state words totals alice --as-of checkpoint

`live` is what the tasks know now, and has not been committed yet: after a failure it may be as if it had
never been. `checkpoint` is what the job would start from.

A key is JSON where it can be read as that: 7, true, [\"eu\",7]. Everything else is a string; say --key-type text
if a string looks like a number. The order is null, booleans, numbers, strings, arrays, objects.

A task answers queries if its program reads /v1/queries of the task contract; those of stream jobs do. In a
pipe this prints JSON: for a range one line for each entry.

Exit codes: 6 if there is no such job, state, key or checkpoint; else those of `incumbent job --help`.";

/// Show what a job knows: its states, their keys and values.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(crate) struct StateArgs {
    #[command(flatten)]
    pub(crate) job: JobRef,

    /// The name of a state [default: list all names]
    #[arg(value_name = "NAME")]
    pub(crate) state: Option<String>,

    /// One key [default: a range of keys]
    #[arg(value_name = "KEY", requires = "state", allow_hyphen_values = true)]
    pub(crate) one: Option<String>,

    /// What the tasks know now, or what the newest checkpoint has.
    #[arg(long, value_name = "WHAT", value_enum, default_value_t = Moment::Live, env = "INCUMBENT_STATE_AS_OF")]
    pub(crate) as_of: Moment,

    /// The first key of the range.
    #[arg(
        long,
        value_name = "KEY",
        requires = "state",
        conflicts_with = "one",
        allow_hyphen_values = true
    )]
    pub(crate) from: Option<String>,

    /// The key before which the range ends.
    #[arg(
        long,
        value_name = "KEY",
        requires = "state",
        conflicts_with = "one",
        allow_hyphen_values = true
    )]
    pub(crate) to: Option<String>,

    /// Most entries, 1 to 1000 [default: 100]
    #[arg(
        long,
        value_name = "N",
        requires = "state",
        conflicts_with = "one",
        env = "INCUMBENT_STATE_LIMIT"
    )]
    pub(crate) limit: Option<u32>,

    /// How keys are written: as JSON, or as the text that they are [default: JSON where it can be]
    #[arg(
        long,
        value_name = "TYPE",
        value_enum,
        env = "INCUMBENT_STATE_KEY_TYPE"
    )]
    pub(crate) key_type: Option<KeyType>,

    #[command(flatten)]
    pub(crate) cluster: ClusterArgs,
    #[command(flatten)]
    pub(crate) output: Output,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Moment {
    /// What the tasks know now.
    Live,
    /// What the newest checkpoint has.
    Checkpoint,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum KeyType {
    /// As JSON.
    Json,
    /// As the text that it is.
    Text,
}

pub(super) async fn state(args: StateArgs) -> Result<ExitCode, Failure> {
    let client = Client::new(&args.cluster)?;
    let is_json = args.output.is_json();
    match (&args.state, &args.one) {
        (None, _) => {
            let names: StateNames = ask(&client, &args).await?;
            for name in &names.states {
                match is_json {
                    true => show::json_line(&serde_json::json!({ "state": name }))?,
                    false => show::line(show::escape::printable(name))?,
                };
            }
        }
        (Some(_), Some(_)) => {
            let found: StateValue = ask(&client, &args).await?;
            match is_json {
                true => show::json_line(&found)?,
                false => show::line(show::escape::printable(&pretty(&found.value)))?,
            };
        }
        (Some(_), None) => {
            let found: StateRange = ask(&client, &args).await?;
            range(&found, is_json)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn range(found: &StateRange, is_json: bool) -> Result<(), Failure> {
    table_of(found, is_json)?;
    if let (true, Some(last)) = (found.more, found.entries.last()) {
        let last = show::escape::printable(&last.key.to_string()).to_string();
        // Not among what a program reads.
        anstream::eprintln!(
            "there are more keys: say a larger --limit, or go on with --from '{last}', which shows that key again"
        );
    }
    Ok(())
}

fn table_of(found: &StateRange, is_json: bool) -> Result<(), Failure> {
    if is_json {
        for entry in &found.entries {
            show::json_line(entry)?;
        }
        return Ok(());
    }
    let rows = found.entries.iter().map(|entry| {
        let shown = [
            shown(&entry.key),
            shown(&entry.value),
            entry.rank.to_string(),
        ];
        shown
            .map(|text| show::escape::printable(&text).to_string())
            .to_vec()
    });
    let table = show::table(&["KEY", "VALUE", "RANK"], rows.collect());
    show::print(format!("{table}\n").as_bytes())?;
    Ok(())
}

/// A string without quotes, all else as JSON.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A value for people, over several lines if it has parts.
fn pretty(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => serde_json::to_string_pretty(other).unwrap_or_else(|_| other.to_string()),
    }
}

async fn ask<T: DeserializeOwned>(client: &Client, args: &StateArgs) -> Result<T, Failure> {
    let answer = client.json(&Ask::get(path_of(args))).await;
    answer.map_err(|error| match error {
        // Only that the job is unknown is worth the hint to list all.
        ClientError::Problem(problem)
            if problem.status == StatusCode::NOT_FOUND && problem.kind != "not-found" =>
        {
            Failure::new(problem.detail).code(Code::NotFound)
        }
        error => named(error, &args.job.job),
    })
}

fn path_of(args: &StateArgs) -> String {
    let mut path = format!("{}/state", path(&args.job.job));
    for part in [&args.state, &args.one].into_iter().flatten() {
        path.push('/');
        path.push_str(&segment(part));
    }
    let as_of = match args.as_of {
        Moment::Live => "live",
        Moment::Checkpoint => "checkpoint",
    };
    path.push_str(&format!("?as-of={as_of}"));
    let key_type = args.key_type.map(|kind| match kind {
        KeyType::Json => "json".to_owned(),
        KeyType::Text => "text".to_owned(),
    });
    let limit = args.limit.map(|limit| limit.to_string());
    let (from, to) = (args.from.clone(), args.to.clone());
    for (name, value) in [
        ("from", from),
        ("to", to),
        ("limit", limit),
        ("key-type", key_type),
    ] {
        if let Some(value) = value {
            path.push_str(&format!("&{name}={}", segment(&value)));
        }
    }
    path
}
