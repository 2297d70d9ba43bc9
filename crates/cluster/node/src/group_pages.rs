//! [`run_group_pages`]: the pages for any group, without a cluster.

use std::sync::Arc;

use axum::Router;
use incumbent::Group;
use tokio::net::TcpListener;

use crate::NodeError;
use crate::api::{OfGroup, Seen, group_router};
use crate::security::{Access, Token};
use crate::server::{ServerError, serve_alone};

/// Serves who leads the group, its endpoints and its records, as pages and under `/v1`, until
/// `shutdown` is done. It never leads, and writes nothing.
///
/// # Errors
///
/// [`NodeError`]: it would tell everybody who reaches it what is in the records, or the token cannot
/// be used.
///
/// # Cancel safety
///
/// Dropping the future ends all connections at once.
pub async fn run_group_pages(
    listener: TcpListener,
    group: Group,
    token: Option<String>,
    shutdown: impl Future<Output = ()>,
) -> Result<(), NodeError> {
    let bound = listener.local_addr().map_err(ServerError::Listen)?;
    let token = token.map(Token::new).transpose();
    let token = token.map_err(ServerError::Token)?;
    let access = Access::new(bound, token).map_err(ServerError::NeedsToken)?;
    let seen = Seen::default();
    let of = OfGroup::alone(group.clone(), access.clone(), seen.clone());
    let routes: Router = group_router(Arc::new(of));
    let serving = serve_alone(listener, access, routes, shutdown);
    tokio::select! {
        () = serving => {}
        () = seen.follow(&group) => {}
    }
    Ok(())
}
