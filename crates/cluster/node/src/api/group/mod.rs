//! What a node says of its group, without the leader: who leads and led, its records, what changes,
//! and what pages ask first. `incumbent ui` serves these routes for any group, without a cluster.

mod events;
mod features;
mod leadership;
mod records;
mod session;

use std::sync::Arc;

use axum::routing::{delete, get, post};
use incumbent::Group;
use tokio::sync::Semaphore;
use utoipa::openapi::HttpMethod::{Delete, Get, Post};
use utoipa::openapi::schema::Type;

pub use events::{ASKING, LONGEST_STREAM, LeaderNow, LeaderState, MOST_LISTENERS};
pub use features::{FeatureKind, Features};
pub use leadership::{LeadershipStory, RootView};
pub use records::{MOST_NAMES, MOST_READS, RecordNames, RecordView, USUAL_NAMES};
pub use session::{LogIn, Session};

pub(in crate::api) use events::Source;
pub(crate) use leadership::Seen;

use super::route::Route;
use crate::security::{self, Access};

/// A group, as one node sees it.
pub(crate) struct OfGroup {
    kind: FeatureKind,
    group: Group,
    access: Access,
    is_tls: bool,
    /// What to ask the leader for those who listen.
    source: Option<Arc<dyn Source>>,
    hub: events::Hub,
    /// Permits to listen.
    listeners: Arc<Semaphore>,
    /// Permits to read records for somebody.
    reads: Semaphore,
    /// The changes that this process has seen, where no record tells them.
    seen: Option<Seen>,
}

impl OfGroup {
    /// The group of a cluster.
    pub(super) fn of_cluster(node: &crate::Node, source: Arc<dyn Source>) -> Self {
        Self {
            source: Some(source),
            ..Self::new(
                FeatureKind::Cluster,
                node.group().clone(),
                Access::of(node),
                node.is_tls(),
            )
        }
    }

    /// Any group.
    pub(crate) fn alone(group: Group, access: Access, seen: Seen) -> Self {
        Self {
            seen: Some(seen),
            ..Self::new(FeatureKind::Group, group, access, false)
        }
    }

    fn new(kind: FeatureKind, group: Group, access: Access, is_tls: bool) -> Self {
        Self {
            kind,
            group,
            access,
            is_tls,
            source: None,
            hub: events::Hub::default(),
            listeners: Arc::new(Semaphore::new(MOST_LISTENERS)),
            reads: Semaphore::new(MOST_READS),
            seen: None,
        }
    }
}

pub(crate) fn routes() -> Vec<Route<Arc<OfGroup>>> {
    let no_store = (
        503,
        "The store does not answer, or too much is read at a time",
    );
    vec![
        Route::new(&[Get], "/v1/events", get(events::listen), "events", "What changes, as server-sent events")
            .says(
                "`leader` at once, as this node sees it, also if nobody leads; `overview` (as /v1/overview has it) once \
                 a second at most; `jobs` and `nodes` when those lists are to be read again. The first events are the \
                 present state. The stream ends after an hour: open it again.",
            )
            .gives_lines::<LeaderNow>(200, "text/event-stream", "Events; the data of `leader` is this, as JSON")
            .fails(&[(503, "As many listeners as there may be")]),
        Route::new(&[Get], "/v1/leadership", get(leadership::story), "show_leadership", "Who leads, and who led before")
            .says("The changes are of the record `leadership`, which each leader writes once it is active; the newest first.")
            .answers::<LeadershipStory>(200, "The story")
            .fails(&[no_store]),
        Route::new(&[Get], "/v1/records", get(records::list), "list_records", "The names of the records of the group")
            .query("prefix", Type::String, "Only names that begin so")
            .query("after", Type::String, "`next` of the page before")
            .query("limit", Type::Integer, "Most names on the page: 1 to 1000, usually 100")
            .answers::<RecordNames>(200, "A page of names, in order")
            .fails(&[no_store]),
        Route::new(&[Get], "/v1/records/{*name}", get(records::show), "show_record", "A record, as JSON")
            .says("For reading only. What looks like a secret is left out, and `hidden` says where it was.")
            .answers::<RecordView>(200, "The record")
            .fails(&[(404, "No such record, or it was deleted"), (500, "The record is damaged"), no_store]),
        Route::new(&[Get], security::FEATURES, get(features::show), "features", "What this node offers to pages")
            .says("Also to those who have no token.")
            .answers::<Features>(200, "What there is to see"),
        Route::new(&[Post], security::SESSION, post(session::log_in), "log_in", "Begin a session of a browser")
            .says("The answer sets a cookie, which any node of the cluster takes in place of the token. No script can read it.")
            .takes::<LogIn>("The token")
            .answers::<Session>(200, "The session")
            .fails(&[(401, "That is not the token"), (409, "The node asks for no token")]),
        Route::new(&[Delete], security::SESSION, delete(session::log_out), "log_out", "End the session of this browser")
            .gives(204, &[], "The cookie is gone"),
    ]
}
