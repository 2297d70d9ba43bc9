//! The program `incumbent`: keeps one instance of any program running, and lets people look.
//!
//! One file per command: parse, wire, run. Start reading in `args.rs`, then `run/mod.rs`.

mod api;
mod args;
mod config;
mod descriptors;
mod diagnostics;
mod exit;
mod flink;
mod gateway;
mod http;
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
use config::Parsed;
use exit::Failure;

fn main() -> ExitCode {
    // As the watchdog of a command, or the shim that becomes it, this is another program
    // altogether.
    if let Some(code) = incumbent_guard::intercept() {
        return code;
    }
    diagnostics::begin();
    let code = start().unwrap_or_else(|failure| {
        diagnostics::say_error(failure.message());
        failure.exit_code()
    });
    diagnostics::finish();
    code
}

fn start() -> Result<ExitCode, Failure> {
    let cli = match config::parse()? {
        Parsed::Run(cli) => *cli,
        Parsed::Answered(code) => return Ok(code),
    };
    let usual = match cli.command {
        Command::Run(_) | Command::Serve(_) | Command::Gateway(_) => "info",
        _ => "warn",
    };
    let access = match &cli.command {
        Command::Gateway(args) => args.access_log,
        _ => gateway::AccessLog::Off,
    };
    let access_log = gateway::access_log::Log::new(access)?;
    diagnostics::logging::init(&cli.common, usual, access_log.layer())?;
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
            Command::Completions(args) => shell::completions(&args),
            Command::Man => shell::man(),
        }
    });
    // What still runs in the background has nobody to tell.
    runtime.shutdown_background();
    access_log.finish();
    code
}
