//! What this node offers to pages: they ask before anybody has logged in.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::OfGroup;

/// What a node offers, and whether the one who asks may use it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Features {
    /// What there is to see.
    pub kind: FeatureKind,
    /// Whether the node asks for a token.
    pub needs_token: bool,
    /// Whether this request had it, or a session made with it.
    pub is_allowed: bool,
}

/// What there is to see.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum FeatureKind {
    /// A cluster with jobs.
    Cluster,
    /// A group of an application: who leads, its endpoints and its records.
    Group,
}

pub(super) async fn show(State(of): State<Arc<OfGroup>>, request: Request) -> Json<Features> {
    Json(Features {
        kind: of.kind,
        needs_token: of.access.token().is_some(),
        is_allowed: of.access.allows(&request),
    })
}
