//! A runner for the tests: `guard-probe DIR [OPTION…] -- COMMAND ARGS…`. The options:
//!
//! - `apart` as the first one: the command is kept apart, except for its stdout.
//! - `term=MS`, `hard=MS`: deadlines.
//! - `listen`: the guard holds a listener.
//! - `count=N`: this many of the same command.
//! - `leak`: this process has a descriptor that is not closed on exec.
//!
//! It writes the facts that the tests need into files in DIR, and ends as the command does.

use std::error::Error;
use std::fs;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use incumbent_guard::{BootTime, Deadlines, Guarded, Spec, Stream};
use rustix::io::{FdFlags, fcntl_setfd};

/// Exit code for a lost guard. No test command ends with it.
const LOST: u8 = 70;

fn main() -> ExitCode {
    if let Some(code) = incumbent_guard::intercept() {
        return code;
    }
    match tokio::runtime::Runtime::new().and_then(|runtime| runtime.block_on(run())) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("guard-probe: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> std::io::Result<u8> {
    let mut args = std::env::args_os().skip(1);
    let dir = args.next().ok_or(std::io::ErrorKind::InvalidInput)?;
    let dir = Path::new(&dir);
    let mut spec = Spec::new("", Deadlines::NEVER);
    let mut listener = None;
    let mut leaked = None;
    let mut count = 1;
    for option in args.by_ref().take_while(|arg| arg != "--") {
        let option = option.to_string_lossy();
        match option.split_once('=').unwrap_or((&option, "")) {
            ("apart", _) => {
                spec = Spec::apart("");
                spec.stdout = Stream::Inherited;
            }
            ("term", ms) => spec.deadlines.term = moment(dir, "term", ms)?,
            ("hard", ms) => spec.deadlines.hard = moment(dir, "hard", ms)?,
            ("count", number) => count = number.parse().map_err(std::io::Error::other)?,
            ("leak", _) => {
                let file = fs::File::create(dir.join("leaked"))?;
                fcntl_setfd(&file, FdFlags::empty())?;
                leaked = Some(file);
            }
            _ => listener = Some(TcpListener::bind("127.0.0.1:0")?),
        }
    }
    if let Some(listener) = &listener {
        publish(dir, "address", listener.local_addr()?)?;
        spec.liveness = Some(listener.try_clone()?.into());
    }
    spec.program = args.next().ok_or(std::io::ErrorKind::InvalidInput)?;
    spec.args = args.collect();
    let mut specs = Vec::new();
    for _ in 1..count {
        let mut other = Spec::apart(&spec.program);
        other.args.clone_from(&spec.args);
        other.liveness = spec.liveness.as_ref().map(OwnedFd::try_clone).transpose()?;
        specs.push(other);
    }
    specs.push(spec);
    let mut all = Vec::new();
    for spec in specs {
        match Guarded::spawn(spec).await {
            Ok(guarded) => all.push(guarded),
            Err(error) => {
                let cause = error.source().map(|cause| format!(": {cause}"));
                eprintln!("guard-probe: {error}{}", cause.unwrap_or_default());
                return Ok(error.exit_code());
            }
        }
    }
    let pids: Vec<_> = all
        .iter()
        .map(|guarded| guarded.pid().to_string())
        .collect();
    publish(dir, "command", pids.join(" "))?;
    drop(leaked);
    let mut code = 0;
    for guarded in &mut all {
        code = guarded
            .wait()
            .await
            .map_or(LOST, |end| end.exit.exit_code());
    }
    Ok(code)
}

fn moment(dir: &Path, name: &str, ms: &str) -> std::io::Result<BootTime> {
    let after = ms.parse().map_err(std::io::Error::other)?;
    let moment = BootTime::now() + Duration::from_millis(after);
    publish(dir, name, moment.since_boot().as_nanos())?;
    Ok(moment)
}

/// Writes a file that appears as a whole or not at all.
fn publish(dir: &Path, name: &str, value: impl ToString) -> std::io::Result<()> {
    let draft = dir.join(format!("{name}.draft"));
    fs::write(&draft, value.to_string())?;
    fs::rename(draft, dir.join(name))
}
