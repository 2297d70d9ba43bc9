//! The process of a task, under its guard.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use incumbent_backend::causes;
use incumbent_cluster_core::message::{Deploy, EndedHow};
use incumbent_cluster_core::{Isolation, Time};
use incumbent_guard::{BootTime, Cause, Deadlines, End, Event, Exit, GuardLost, Guarded, Spec};
use incumbent_guard::{SpawnError, Stream};
use tokio::net::unix::pipe;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::prepare::Prepared;
use super::{NoProcess, Shared, TaskEntry, Wish};
use crate::task_manager::artifacts::Artifact;
use crate::task_manager::log::{LastLines, LogFiles, Pump, pump};

/// After the end of a task, how long its log may take to come out of the pipe. Its guard has closed
/// the other end by then; only if somebody killed the guard may another process hold it.
const LOG_PATIENCE: Duration = Duration::from_secs(2);

/// How much earlier than the isolation timeout a task is asked to end, as a part of the timeout. It
/// has its grace, but never loses more than this to it.
const ASKED_BEFORE: u32 = 10;

/// Exit code of a guard that was lost: nothing is known about the task but that it is gone.
const LOST_SIGNAL: i32 = 9;

/// A process that runs. Dropping it ends the process at once.
#[derive(Debug)]
pub(super) struct Process {
    guarded: Guarded,
    pump: JoinHandle<()>,
    last_lines: Arc<Mutex<LastLines>>,
    grace: Duration,
    /// In use until the task has ended.
    _artifact: Option<Artifact>,
}

/// Starts the process of a task. Returns when it runs.
pub(super) async fn spawn(
    shared: &Shared,
    entry: &TaskEntry,
    deploy: &Deploy,
    prepared: Prepared,
    isolated_at: Option<Time>,
) -> Result<Process, NoProcess> {
    let Prepared {
        program,
        args,
        env,
        work,
        artifact,
    } = prepared;
    let grace = Duration::from_millis(deploy.grace_ms);
    let (reading, stdout, stderr) = output().map_err(|error| unable(&error))?;
    let liveness = shared.liveness.socket().map_err(|error| unable(&error))?;
    let shown = program.to_string_lossy().into_owned();
    let mut spec = Spec::apart(program);
    spec.args = args;
    spec.env = env;
    spec.current_dir = Some(work);
    spec.stdout = Stream::Given(stdout);
    spec.stderr = Stream::Given(stderr);
    spec.executable.clone_from(&shared.executable);
    spec.open_files = shared.open_files;
    spec.liveness = Some(liveness.into());
    spec.deadlines = deadlines(isolated_at, grace, deploy.isolation);
    // Before the process: it may print at once, and say why it could not be started.
    let last_lines = Arc::new(Mutex::new(LastLines::default()));
    let pumping = pump(Pump {
        pipe: reading,
        files: LogFiles::new(entry.log.clone(), shared.log_limits),
        log: entry.log.clone(),
        last_lines: Arc::clone(&last_lines),
    });
    let guarded = match spawn_aside(spec).await? {
        Ok(guarded) => guarded,
        Err(SpawnError::TooLate) => return Err(NoProcess::Isolated),
        Err(error) => return Err(NoProcess::NotStarted(why_not(&shown, &error))),
    };
    Ok(Process {
        guarded,
        pump: tokio::spawn(tracing::Instrument::in_current_span(pumping)),
        last_lines,
        grace,
        _artifact: artifact,
    })
}

/// Starting a process holds up the thread that does it for as long as the system takes to load the
/// guard. A gang of hundreds would hold up all threads of the runtime, and with them heartbeats.
async fn spawn_aside(spec: Spec) -> Result<Result<Guarded, SpawnError>, NoProcess> {
    let runtime = tokio::runtime::Handle::current();
    let spawned = tokio::task::spawn_blocking(move || runtime.block_on(Guarded::spawn(spec)));
    // It is only cut off when the process ends.
    spawned.await.map_err(|_| NoProcess::Ordered)
}

impl Process {
    pub(super) fn pid(&self) -> u32 {
        self.guarded.pid()
    }

