//! The runner's side: starts a guard, and extends the deadlines of the command.

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{
    Pid, Resource, Rlimit, Signal, getrlimit, kill_process_group, prlimit, test_kill_process_group,
};
use tokio::io::Interest;
use tokio::net::UnixStream;
use tokio::process::{Child, Command};
use tokio::signal::unix::{SignalKind, signal};

use crate::wire::{FromGuard, ToGuard};
use crate::{
    Deadlines, Descriptors, End, Event, GUARD, GuardLost, Leash, LeashError, SpawnError, Spec,
    environment, fds, proc, tree,
};

/// How long the command's group is killed after the guard was lost. It normally takes one round.
const MOP_UP: Duration = Duration::from_secs(5);

/// Pauses between two rounds of it: longer ones while something cannot be killed.
const SHORTEST_PAUSE: Duration = Duration::from_millis(5);
const LONGEST_PAUSE: Duration = Duration::from_millis(200);

/// A command that runs under a guard. Dropping it ends the command at once.
///
/// One costs the runner two descriptors, and neither a thread nor a task. So there may be as many
/// as descriptors and process ids suffice for: a guard and its command are two processes.
#[derive(Debug)]
pub struct Guarded {
    leash: Leash,
    guard: Child,
    command: Option<Pid>,
    end: Option<Result<End, GuardLost>>,
}

/// What is still needed of a [`Spec`] when its guard runs.
struct Start {
    program: OsString,
    stdin: OwnedFd,
    liveness: Option<OwnedFd>,
    deadlines: Deadlines,
    descriptors: Descriptors,
}

impl Guarded {
    /// Starts the guard and, through it, the command. Returns when the command runs.
    ///
    /// Needs a runtime with I/O and time enabled.
    ///
    /// # Errors
    ///
    /// [`SpawnError`]: the command does not run.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the guard and the command.
    pub async fn spawn(spec: Spec) -> Result<Self, SpawnError> {
        if let Some(path) = &spec.current_dir {
            check_directory(path).map_err(|source| SpawnError::Directory {
                path: path.clone(),
                source,
            })?;
        }
        // The guard needs both, too.
        proc::check().map_err(SpawnError::Guard)?;
        tree::warn_if_slow();
        let environment = spec
            .whole_environment()
            .map_err(|name| SpawnError::Environment { name })?;
        let environment = environment::pack(&environment).map_err(SpawnError::Guard)?;
        let (mut guarded, start) = Self::spawn_guard(spec).map_err(SpawnError::Guard)?;
        let passed: Vec<_> = [&environment, &start.stdin]
            .into_iter()
            .chain(&start.liveness)
            .map(AsFd::as_fd)
            .collect();
        let message = ToGuard::Start(start.deadlines, start.descriptors);
        guarded
            .send_start(message, &passed)
            .await
            .map_err(SpawnError::Guard)?;
        // The guard has them. Many commands that start side by side would need many descriptors.
        let Start {
            program,
            stdin,
            liveness,
            ..
        } = start;
        drop((environment, stdin, liveness));
        match guarded.next_message().await {
            Some(FromGuard::Started(pid)) => {
                guarded.command = Pid::from_raw(pid);
                Ok(guarded)
            }
            Some(FromGuard::ExecFailed(errno)) => {
                let error = io::Error::from_raw_os_error(errno);
                Err(SpawnError::exec(program, error))
            }
            Some(FromGuard::Unable(errno)) => {
                Err(SpawnError::Guard(io::Error::from_raw_os_error(errno)))
            }
            Some(FromGuard::ForeignProc) => Err(SpawnError::Guard(io::Error::other(proc::FOREIGN))),
            Some(FromGuard::TooLate) => Err(SpawnError::TooLate),
            Some(
                FromGuard::Ended(_)
                | FromGuard::Stopped(_)
                | FromGuard::Continued
                | FromGuard::Lingering(_)
                | FromGuard::Broken,
            ) => Err(SpawnError::Lost(GuardLost::Broken)),
            None => {
                let status = guarded.guard_ended().await;
                Err(SpawnError::Lost(GuardLost::Died { status }))
            }
        }
    }

    /// A handle for the task that renews the deadlines.
    pub fn leash(&self) -> Leash {
        self.leash.clone()
    }

