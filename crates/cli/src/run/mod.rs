//! `incumbent run`: campaigns, and runs a command while it leads.
//!
//! ```text
//!   standing by ──granted──► term (records API, guard, command) ──► ready: endpoints published, active
//!        ▲                        │ command exits ─► resign, exit with its code (or start it again)
//!        │                        │ SIGTERM ───────► end the command, resign, exit
//!        └── lost, asked to hand over, not ready, stopped ──► end the command, resign
//! ```
//!
//! The guard (crate `incumbent-guard`) is a process of its own that ends the command even if this
//! one is killed or stopped. `term.rs` is one term from beginning to end, `ready.rs` waits until
//! the command is ready, `records_api/` is what the command talks to. With
//! `--standby warm` the command runs before the node leads: `warm/`.

mod args;
mod endpoints;
mod ready;
pub(crate) mod records_api;
mod restart;
mod term;
pub(crate) mod warm;

use std::process::ExitCode;
use std::sync::Arc;

use incumbent::backend::{Pace, jitter};
use incumbent::{Candidate, Group, Leadership, Liveness, Options};

use crate::exit::{Code, Failure};
use crate::settings::Common;
use crate::signals::Signals;
use crate::{status_server, store};
pub(crate) use args::{RecordsApi, Restart, RunArgs, Standby};
use term::{End, Term};

pub(crate) async fn run(common: &Common, args: RunArgs) -> Result<ExitCode, Failure> {
    if let Some(why) = args.contradiction() {
        return Err(Failure::new(why).code(Code::Usage));
    }
    let outcome = lead(common, Arc::new(args)).await;
    outcome.map_err(Failure::of_run)
}

async fn lead(common: &Common, args: Arc<RunArgs>) -> Result<ExitCode, Failure> {
    let mut signals =
        Signals::new().map_err(|cause| Failure::new("cannot listen for signals").because(cause))?;
    let options = Options {
        liveness: liveness(&args),
        ..store::options(common)?
    };
    let store = store::open(common).await?;
    let address = store::address(common)?;
    let group = store.group_with(&common.group, options)?;
    let candidate = group.candidate()?;
    let status = match args.status_listen {
        Some(listen) => {
            let readiness = status_server::node(&group);
            Some(status_server::start(listen, readiness, status_server::OF_NODE).await?)
        }
        None => None,
    };
    tracing::info!(address = store.address(), group = %group.name(), node = %group.holder(), "campaigning");
    if args.standby == Standby::Warm {
        let code = warm::lead(args, &address, candidate, &group, &mut signals).await;
        drop(status);
        warm::close(group, &mut signals).await;
        return code;
    }
    let mut pauses = restart::pace();
    while let Some(leadership) = granted(&candidate, &group, &mut signals).await {
        let end = Term::new(&args, &address, leadership)
            .serve(&mut signals)
            .await?;
        match end {
            End::Exited(exit) => return Ok(ExitCode::from(exit.exit_code())),
            End::StandBy => pauses.reset(),
            End::Stopped => {
                if !pause(&mut pauses, &mut signals).await {
                    break;
                }
            }
        }
    }
    drop((candidate, status));
    group.close().await;
    Ok(ExitCode::SUCCESS)
}

/// Stands by until this node leads. `None` if the program is to end.
async fn granted(
    candidate: &Candidate,
    group: &Group,
    signals: &mut Signals,
) -> Option<Leadership> {
    tokio::select! {
        leadership = candidate.campaign() => Some(leadership),
        () = signals.end() => {
            tracing::info!(node = %group.holder(), "ended as asked, while standing by");
            None
        }
    }
}

/// Leaves the leadership to other nodes for a while. Returns false if the program is to end.
async fn pause(pauses: &mut Pace, signals: &mut Signals) -> bool {
    let pause = pauses.after_failure(jitter());
    tracing::info!(?pause, "campaigning again after a pause");
    tokio::select! {
        () = tokio::time::sleep(pause) => true,
        () = signals.end() => false,
    }
}

pub(crate) fn liveness(args: &RunArgs) -> Liveness {
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