    /// Does what is wished, and returns how it ended when everything that it started is gone.
    pub(super) async fn wait(
        mut self,
        mut wish: watch::Receiver<Wish>,
        isolation: Isolation,
    ) -> (EndedHow, Vec<String>) {
        // What was wished while it was being started.
        wish.mark_changed();
        let how = loop {
            tokio::select! {
                event = self.guarded.next_event() => {
                    if let Some(how) = self.understood(event) {
                        break how;
                    }
                }
                Ok(()) = wish.changed() => {
                    let now = *wish.borrow_and_update();
                    self.obey(now, isolation);
                }
            }
        };
        (how, self.last_lines().await)
    }

    fn obey(&self, wish: Wish, isolation: Isolation) {
        let deadlines = deadlines(wish.isolated_at, self.grace, isolation);
        let extended = self.guarded.extend(deadlines);
        let asked = match wish.end {
            Some(grace) => self.guarded.stop(grace),
            None => Ok(()),
        };
        // A guard that is gone has a last event. One that does not read is stopped, and holds what
        // proves its task dead until it is continued.
        if let Err(error) = extended.and(asked) {
            tracing::debug!(%error, "the guard of the task was not told");
        }
    }

    /// How the task ended; `None` if it goes on.
    fn understood(&self, event: Result<Event, GuardLost>) -> Option<EndedHow> {
        match event {
            Ok(Event::Ended(end)) => Some(ended(end)),
            Ok(Event::Stopped { signal }) => {
                tracing::info!(
                    signal,
                    "the task is stopped by a signal, until it is continued"
                );
                None
            }
            Ok(Event::Continued) => None,
            Ok(Event::Lingering { count }) => {
                tracing::warn!(
                    count,
                    "processes of the task cannot be killed; its slot is free when they are gone"
                );
                None
            }
            Err(error) => {
                tracing::error!(
                    error = causes(&error),
                    "the guard of the task was killed; what the task had started in other process \
                     groups may still run"
                );
                Some(EndedHow::Signaled {
                    signal: LOST_SIGNAL,
                })
            }
        }
    }

    /// The last lines that it printed, when its log is complete.
    async fn last_lines(&mut self) -> Vec<String> {
        if tokio::time::timeout(LOG_PATIENCE, &mut self.pump)
            .await
            .is_err()
        {
            tracing::warn!("somebody still holds the output of the task; its log ends here");
            self.pump.abort();
        }
        let last_lines = self.last_lines.lock();
        last_lines.unwrap_or_else(PoisonError::into_inner).lines()
    }
}

/// Stdout and stderr are one pipe, so that the log has their order.
fn output() -> io::Result<(pipe::Receiver, OwnedFd, OwnedFd)> {
    let (reading, writing) = io::pipe()?;
    let again = writing.try_clone()?;
    let reading = pipe::Receiver::from_owned_fd(reading.into())?;
    Ok((reading, writing.into(), again.into()))
}

fn ended(end: End) -> EndedHow {
    match (end.cause, end.exit) {
        (Cause::Own, Exit::Code(code)) => EndedHow::Exited { code },
        (Cause::Own, Exit::Signal(signal)) => EndedHow::Signaled { signal },
        (Cause::Stop, _) => EndedHow::Ordered,
        (Cause::Deadline, _) => EndedHow::Isolated,
    }
}

/// The deadlines of a guard, on the clock that all processes of this machine share (R8).
fn deadlines(isolated_at: Option<Time>, grace: Duration, isolation: Isolation) -> Deadlines {
    let (Some(isolated_at), Isolation::Exclusive { timeout_ms }) = (isolated_at, isolation) else {
        return Deadlines::NEVER;
    };
    let hard = isolated_at.since_origin();
    let timeout = timeout_ms.map_or(Duration::MAX, Duration::from_millis);
    let asked_before = grace.min(timeout / ASKED_BEFORE);
    Deadlines {
        term: BootTime::from_boot(hard.saturating_sub(asked_before)),
        hard: BootTime::from_boot(hard),
    }
}

fn unable(error: &io::Error) -> NoProcess {
    NoProcess::NotStarted(format!(
        "the TaskManager cannot start a process: {error}; it has too many open files, perhaps"
    ))
}

fn why_not(program: &str, error: &SpawnError) -> String {
    let why = causes(error);
    match error {
        SpawnError::NotFound { .. } => format!(
            "there is no program {program:?} on this machine, or its interpreter is missing ({why}); \
             install it, name its whole path, or submit it as the job's artifact"
        ),
        SpawnError::NotExecutable { .. } => {
            format!("{program:?} cannot be executed ({why}); it may lack the right to be executed")
        }
        _ => why,
    }
}
