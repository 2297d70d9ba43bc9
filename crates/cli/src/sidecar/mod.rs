//! `incumbent sidecar`: campaigns for an application that runs beside it, and tells it its role.
//!
//! It is `run --standby warm` without a command: the same machine and the same API, on a port that
//! the application asks. What it cannot do is end the application. See `docs/guide/standby.md`.

mod args;
mod routes;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use incumbent::Options;
use tokio::net::TcpListener;

use crate::exit::{Code, Failure};
use crate::listening::cannot_listen;
use crate::run::liveness;
use crate::run::warm::{self, Driver};
use crate::settings::{Common, read_token};
use crate::signals::Signals;
use crate::{show, status_server, store};
pub(crate) use args::SidecarArgs;

/// How long the last answers may take at the end.
const LAST_ANSWERS: Duration = Duration::from_secs(1);

pub(crate) async fn sidecar(common: &Common, args: SidecarArgs) -> Result<ExitCode, Failure> {
    let mut signals =
        Signals::new().map_err(|cause| Failure::new("cannot listen for signals").because(cause))?;
    let token = args.token_file.as_deref().map(read_token).transpose()?;
    if token.is_none() && !args.listen.ip().to_canonical().is_loopback() {
        let why = format!(
            "{} can be reached from other machines: give clients a token (--token-file FILE), or listen on 127.0.0.1, which the \
             containers of a pod share",
            args.listen
        );
        return Err(Failure::new(why).code(Code::Usage));
    }
    let run = args.as_run();
    let holder = common.holder.clone().or_else(args::host_name);
    let options = Options {
        liveness: liveness(&run),
        holder,
        ..store::options(common)?
    };
    let store = store::open(common).await?;
    let group = store.group_with(&common.group, options)?;
    let candidate = group.candidate()?;
    let cannot = |cause| cannot_listen(args.listen, cause);
    let listener = TcpListener::bind(args.listen).await.map_err(cannot)?;
    let bound = listener.local_addr().map_err(cannot)?;
    let driver = Driver::new(Arc::new(run), store::address(common)?, candidate, &group);
    let routes = routes::routes(driver.desk(), status_server::node(&group), token);
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let server = tokio::spawn(async move {
        let serving = axum::serve(listener, routes).with_graceful_shutdown(async {
            let _ = stopped.await;
        });
        if let Err(error) = serving.await {
            tracing::error!(%error, "this sidecar answers no more");
        }
    });
    tracing::info!(address = store.address(), group = %group.name(), node = %group.holder(), listen = %bound, "campaigning for the application beside");
    show::announce(format!("http://{bound}")).await?;
    let code = driver.run(&mut signals).await;
    let _ = stop.send(());
    // What was asked last is answered; who follows the role is not waited for.
    let _ = tokio::time::timeout(LAST_ANSWERS, server).await;
    warm::close(group, &mut signals).await;
    code
}
