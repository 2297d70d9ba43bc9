//! `/jobs/:id/resource-requirements`: how many tasks it has, and shall have. Pure.

use std::collections::BTreeMap;

use incumbent_cluster_core::view::JobView;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::errors::Failure;
use crate::plan::vertex_id;
use crate::state;

/// By vertex.
pub(crate) type Wanted = BTreeMap<String, OfVertex>;

#[derive(Debug, Deserialize)]
pub(crate) struct OfVertex {
    parallelism: Bounds,
}

#[derive(Debug, Deserialize)]
struct Bounds {
    #[serde(rename = "lowerBound", default = "one")]
    lower: i64,
    #[serde(rename = "upperBound")]
    upper: i64,
}

fn one() -> i64 {
    1
}

/// What it has. A gang has all its tasks or none, so the bounds are the same.
pub(crate) fn shown(job: &JobView) -> Value {
    let tasks = state::tasks(job);
    json!({ vertex_id(job): { "parallelism": { "lowerBound": tasks, "upperBound": tasks } } })
}

/// How many tasks are wanted: the upper bound, as all of them or none get slots.
pub(crate) fn tasks(job: &JobView, wanted: &Wanted) -> Result<i64, Failure> {
    let id = vertex_id(job);
    let only = match (wanted.len(), wanted.iter().next()) {
        (1, Some((vertex, bounds))) if vertex.eq_ignore_ascii_case(id) => bounds,
        _ => {
            return Err(Failure::bad_request(format!(
                "The requirements must be of the one vertex that the job has, {id}."
            )));
        }
    };
    let Bounds { lower, upper } = only.parallelism;
    if lower < 1 || upper < lower {
        return Err(Failure::bad_request(format!(
            "The bounds of the parallelism are {lower} and {upper}: the lower one must be at least 1, and not above the \
             upper one."
        )));
    }
    Ok(upper)
}
