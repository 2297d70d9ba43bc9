//! Who leads, and who led before: `/v1/leadership`.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use incumbent::{Group, Root, TermState, View};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use utoipa::ToSchema;

use super::OfGroup;
use super::events::LeaderNow;
use crate::api::problem::Problem;
use crate::job_manager::{LeaderChange, Ledger, MOST_CHANGES, ledger_record};

/// The story of the leaders of a group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LeadershipStory {
    /// The name of the group.
    pub group: String,
    /// Who leads, as this node sees it.
    pub now: LeaderNow,
    /// The root record as it is stored, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root: Option<RootView>,
    /// Changes of the leader, newest first; at most 100.
    pub changes: Vec<LeaderChange>,
    /// Whether the changes are of the record `leadership`. If not, they are what this process has
    /// seen since it was started.
    pub is_recorded: bool,
}

/// The root record, for people.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RootView {
    /// `activating`, `active` or `released`.
    #[schema(value_type = String)]
    pub state: TermState,
    /// The name of the leader.
    pub holder: String,
    /// Its epoch.
    pub epoch: u64,
    /// When the term began, on the clock of its holder.
    pub since: String,
    /// When the root was written last, on the same clock.
    pub renewed: String,
    /// The lease, in milliseconds.
    pub lease_ms: u64,
    /// Where the leader's services are, by name.
    pub endpoints: BTreeMap<String, String>,
    /// Where it can be seen to live: `host:port`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub liveness: Option<String>,
    /// The candidate that is to lead next, if one was named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preferred: Option<String>,
    /// Whether somebody has asked the leader to hand over.
    pub is_asked_to_hand_over: bool,
}

pub(super) async fn story(
    State(of): State<Arc<OfGroup>>,
) -> Result<Json<LeadershipStory>, Problem> {
    let group = &of.group;
    let root = group.root().await;
    let root = root.map_err(|error| Problem::of_group(&error, "the root record"))?;
    let recorded = group.read::<Ledger>(&ledger_record()).await;
    let recorded = match recorded {
        Ok(found) => found.map(|found| found.data.changes),
        // What somebody else calls `leadership` is no story of ours.
        Err(incumbent::Error::WrongType { .. }) => None,
        Err(error) => return Err(Problem::of_group(&error, "the record `leadership`")),
    };
    let is_recorded = recorded.is_some();
    let seen = || of.seen.as_ref().map(Seen::changes);
    let mut changes = recorded.or_else(seen).unwrap_or_default();
    changes.reverse();
    Ok(Json(LeadershipStory {
        group: group.name().to_string(),
        now: LeaderNow::of(group),
        root: root.map(view),
        changes,
        is_recorded,
    }))
}

fn view(root: Root) -> RootView {
    RootView {
        state: root.state,
        holder: root.holder.to_string(),
        epoch: root.epoch.get(),
        lease_ms: u64::try_from(root.lease().as_millis()).unwrap_or(u64::MAX),
        endpoints: (root.endpoints.iter())
            .map(|(name, address)| (name.to_string(), address.clone()))
            .collect(),
        liveness: root.liveness.map(|liveness| liveness.address),
        preferred: root.preferred.map(|holder| holder.to_string()),
        is_asked_to_hand_over: root.handover.is_some(),
        since: root.since,
        renewed: root.renewed,
    }
}

/// The changes of the leader that a process has seen.
#[derive(Clone, Default)]
pub(crate) struct Seen(Arc<Mutex<VecDeque<LeaderChange>>>);

impl Seen {
    /// Follows who leads, for ever.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing that was seen.
    pub(crate) async fn follow(&self, group: &Group) {
        let mut observer = group.observe();
        let mut nobody_since = None;
        loop {
            match observer.next().await {
                View::Active(leader) => {
                    let last = self.changes().last().map(|change| change.epoch);
                    let epoch = leader.epoch.get();
                    let unled = nobody_since.take().map(|since: Instant| since.elapsed());
                    if last != Some(epoch) {
                        self.push(LeaderChange {
                            epoch,
                            leader: leader.holder.to_string(),
                            address: leader
                                .endpoints
                                .values()
                                .next()
                                .cloned()
                                .unwrap_or_default(),
                            pid: 0,
                            since: leader.since,
                            why: match (last, unled) {
                                (Some(_), _) => "another leader was seen",
                                (None, Some(_)) => "nobody led when this began to look",
                                (None, None) => "it led when this began to look",
                            }
                            .to_owned(),
                            nobody_led_ms: unled.map_or(0, ms),
                        });
                    }
                }
                View::Activating(_) | View::None => {
                    nobody_since.get_or_insert_with(Instant::now);
                }
            }
        }
    }

    /// Oldest first.
    fn changes(&self) -> Vec<LeaderChange> {
        let changes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        changes.iter().cloned().collect()
    }

    fn push(&self, change: LeaderChange) {
        let mut changes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        changes.push_back(change);
        while changes.len() > MOST_CHANGES {
            changes.pop_front();
        }
    }
}

fn ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
