//! `incumbent gateway --tcp`: connections of any protocol.

use std::process::ExitCode;
use std::sync::Arc;

use incumbent_gateway::{TcpGateway, describe_tcp_metrics};
use serde_json::json;

use super::{DESCRIPTORS, GatewayArgs, announce, bind};
use crate::exit::Failure;
use crate::settings::Common;
use crate::signals::Signals;
use crate::{descriptors, status_server, store};

pub(super) async fn pass_on(
    common: &Common,
    args: &GatewayArgs,
    signals: &mut Signals,
) -> Result<ExitCode, Failure> {
    let group = store::group(common).await?;
    let mut options = args.tcp_options();
    let most = descriptors::raise(DESCRIPTORS);
    let limits = &mut options.limits;
    limits.connections = descriptors::fit(limits.connections, most, "--connections");
    let gateway = TcpGateway::new(&group, options);
    let handle = gateway.handle();
    let readiness: status_server::Readiness = Arc::new(move || {
        let status = handle.status();
        let report = json!({
            "role": "gateway", "upstream": status.leader,
            "held": status.held, "connections": status.connections,
        });
        (true, report)
    });
    let _watch = match args.status_listen {
        Some(listen) => {
            let watch = status_server::start(listen, readiness, status_server::USUAL).await?;
            describe_tcp_metrics();
            Some(watch)
        }
        None => None,
    };
    let mut listeners = Vec::new();
    for address in args.plain() {
        let (socket, bound) = bind(*address).await?;
        announce(args, format!("tcp://{bound}")).await?;
        listeners.push(socket);
    }
    gateway.run(listeners, async { signals.end().await }).await;
    tracing::info!("stopped as requested");
    Ok(ExitCode::SUCCESS)
}
