//! `incumbent gateway`: an HTTP reverse proxy that follows the leader.

pub(crate) mod access_log;
mod args;
mod flink;
mod status;
mod tcp;

use std::net::SocketAddr;
use std::process::ExitCode;

use incumbent_gateway::{Gateway, Lanes, Listener, describe_metrics};
use tokio::net::TcpListener;

use crate::exit::{Code, Failure};
use crate::listening::cannot_listen;
use crate::settings::Common;
use crate::signals::Signals;
use crate::{descriptors, show, store};
pub(crate) use args::{AccessLog, GatewayArgs};
use status::GatewayStatus;

/// Descriptors that one connection needs: its own, and that of one to the leader.
const DESCRIPTORS: u64 = 2;

pub(crate) async fn gateway(common: &Common, args: GatewayArgs) -> Result<ExitCode, Failure> {
    let mut signals =
        Signals::new().map_err(|cause| Failure::new("cannot listen to signals").because(cause))?;
    args.check()?;
    if args.tcp {
        return tcp::pass_on(common, &args, &mut signals).await;
    }
    let mut options = args.options().await?;
    let limits = &mut options.limits;
    let most = descriptors::raise(DESCRIPTORS);
    limits.connections = descriptors::fit(limits.connections, most, "--connections");
    // One connection of HTTP/2 carries many requests, and each may need a connection to the leader.
    limits.requests = limits.requests.min(most);
    let made = match &args.flink {
        Some(address) => Gateway::following(flink::views(address, &options)?, options),
        None => Gateway::new(&store::group(common).await?, options),
    };
    let gateway = made.map_err(|cause| {
        Failure::new("cannot use TLS")
            .because(cause)
            .code(Code::Usage)
    })?;
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
    describe_metrics();
    access_log::describe_metrics();
    let mut listeners = Vec::new();
    for address in args.plain() {
        let (socket, bound) = bind(*address).await?;
        announce(&args, format!("http://{bound}")).await?;
        listeners.push(Listener::plain(socket));
    }
    for address in args.secure() {
        let (socket, bound) = bind(*address).await?;
        announce(&args, format!("https://{bound}")).await?;
        listeners.push(Listener::tls(socket));
    }
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let lanes = Lanes::start(processors)
        .map_err(|cause| Failure::new("cannot start threads").because(cause))?;
    let gateway = gateway.on(lanes);
    gateway.run(listeners, async { signals.end().await }).await;
    tracing::info!("stopped on request");
    Ok(ExitCode::SUCCESS)
}

/// Logs where the gateway listens, and prints it unless standard output is the access log: with
/// port 0 only this shows the port.
async fn announce(args: &GatewayArgs, address: String) -> Result<(), Failure> {
    tracing::info!(address, "listening; requests go to the leader");
    if args.access_log == AccessLog::Off {
        show::announce(address).await?;
    }
    Ok(())
}

async fn bind(address: SocketAddr) -> Result<(TcpListener, SocketAddr), Failure> {
    let failed = |cause| cannot_listen(address, cause);
    let socket = TcpListener::bind(address).await.map_err(failed)?;
    let bound = socket.local_addr().map_err(failed)?;
    Ok((socket, bound))
}
