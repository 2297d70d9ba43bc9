//! One child, kept running.

use std::ffi::OsStr;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use incumbent::backend::{Pace, jitter};
use rustix::process::{Pid, Signal, kill_process};
use std::os::unix::process::ExitStatusExt;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::time::Instant;

use super::children::{ChildSpec, Kind};
use crate::diagnostics;
use crate::show::escape::printable;

/// Pauses before a child is started again. One that was killed by hand is back at once; one that
/// cannot start does not fill the log.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// How far the end of everything has come. Later stages include the earlier ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    /// Everything is kept running.
    Run,
    /// TaskManagers are asked to end: they drain.
    EndTaskManagers,
    /// And JobManagers.
    EndAll,
    /// What still runs is killed.
    Kill,
}

/// Keeps a child running until the stage says otherwise, and then ends it.
///
/// It must be polled by the main thread: the system kills a child when the thread ends that has
/// started it.
pub(super) async fn keep(
    exe: &OsStr,
    spec: &ChildSpec,
    is_text: bool,
    mut stage: watch::Receiver<Stage>,
) {
    let mut pace = Pace::new(FIRST_PAUSE, LONGEST_PAUSE);
    loop {
        let started = Instant::now();
        let pause = match start(exe, spec, is_text) {
            Ok(mut child) => {
                let pid = child.id().unwrap_or_default();
                tracing::info!(node = spec.name, pid, "started");
                tokio::select! {
                    exit = child.wait() => {
                        let how = exit.map_or_else(|cause| cause.to_string(), describe);
                        let pause = pace.after_run(started.elapsed(), jitter());
                        tracing::warn!(node = spec.name, pid, "{how}; starting it again in {pause:.1?}");
                        pause
                    }
                    () = due(spec.kind, &mut stage) => {
                        end(&mut child, spec, &mut stage).await;
                        return;
                    }
                }
            }
            Err(cause) => {
                let pause = pace.after_failure(jitter());
                tracing::error!(node = spec.name, %cause, "cannot be started; retrying in {pause:.1?}");
                pause
            }
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = due(spec.kind, &mut stage) => return,
        }
    }
}

fn start(exe: &OsStr, spec: &ChildSpec, is_text: bool) -> std::io::Result<Child> {
    let mut command = Command::new(exe);
    command
        .args(&spec.args)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // Ctrl-C is for this process, which ends the others in order.
        .process_group(0);
    let mut child = command.spawn()?;
    let prefix = is_text.then(|| format!("{} ", spec.name));
    let log = child.stderr.take().expect("it is piped");
    tokio::spawn(pass_on(log, prefix));
    let out = child.stdout.take().expect("it is piped");
    tokio::spawn(drop_lines(out));
    Ok(child)
}

/// Passes on the log of a child, line by line.
async fn pass_on(log: impl AsyncRead + Unpin, prefix: Option<String>) {
    let prefix = prefix.unwrap_or_default();
    let mut lines = BufReader::new(log).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        diagnostics::say_text(&format!("{prefix}{}\n", printable(&line)));
    }
}

/// Reads what a child announces, so that it never waits for a reader.
async fn drop_lines(out: impl AsyncRead + Unpin) {
    let mut lines = BufReader::new(out).lines();
    while let Ok(Some(_)) = lines.next_line().await {}
}

/// Waits until a child of this kind is to end.
async fn due(kind: Kind, stage: &mut watch::Receiver<Stage>) {
    let due = match kind {
        Kind::TaskManager => Stage::EndTaskManagers,
        Kind::JobManager => Stage::EndAll,
    };
    reached(stage, due).await;
}

async fn reached(stage: &mut watch::Receiver<Stage>, due: Stage) {
    // If nobody holds the sender any more, the program ends.
    let _ = stage.wait_for(|stage| *stage >= due).await;
}

async fn end(child: &mut Child, spec: &ChildSpec, stage: &mut watch::Receiver<Stage>) {
    signal(child, Signal::TERM);
    let exit = tokio::select! {
        exit = child.wait() => exit,
        () = reached(stage, Stage::Kill) => {
            tracing::warn!(node = spec.name, "it has not ended; killing it");
            signal(child, Signal::KILL);
            child.wait().await
        }
    };
    let how = exit.map_or_else(|cause| cause.to_string(), describe);
    tracing::info!(node = spec.name, "{how}, as asked");
}

fn signal(child: &Child, signal: Signal) {
    let pid = child.id().and_then(|pid| Pid::from_raw(pid.cast_signed()));
    if let Some(pid) = pid {
        // It may have just ended.
        let _ = kill_process(pid, signal);
    }
}

fn describe(exit: ExitStatus) -> String {
    match (exit.code(), exit.signal()) {
        (Some(code), _) => format!("exited with {code}"),
        (None, Some(9)) => "was killed (signal 9)".into(),
        (None, Some(signal)) => format!("was ended by signal {signal}"),
        (None, None) => "ended".into(),
    }
}
