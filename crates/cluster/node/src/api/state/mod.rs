//! The state of a job: a key, a range of keys, or the names of all states; as it is in its tasks
//! (`live.rs`), or as its newest checkpoint has it (`stored.rs`).

mod key;
mod live;
mod records;
mod stored;

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, Request, State};
use axum::http::StatusCode;
use incumbent_cluster_core::JobId;
use incumbent_state::compare_json;
use serde::Deserialize;
use serde_json::Value;

use super::Api;
use super::locate::Asker;
use super::problem::Problem;
use super::types::{AsOf, StateEntry, StateNames, StateRange, StateValue};
use crate::query::{KeyRange, Question, Refusal};
use key::{KeyType, LONGEST, key_of, other_key_of};
use live::Told;

/// Most entries of a range.
pub const MOST_ENTRIES: usize = 1000;

/// Entries of a range if nothing is said.
pub const USUAL_ENTRIES: usize = 100;

/// How to ask for what is stored, on the command line and by HTTP.
const AS_OF_CHECKPOINT: &str = "--as-of checkpoint (by HTTP ?as-of=checkpoint)";

/// How to ask the tasks, on the command line and by HTTP.
const AS_OF_LIVE: &str = "--as-of live (by HTTP ?as-of=live)";

/// What queries of state share.
#[derive(Default)]
pub(super) struct States {
    pub(super) records: records::Records,
    stored: stored::Checkpoints,
}

/// What may be said besides the path.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Asking {
    #[serde(default)]
    as_of: AsOf,
    key_type: Option<KeyType>,
    from: Option<String>,
    to: Option<String>,
    limit: Option<usize>,
}

pub(super) async fn value(
    State(api): State<Arc<Api>>,
    Path((job, state, text)): Path<(String, String, String)>,
    Query(asking): Query<Asking>,
    request: Request,
) -> Result<Json<StateValue>, Problem> {
    check_name(&state)?;
    let key = key_of(&text, asking.key_type)?;
    let id = api
        .state
        .records
        .id_of(&api, &job, Asker::of(&request))
        .await?;
    if asking.as_of == AsOf::Checkpoint {
        let other = other_key_of(&text, asking.key_type, &key);
        return stored::value(&api, id, &state, key, other).await.map(Json);
    }
    let found = live_value(&api, id, &state, key.clone()).await;
    let is_bad = |problem: &Problem| matches!(problem.name(), "bad-key" | "no-such-key");
    let other = other_key_of(&text, asking.key_type, &key);
    match (found, other) {
        // The keys may be strings that look like something else.
        (Err(problem), Some(other)) if is_bad(&problem) => {
            let found = live_value(&api, id, &state, other).await;
            // Of two reasons, the one of the form that the state could have.
            found.map(Json).map_err(|other| match problem.name() {
                "bad-key" => other,
                _ => problem,
            })
        }
        (found, _) => found.map(Json),
    }
}

async fn live_value(
    api: &Arc<Api>,
    id: JobId,
    state: &str,
    key: Value,
) -> Result<StateValue, Problem> {
    let question = Question::Key {
        state: state.to_owned(),
        key: key.clone(),
    };
    let Told { answers, attempt } = answered(live::ask(api, id, &question).await?, state)?;
    let mut found = answers.into_iter().flat_map(|(rank, answer)| {
        let entries = answer.entries.into_iter();
        entries.map(move |entry| (rank, entry))
    });
    let (rank, entry) = found.next().ok_or_else(|| no_such_key(state, &key))?;
    Ok(StateValue {
        state: state.to_owned(),
        key: entry.key,
        value: entry.value,
        rank,
        as_of: AsOf::Live,
        attempt,
        checkpoint: None,
    })
}

