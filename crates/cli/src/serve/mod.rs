//! `incumbent serve`: the leader server.

mod args;

use std::process::ExitCode;
use std::sync::Arc;

use incumbent_leader_server::{Options, Server};
use serde_json::json;

use crate::exit::Failure;
use crate::signals::Signals;
use crate::{descriptors, show, status_server};
pub(crate) use args::ServeArgs;

pub(crate) async fn serve(args: ServeArgs) -> Result<ExitCode, Failure> {
    let mut signals =
        Signals::new().map_err(|cause| Failure::new("cannot listen for signals").because(cause))?;
    let status_listen = args.status_listen;
    let mut options: Options = args.options()?;
    let most = descriptors::raise(1);
    options.max_connections = descriptors::fit(options.max_connections, most, "--max-connections");
    if options.data_dir.is_none() {
        tracing::warn!(
            "serving from memory: everything is lost when this program ends; --data-dir keeps it"
        );
    }
    let server = Server::bind(options)
        .await
        .map_err(|cause| Failure::new("cannot serve").because(cause))?;
    let monitor = server.monitor();
    let readiness: status_server::Readiness = Arc::new(move || {
        let report = monitor.report();
        let summary = report.summary;
        let said = json!({
            "role": "leader server", "zxid": format!("0x{:x}", summary.zxid),
            "sessions": summary.sessions, "nodes": summary.nodes, "connections": report.connections,
        });
        (report.is_serving, said)
    });
    let _watch = match status_listen {
        Some(listen) => Some(status_server::start(listen, readiness, status_server::USUAL).await?),
        None => None,
    };
    for address in server.addresses() {
        tracing::info!(%address, "serving the ZooKeeper protocol");
        show::announce(format!("zookeeper://{address}")).await?;
    }
    if let Some(address) = server.tls_address() {
        tracing::info!(%address, "serving the ZooKeeper protocol with TLS");
        show::announce(format!("zookeeper://{address}?tls=true")).await?;
    }
    server
        .run(async { signals.end().await })
        .await
        .map_err(|cause| Failure::new("the server ended").because(cause))?;
    tracing::info!("stopped on request");
    Ok(ExitCode::SUCCESS)
}
