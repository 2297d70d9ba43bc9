//! What changes, as server-sent events: `/v1/events`, of any node.
//!
//! ```text
//!   observer ──────► hub.rs ──► one state, the newest ──► a stream for each listener (stream.rs)
//!   the leader, ────►          (watch channel)             writes what differs from what it wrote
//!   once a second
//! ```
//!
//! The node asks the leader once a second for all its listeners together, and only while somebody
//! listens. There is no queue that a slow reader could fill: it misses what is outdated anyway.

mod hub;
mod stream;

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use incumbent::{Group, View};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use hub::ASKING;
pub use stream::{LONGEST_STREAM, MOST_LISTENERS};

pub(super) use hub::Hub;
pub(in crate::api) use hub::Source;

use super::OfGroup;
use crate::api::problem::Problem;
use crate::node::ENDPOINT;
use crate::server::Ending;

/// Who leads, as the node that answers sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LeaderNow {
    /// `active`, `activating` or `none`.
    pub state: LeaderState,
    /// What there is to say if no leader is active.
    pub why: String,
    /// The name of the leader.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The epoch of its term.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch: Option<u64>,
    /// When its term began, on its own clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// Where it is reached, as a URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
}

/// Whether somebody leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum LeaderState {
    /// A leader serves.
    Active,
    /// A candidate has won the next term, and prepares to serve.
    Activating,
    /// Nobody leads, or the store does not say who.
    None,
}

impl LeaderNow {
    /// What this node's observer says.
    pub(crate) fn of(group: &Group) -> Self {
        let observer = group.observe();
        let (state, leader, why) = match observer.view() {
            View::Active(leader) => (LeaderState::Active, Some(leader), String::new()),
            View::Activating(leader) => {
                let why = format!("{} is about to lead.", leader.holder);
                (LeaderState::Activating, Some(leader), why)
            }
            View::None => {
                let why = match observer.unreadable() {
                    Some(why) => format!("This node cannot see who leads: {why}."),
                    None => "Nobody leads at the moment.".to_owned(),
                };
                (LeaderState::None, None, why)
            }
        };
        let endpoint = ENDPOINT.parse().ok();
        Self {
            state,
            why,
            name: leader.as_ref().map(|leader| leader.holder.to_string()),
            epoch: leader.as_ref().map(|leader| leader.epoch.get()),
            address: (leader.as_ref().zip(endpoint))
                .and_then(|(leader, endpoint)| leader.endpoints.get(&endpoint).cloned()),
            since: leader.map(|leader| leader.since),
        }
    }
}

pub(super) async fn listen(
    State(of): State<Arc<OfGroup>>,
    request: Request,
) -> Result<Response, Problem> {
    let ending = request.extensions().get::<Ending>().cloned();
    let permit = Arc::clone(&of.listeners).try_acquire_owned();
    let permit = permit.map_err(|_| Problem::too_many("streams of events", MOST_LISTENERS))?;
    let told = of.hub.listen(&of.group, of.source.clone());
    Ok(stream::response(told, ending, permit))
}
