//! The program `incumbent`: keeps one instance of any program running, and shows who leads.
//!
//! A folder for each thing that people do: `run`, `sidecar`, `role`, `look`, `records`, `operate`,
//! `gateway`, `serve`, `cluster`, `shell`. Below them is what all of them use: `settings` (flags),
//! `store` (opening it), `show` (standard output), `diagnostics` (standard error), `exit` (codes
//! and errors). Start reading in `command_line/cli.rs`, then `run/mod.rs`.

mod cluster;
mod command_line;
mod descriptors;
mod diagnostics;
mod exit;
mod flink;
mod gateway;
mod http;
mod listening;
mod look;
mod operate;
mod records;
mod role;
mod run;
mod serve;
mod settings;
mod shell;
mod show;
mod sidecar;
mod signals;
mod status_server;
mod store;

use std::process::ExitCode;

use command_line::{Cli, Command, Parsed};
use exit::Failure;
use tokio::runtime::Runtime;

fn main() -> ExitCode {
    // As the guard of a command, or the shim that becomes the command, this is another program.
    if let Some(code) = incumbent_guard::intercept() {
        return code;
    }
    diagnostics::begin();
    let code = start().unwrap_or_else(|failure| {
        diagnostics::say_error(&failure.message());
        failure.exit_code()
    });
    diagnostics::finish();
    code
}

fn start() -> Result<ExitCode, Failure> {
    let Cli { common, command } = match command_line::parse()? {
        Parsed::Run(cli) => *cli,
        Parsed::Answered(code) => return Ok(code),
    };
    let usual = match command {
        Command::Run(_) | Command::Sidecar(_) | Command::Serve(_) | Command::Gateway(_) => "info",
        Command::Up(_) | Command::JobManager(_) | Command::TaskManager(_) => cluster::USUAL_LOG,
        // The screen is not to be written over.
        Command::Top(_) => "off",
        _ => "warn",
    };
    let access = match &command {
        Command::Gateway(args) => args.access_log,
        _ => gateway::AccessLog::Off,
    };
    let access_log = gateway::access_log::Log::new(access)?;
    diagnostics::logging::init(&common, usual, access_log.layer())?;
    let runtime =
        runtime(&command).map_err(|cause| Failure::new("cannot start threads").because(cause))?;
    {
        let _inside = runtime.enter();
        signals::heed_file_limit()
            .map_err(|cause| Failure::new("cannot listen for signals").because(cause))?;
    }
    let code = runtime.block_on(async {
        match command {
            Command::Run(args) => run::run(&common, *args).await,
            Command::Sidecar(args) => sidecar::sidecar(&common, *args).await,
            Command::Role(args) => role::role(args).await,
            Command::Observe(args) => look::observe(&common, args).await,
            Command::Status(args) => look::status(&common, args).await,
            Command::Ui(args) => look::ui(&common, args).await,
            Command::Resign(args) => operate::resign(&common, args).await,
            Command::Records(args) => records::records(&common, args).await,
            Command::Purge(args) => operate::purge(&common, args).await,
            Command::Flink(args) => flink::flink(args).await,
            Command::Gateway(args) => gateway::gateway(&common, *args).await,
            Command::Serve(args) => serve::serve(*args).await,
            Command::Up(args) => cluster::up(&common, *args).await,
            Command::JobManager(args) => Box::pin(cluster::job_manager(&common, *args)).await,
            Command::TaskManager(args) => Box::pin(cluster::task_manager(&common, *args)).await,
            Command::Job(args) => Box::pin(cluster::job(*args)).await,
            Command::Top(args) => cluster::top(*args).await,
            Command::Node(args) => cluster::node(*args).await,
            Command::Savepoint(args) => cluster::savepoint(*args).await,
            Command::Completions(args) => shell::completions(&args, command_line::command()),
            Command::Man => shell::man(command_line::command()),
        }
    });
    // Nobody waits for the tasks that still run.
    runtime.shutdown_background();
    access_log.finish();
    code
}

fn runtime(command: &Command) -> std::io::Result<Runtime> {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    if matches!(command, Command::Serve(_)) {
        // One processor is left for the journal, and for clients on this machine.
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        runtime.worker_threads(processors.saturating_sub(1).max(1));
    }
    runtime.enable_all().build()
}
