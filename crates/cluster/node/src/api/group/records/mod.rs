//! The records of a group, for reading: `/v1/records`.

mod hide;

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use incumbent::RecordName;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::OfGroup;
use crate::api::problem::Problem;
use hide::hidden;

/// Most names on a page.
pub const MOST_NAMES: usize = 1000;

/// Names on a page if nothing is said.
pub const USUAL_NAMES: usize = 100;

/// Lists and records that are read for others at a time: each list asks the store for all names.
pub const MOST_READS: usize = 4;

/// A page of names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RecordNames {
    /// The names, in order. Some may be of records that were deleted.
    pub names: Vec<String>,
    /// How many names there are that begin so.
    pub total: usize,
    /// What to give as `after` for the next page; `null` if this is the last.
    pub next: Option<String>,
}

/// A record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RecordView {
    /// Its name.
    pub name: String,
    /// The epoch of the leader that wrote or sealed it last; 0 if none has.
    pub epoch: u64,
    /// What tells this write from any other.
    pub stamp: String,
    /// What is in it: any JSON.
    #[schema(value_type = Object)]
    pub data: serde_json::Value,
    /// Where something was left out, as in `/secret`.
    pub hidden: Vec<String>,
}

#[derive(Deserialize)]
pub(super) struct Page {
    #[serde(default)]
    prefix: String,
    after: Option<String>,
    limit: Option<usize>,
}

pub(super) async fn list(
    State(of): State<Arc<OfGroup>>,
    Query(page): Query<Page>,
) -> Result<Json<RecordNames>, Problem> {
    let limit = page.limit.unwrap_or(USUAL_NAMES);
    if !(1..=MOST_NAMES).contains(&limit) {
        let detail = format!("limit is {limit}; it must be 1 to {MOST_NAMES}.");
        return Err(Problem::bad_request(detail));
    }
    let _permit = permit(&of)?;
    let names = of.group.records().await;
    let names = names.map_err(|error| Problem::of_group(&error, "the list of records"))?;
    let mut names: Vec<String> = names.iter().map(ToString::to_string).collect();
    names.retain(|name| name.starts_with(&page.prefix));
    let total = names.len();
    if let Some(after) = page.after {
        names.retain(|name| *name > after);
    }
    let next = names.get(limit).map(|_| names[limit - 1].clone());
    names.truncate(limit);
    Ok(Json(RecordNames { names, total, next }))
}

pub(super) async fn show(
    State(of): State<Arc<OfGroup>>,
    Path(name): Path<String>,
) -> Result<Json<RecordView>, Problem> {
    let name: RecordName = (name.parse()).map_err(|why| {
        Problem::bad_request(format!("{name:?} is not the name of a record: {why}."))
    })?;
    let _permit = permit(&of)?;
    let found = of.group.read::<serde_json::Value>(&name).await;
    let found = found.map_err(|error| Problem::of_group(&error, &format!("the record {name}")))?;
    let Some(found) = found else {
        return Err(Problem::not_found(format!(
            "There is no record {name}, or it was deleted."
        )));
    };
    let (data, hidden) = hidden(&name, found.data);
    Ok(Json(RecordView {
        name: name.to_string(),
        epoch: found.stamp.epoch().get(),
        stamp: found.stamp.to_string(),
        data,
        hidden,
    }))
}

fn permit(of: &OfGroup) -> Result<tokio::sync::SemaphorePermit<'_>, Problem> {
    let permit = of.reads.try_acquire();
    permit.map_err(|_| Problem::too_many("reads of records", MOST_READS))
}
