//! `incumbent run`: campaigns, and runs a command while it leads.
//!
//! ```text
//!   standing by ──granted──► office (API, guard, command) ──► ready: endpoints published, active
//!        ▲                        │ command exits ─► resign, pass on its code (or start it again)
//!        │                        │ SIGTERM ───────► end the command, resign, exit
//!        └── lost, asked to hand over, not ready ──► end the command, resign
//! ```
//!
//! The guard (crate `incumbent-guard`) is a process of its own that ends the command even if this
//! one is killed or stopped. `tenure.rs` is one term from beginning to end, `ready.rs` says when
//! the command is ready.

mod ready;
mod tenure;

use std::process::ExitCode;

use incumbent::{Liveness, Options};

use crate::args::{Common, RunArgs};
use crate::exit::Failure;
use crate::signals::Signals;
use crate::{place, watch_server};
use tenure::{End, Tenure};

pub(crate) async fn run(common: &Common, args: RunArgs) -> Result<ExitCode, Failure> {
    let outcome = campaign(common, &args).await;
    outcome.map_err(Failure::of_run)
}

async fn campaign(common: &Common, args: &RunArgs) -> Result<ExitCode, Failure> {
    let mut signals =
        Signals::new().map_err(|cause| Failure::new("cannot listen to signals").because(cause))?;
    let options = Options {
        liveness: liveness(args),
        ..place::options(common)?
    };
    let store = place::store(common).await?;
    let address = place::address(common)?;
    let group = store.group_with(&common.group, options)?;
    let candidate = group.candidate()?;
    let watch = match args.status_listen {
        Some(listen) => {
            let readiness = watch_server::node(&group);
            Some(watch_server::start(listen, readiness, watch_server::OF_NODE).await?)
        }
        None => None,
    };
    tracing::info!(address = store.address(), group = %group.name(), node = %group.holder(), "campaigning");
    loop {
        let leadership = tokio::select! {
            leadership = candidate.campaign() => leadership,
            () = signals.end() => {
                tracing::info!(node = %group.holder(), "ended while standing by");
                drop((candidate, watch));
                group.close().await;
                return Ok(ExitCode::SUCCESS);
            }
        };
        let end = Tenure::new(args, &address, leadership)
            .serve(&mut signals)
            .await?;
        match end {
            End::Exited(exit) => return Ok(ExitCode::from(exit.exit_code())),
            End::StandBy => {}
        }
    }
}

fn liveness(args: &RunArgs) -> Liveness {
    if args.no_liveness {
        return Liveness::Off;
    }
    match (args.liveness_listen, &args.liveness_address) {
        (None, None) => Liveness::Default,
        (listen, advertise) => Liveness::On {
            listen: listen.unwrap_or_else(|| ([0, 0, 0, 0], 0).into()),
            advertise: advertise.clone(),
        },
    }
}
