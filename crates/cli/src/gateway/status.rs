//! What `/readyz` says about a gateway.

use std::net::SocketAddr;
use std::sync::Arc;

use serde_json::json;

use crate::exit::Failure;
use crate::status_server::{self, StatusServer};

/// How a gateway is, in either mode.
pub(super) struct GatewayStatus {
    pub(super) leader: &'static str,
    pub(super) held: usize,
    pub(super) connections: usize,
}

/// Serves the status on this address, if there is one.
pub(super) async fn serve(
    listen: Option<SocketAddr>,
    status: impl Fn() -> GatewayStatus + Send + Sync + 'static,
) -> Result<Option<StatusServer>, Failure> {
    let Some(listen) = listen else {
        return Ok(None);
    };
    let readiness: status_server::Readiness = Arc::new(move || {
        let GatewayStatus {
            leader,
            held,
            connections,
        } = status();
        let report = json!({
            "role": "gateway", "upstream": leader,
            "held": held, "connections": connections,
        });
        // A gateway without a leader stays ready: it holds requests.
        (true, report)
    });
    let server = status_server::start(listen, readiness, status_server::USUAL).await?;
    Ok(Some(server))
}
