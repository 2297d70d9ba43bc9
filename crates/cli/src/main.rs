//! The program `incumbent`: keeps one instance of any program running, and lets people look.
//!
//! One file per command: parse, wire, run. Start reading in `args.rs`, then `run/mod.rs`.

mod api;
mod args;
mod config;
mod descriptors;
mod exit;
mod flink;
mod gateway;
mod http;
mod logging;
mod observe;
mod place;
mod purge;
mod records;
mod resign;
mod run;
mod serve;
mod shell;
mod show;
mod signals;
mod status;
mod watch_server;

use std::process::ExitCode;

use args::Command;
use exit::Failure;

fn main() -> ExitCode {
    // As the watchdog of a command, or the shim that becomes it, this is another program
    // altogether.
    if let Some(code) = incumbent_guard::intercept() {
        return code;
    }
    match start() {
        Ok(code) => code,
        Err(failure) => failure.report(),
    }
}

fn start() -> Result<ExitCode, Failure> {
    let cli = config::parse()?;
    let usual = match cli.command {
        Command::Run(_) | Command::Serve(_) | Command::Gateway(_) => "info",
        _ => "warn",
    };
    let access = match &cli.command {
        Command::Gateway(args) => args.access_log,
        _ => gateway::AccessLog::Off,
    };
    let access_log = logging::init(&cli.common, usual, access)?;
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    if matches!(cli.command, Command::Serve(_)) {
        // One processor is for the log, and for the clients that are on this machine.
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        runtime.worker_threads(processors.saturating_sub(1).max(1));
    }
    let runtime = runtime.enable_all().build();
    let runtime = runtime.map_err(|cause| Failure::new("cannot start").because(cause))?;
    let code = runtime.block_on(async {
        match cli.command {
            Command::Run(args) => run::run(&cli.common, args).await,
            Command::Observe(args) => observe::observe(&cli.common, args).await,
            Command::Status(args) => status::status(&cli.common, args).await,
            Command::Resign(args) => resign::resign(&cli.common, args).await,
            Command::Records(args) => records::records(&cli.common, args).await,
            Command::Purge(args) => purge::purge(&cli.common, args).await,
            Command::Flink(args) => flink::flink(args).await,
            Command::Gateway(args) => gateway::gateway(&cli.common, *args).await,
            Command::Serve(args) => serve::serve(args).await,
            Command::Completions(args) => Ok(shell::completions(&args)),
            Command::Man => shell::man(),
        }
    });
    // What still runs in the background has nobody to tell.
    runtime.shutdown_background();
    access_log.finish();
    code
}
