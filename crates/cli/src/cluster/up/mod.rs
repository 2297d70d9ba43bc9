//! `incumbent up`: a whole cluster on one machine.
//!
//! ```text
//!   up ── lock of the directory
//!    ├── front: answers /v1 on --listen by passing on; no part of the cluster
//!    └── keep ×N: job-manager, task-manager; started again when they end, killed when up ends
//! ```
//!
//! `up` decides nothing about jobs: children find each other by the store, as on many machines.

mod args;
mod child;
mod children;
mod front;
mod lock;

use std::process::ExitCode;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::sync::watch;

use super::places::Places;
use crate::exit::Failure;
use crate::settings::{Common, LogFormat};
use crate::show;
use crate::signals::Signals;
pub(crate) use args::UpArgs;
use child::{Stage, keep};
use children::{Kind, children};
use lock::Lock;

/// How long TaskManagers may take to end before they are killed: they give their tasks 5 s, and the
/// ends of their logs 5 s more.
const TASKS_END: Duration = Duration::from_secs(20);

/// How long JobManagers may take to end.
const MANAGERS_END: Duration = Duration::from_secs(10);

pub(crate) async fn up(common: &Common, args: UpArgs) -> Result<ExitCode, Failure> {
    let mut signals =
        Signals::new().map_err(|cause| Failure::new("cannot listen for signals").because(cause))?;
    let places = Places::new(args.dir.as_deref())?;
    let mut lock = Lock::take(&places)?;
    let children = children(common, &args, &places)?;
    let exe = std::env::current_exe()
        .map_err(|cause| Failure::new("cannot find this program").because(cause))?;
    let front = front::Front::bind(common, &args, &places).await?;
    lock.note(front.url())
        .map_err(|cause| Failure::new("cannot write to the directory").because(cause))?;
    announce(&args, &front, &places).await?;

    let is_text = matches!(common.log_format, LogFormat::Text);
    let (stage, stages) = watch::channel(Stage::Run);
    // All in this task, which the main thread polls: see `keep`.
    let kept = |kind: Kind| {
        let of_kind = children.iter().filter(move |child| child.kind == kind);
        let kept = of_kind.map(|child| keep(exe.as_os_str(), child, is_text, stages.clone()));
        kept.collect::<FuturesUnordered<_>>()
    };
    let (mut task_managers, mut job_managers) = (kept(Kind::TaskManager), kept(Kind::JobManager));
    let serving = front.serve();
    let mut serving = std::pin::pin!(serving);
    let outcome = tokio::select! {
        () = signals.end() => Ok(ExitCode::SUCCESS),
        () = driven(&mut task_managers) => Ok(ExitCode::SUCCESS),
        () = driven(&mut job_managers) => Ok(ExitCode::SUCCESS),
        failure = &mut serving => Err(failure),
    };
    tracing::info!("ending the tasks, then everything else; a second signal ends all at once");
    // JobManagers go on meanwhile: they write down how the tasks end.
    let ended = async {
        let _ = stage.send(Stage::EndTaskManagers);
        tokio::select! {
            () = all(&mut task_managers) => {}
            () = driven(&mut job_managers) => {}
            () = tokio::time::sleep(TASKS_END) => {}
        }
        let _ = stage.send(Stage::EndAll);
        tokio::select! {
            () = all(&mut job_managers) => {}
            () = tokio::time::sleep(MANAGERS_END) => {}
        }
    };
    tokio::select! {
        () = ended => {}
        () = signals.end() => {}
    }
    let _ = stage.send(Stage::Kill);
    tokio::join!(all(&mut task_managers), all(&mut job_managers));
    tracing::info!("everything has ended; jobs go on with the next `incumbent up`");
    outcome
}

/// Keeps them running, beside something else.
async fn driven<F: Future<Output = ()>>(kept: &mut FuturesUnordered<F>) {
    all(kept).await;
    std::future::pending().await
}

/// Waits until all of them have ended.
async fn all<F: Future<Output = ()>>(kept: &mut FuturesUnordered<F>) {
    while kept.next().await.is_some() {}
}

/// Prints what runs where, and what to do next.
async fn announce(args: &UpArgs, front: &front::Front, places: &Places) -> Result<(), Failure> {
    let url = front.url().to_owned();
    show::announce(url.clone()).await?;
    let flag = if url == super::client::USUAL {
        String::new()
    } else {
        format!(" --cluster {url}")
    };
    let token = if args.token.token_file.is_some() {
        " --token-file FILE"
    } else {
        ""
    };
    show::announce(format!(
        "\
runs     {} JobManagers, {} TaskManagers with {} slots each: incumbent node ls{flag}{token}
keeps    {}
submit   incumbent job run{flag}{token} --name hello --tasks 2 -- sh -c 'while :; do date; sleep 1; done'
stop     Ctrl-C",
        args.job_managers,
        args.task_managers,
        args.slots,
        places.dir.display(),
    ))
    .await
}