pub(super) async fn range(
    State(api): State<Arc<Api>>,
    Path((job, state)): Path<(String, String)>,
    Query(asking): Query<Asking>,
    request: Request,
) -> Result<Json<StateRange>, Problem> {
    check_name(&state)?;
    let limit = asking.limit.unwrap_or(USUAL_ENTRIES);
    if !(1..=MOST_ENTRIES).contains(&limit) {
        let detail = format!("limit is {limit}; it must be 1 to {MOST_ENTRIES}.");
        return Err(Problem::bad_request(detail));
    }
    let bound = |text: &Option<String>| {
        let text = text.as_ref();
        text.map(|text| key_of(text, asking.key_type)).transpose()
    };
    let range = KeyRange {
        from: bound(&asking.from)?,
        to: bound(&asking.to)?,
        limit,
    };
    let id = api
        .state
        .records
        .id_of(&api, &job, Asker::of(&request))
        .await?;
    if asking.as_of == AsOf::Checkpoint {
        return stored::range(&api, id, &state, range).await.map(Json);
    }
    let question = Question::Range {
        state: state.clone(),
        range,
    };
    let Told { answers, attempt } = answered(live::ask(&api, id, &question).await?, &state)?;
    let mut more = answers.iter().any(|(_, answer)| answer.more);
    let entries = answers.into_iter().flat_map(|(rank, answer)| {
        let entries = answer.entries.into_iter();
        entries.map(move |entry| StateEntry {
            key: entry.key,
            value: entry.value,
            rank,
        })
    });
    let mut entries: Vec<_> = entries.collect();
    entries.sort_by(|a, b| compare_json(&a.key, &b.key));
    more |= entries.len() > limit;
    entries.truncate(limit);
    Ok(Json(StateRange {
        state,
        entries,
        more,
        as_of: AsOf::Live,
        attempt,
        checkpoint: None,
    }))
}

pub(super) async fn names(
    State(api): State<Arc<Api>>,
    Path(job): Path<String>,
    Query(asking): Query<Asking>,
    request: Request,
) -> Result<Json<StateNames>, Problem> {
    let id = api
        .state
        .records
        .id_of(&api, &job, Asker::of(&request))
        .await?;
    if asking.as_of == AsOf::Checkpoint {
        return stored::names(&api, id).await.map(Json);
    }
    let question = Question::List { list: true };
    let Told { answers, attempt } = answered(live::ask(&api, id, &question).await?, "")?;
    let names = answers.into_iter().flat_map(|(_, answer)| answer.states);
    let mut states: Vec<String> = names.collect();
    states.sort_unstable();
    states.dedup();
    Ok(Json(StateNames {
        states,
        as_of: AsOf::Live,
        attempt,
        checkpoint: None,
    }))
}

/// What was answered, unless a rank refuses.
fn answered(told: Told, state: &str) -> Result<Told, Problem> {
    let refused = told.answers.iter().find_map(|(rank, answer)| {
        let refusal = answer.refused?;
        let detail = answer.detail.as_deref().unwrap_or("it says nothing more");
        Some(match refusal {
            Refusal::UnknownState => unknown_state(state, &answer.states),
            Refusal::BadKey => {
                let detail = format!("State {state:?} has no such keys: {detail}.");
                let status = StatusCode::BAD_REQUEST;
                Problem::new(status, "bad-key", "The key does not fit the state", detail)
            }
            Refusal::NotNow => {
                let detail = format!("Rank {rank} cannot answer now: {detail}. Ask again.");
                Problem::unavailable("not-now", "It cannot be answered now", detail)
            }
        })
    });
    refused.map_or(Ok(told), Err)
}

fn unknown_state(state: &str, names: &[String]) -> Problem {
    let known = match names {
        [] => "It has none.".to_owned(),
        names => format!("It has {}.", names.join(", ")),
    };
    let detail = format!("The job has no state {state:?}. {known}");
    Problem::new(
        StatusCode::NOT_FOUND,
        "unknown-state",
        "There is no such state",
        detail,
    )
}

fn no_such_key(state: &str, key: &Value) -> Problem {
    let detail = format!(
        "State {state:?} has no key {key}. Keys are JSON: --key-type text (by HTTP \
         ?key-type=text) says that it is a string as it stands."
    );
    Problem::new(
        StatusCode::NOT_FOUND,
        "no-such-key",
        "There is no such key",
        detail,
    )
}

fn check_name(state: &str) -> Result<(), Problem> {
    match state.len() <= LONGEST {
        true => Ok(()),
        false => Err(Problem::bad_request(format!(
            "The name of the state has more than {LONGEST} bytes."
        ))),
    }
}
