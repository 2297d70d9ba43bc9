//! `incumbent gateway --tcp`: connections of any protocol.

use std::process::ExitCode;

use incumbent_gateway::{TcpGateway, describe_tcp_metrics};

use super::status::{self, GatewayStatus};
use super::{DESCRIPTORS, GatewayArgs, announce, bind};
use crate::exit::Failure;
use crate::settings::Common;
use crate::signals::Signals;
use crate::{descriptors, store};

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
    let status = move || {
        let status = handle.status();
        GatewayStatus {
            leader: status.leader,
            held: status.held,
            connections: status.connections,
        }
    };
    let _status = status::serve(args.status_listen, status).await?;
    describe_tcp_metrics();
    let mut listeners = Vec::new();
    for address in args.plain() {
        let (socket, bound) = bind(*address).await?;
        announce(args, format!("tcp://{bound}")).await?;
        listeners.push(socket);
    }
    gateway.run(listeners, async { signals.end().await }).await;
    tracing::info!("stopped on request");
    Ok(ExitCode::SUCCESS)
}