    /// See [`Leash::extend`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn extend(&self, deadlines: Deadlines) -> Result<(), LeashError> {
        self.leash.extend(deadlines)
    }

    /// See [`Leash::stop`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn stop(&self, grace: Duration) -> Result<(), LeashError> {
        self.leash.stop(grace)
    }

    /// See [`Leash::signal`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn signal(&self, number: i32) -> Result<(), LeashError> {
        self.leash.signal(number)
    }

    /// The process id of the command, and of its process group.
    pub fn pid(&self) -> u32 {
        let pid = self.command.expect("known when the command was started");
        pid.as_raw_nonzero().get().cast_unsigned()
    }

    /// Waits until the command and everything it started are dead, and the guard has closed the
    /// liveness listener.
    ///
    /// # Errors
    ///
    /// [`GuardLost`]: they may not be dead. After [`GuardLost::Lingering`] wait again; the other
    /// errors are final.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing. Waiting again after the end gives the same answer.
    pub async fn wait(&mut self) -> Result<End, GuardLost> {
        loop {
            match self.next_event().await? {
                Event::Ended(end) => return Ok(end),
                Event::Lingering { count } => return Err(GuardLost::Lingering { count }),
                Event::Stopped { .. } | Event::Continued => {}
            }
        }
    }

    /// Waits for the next event of the command.
    ///
    /// # Errors
    ///
    /// [`GuardLost`], but not [`GuardLost::Lingering`]: the outcome of the command is unknown.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing. Waiting again after the end gives the same answer.
    pub async fn next_event(&mut self) -> Result<Event, GuardLost> {
        if self.end.is_none() {
            self.end = Some(match self.next_message().await {
                Some(FromGuard::Ended(end)) => Ok(end),
                Some(FromGuard::Stopped(signal)) => return Ok(Event::Stopped { signal }),
                Some(FromGuard::Continued) => return Ok(Event::Continued),
                Some(FromGuard::Lingering(count)) => return Ok(Event::Lingering { count }),
                Some(
                    FromGuard::Broken
                    | FromGuard::Started(_)
                    | FromGuard::ExecFailed(_)
                    | FromGuard::Unable(_)
                    | FromGuard::ForeignProc
                    | FromGuard::TooLate,
                ) => Err(GuardLost::Broken),
                None => Err(GuardLost::Died { status: None }),
            });
        }
        // The listener is closed when the guard has ended, not yet when it has reported.
        let ended = self.guard_ended().await;
        if let Some(Err(GuardLost::Died { status })) = &mut self.end {
            *status = ended;
            self.mop_up().await;
        }
        self.end.clone().expect("set above").map(Event::Ended)
    }

    fn spawn_guard(spec: Spec) -> io::Result<(Self, Start)> {
        // The guard must not begin with SIGCHLD ignored, or the exit status of the command would be
        // lost. What is caught here is not ignored there. The runner needs that of the guard, too.
        drop(signal(SignalKind::child())?);
        let (ours, theirs) = fds::pair()?;
        let ours = std::os::unix::net::UnixStream::from(ours);
        ours.set_nonblocking(true)?;
        let control = Arc::new(UnixStream::from_std(ours)?);
        let mut command = Command::new(&spec.executable);
        command
            .arg0(std::env::args_os().next().unwrap_or_default())
            .arg(GUARD)
            .arg(&spec.program)
            .args(&spec.args)
            .env_clear()
            .envs(environment::of_guard())
            .stdin(Stdio::from(theirs))
            .stdout(spec.stdout.for_output()?)
            .stderr(spec.stderr.for_output()?)
            // A signal from the terminal reaches only the runner, which decides what to do.
            .process_group(0);
        if let Some(path) = &spec.current_dir {
            command.current_dir(path);
        }
        let start = Start {
            program: spec.program,
            stdin: spec.stdin.for_input()?,
            liveness: spec.liveness,
            deadlines: spec.deadlines,
            descriptors: spec.descriptors,
        };
        let guard = command.spawn()?;
        let pid = guard.id().and_then(|pid| Pid::from_raw(pid.cast_signed()));
        if let (Some(files), Some(pid)) = (spec.open_files, pid) {
            limit_open_files(pid, files)?;
        }
        let guarded = Self {
            leash: Leash { control },
            guard,
            command: None,
            end: None,
        };
        Ok((guarded, start))
    }

    async fn send_start(&self, message: ToGuard, passed: &[BorrowedFd<'_>]) -> io::Result<()> {
        let mut tries = 0;
        loop {
            match fds::send(&*self.leash.control, message, passed) {
                Err(error) if fds::is_crowded(&error) && tries < fds::CROWDED_TRIES => tries += 1,
                // The guard is gone, and its last message is the better error.
                Err(error) if fds::is_gone(&error) => return Ok(()),
                done => return done,
            }
            tokio::time::sleep(fds::CROWDED_PAUSE).await;
        }
    }

    /// The guard's next message. `None` if the guard is gone, or its message cannot be understood.
    async fn next_message(&mut self) -> Option<FromGuard> {
        let control = &*self.leash.control;
        let receive = || fds::try_receive(control);
        let packet = control.async_io(Interest::READABLE, receive).await.ok()??;
        FromGuard::try_from(packet.bytes.as_slice()).ok()
    }

    /// Waits until the guard has ended. It ends when it notices that the runner is gone, if not
    /// before.
    async fn guard_ended(&mut self) -> Option<ExitStatus> {
        self.leash.release();
        self.guard.wait().await.ok()
    }

    /// The kernel kills the command when its guard dies; the rest of its group is killed here.
    async fn mop_up(&self) {
        let Some(group) = self.command else { return };
        let mut pause = SHORTEST_PAUSE;
        let mut waited = Duration::ZERO;
        while waited < MOP_UP {
            // The second question looks through all of /proc, so it is asked only about a group
            // that exists. It may exist without anything that runs, or be a later one of the same
            // id.
            if test_kill_process_group(group) == Err(Errno::SRCH) || !proc::group_runs(group) {
                return;
            }
            let _ = kill_process_group(group, Signal::KILL);
            tokio::time::sleep(pause).await;
            waited += pause;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        self.leash.release();
    }
}

/// Sets the soft limit of a guard, which has not started its command yet. The command inherits it.
fn limit_open_files(guard: Pid, files: u64) -> io::Result<()> {
    let hard = getrlimit(Resource::Nofile).maximum;
    let limit = Rlimit {
        current: Some(hard.map_or(files, |hard| hard.min(files))),
        maximum: hard,
    };
    match prlimit(Some(guard), Resource::Nofile, limit) {
        // If the guard is gone already, what it has said or not said is the better error.
        Ok(_) | Err(Errno::SRCH) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn check_directory(path: &Path) -> io::Result<()> {
    if std::fs::metadata(path)?.is_dir() {
        Ok(())
    } else {
        Err(io::ErrorKind::NotADirectory.into())
    }
}
