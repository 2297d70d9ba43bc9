//! The runner's side: starts a guard, and extends the deadlines of the command.

use std::ffi::OsString;
use std::io::{self, IsTerminal};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rustix::net::{Shutdown, shutdown};
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::Interest;
use tokio::net::UnixStream;
use tokio::process::{Child, Command};
use tokio::signal::unix::{SignalKind, signal};

use crate::wire::{FromGuard, ToGuard};
use crate::{Deadlines, GUARD, GuardLost, LeashError, SpawnError, fds, proc};

/// After the guard was lost, how often the command's group is killed, and the pause in between.
const MOP_UP_ROUNDS: u32 = 500;
const MOP_UP_PAUSE: Duration = Duration::from_millis(10);

/// What to run, and how.
#[derive(Debug)]
pub struct Spec {
    /// Looked up as `execvp` does, if it has no slash.
    pub program: OsString,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// Added to the runner's own environment.
    pub env: Vec<(OsString, OsString)>,
    /// Removed from the runner's own environment, before `env` is added.
    pub env_remove: Vec<OsString>,
    /// The directory in which it runs, if not that of the runner.
    pub current_dir: Option<PathBuf>,
    /// The guard's executable. Its `main` begins with [`intercept`](crate::intercept).
    pub executable: PathBuf,
    /// A bound listener that stays open until no process of the command is left. It is a copy: the
    /// runner accepts on its own listener, and must only close that one, because `shutdown` affects
    /// both.
    pub liveness: Option<OwnedFd>,
    /// Deadlines until the first [`Leash::extend`].
    pub deadlines: Deadlines,
}

/// A command that runs under a guard. Dropping it ends the command at once.
#[derive(Debug)]
pub struct Guarded {
    leash: Leash,
    /// A copy of the control socket. Only its readiness is used, to wake the task.
    incoming: UnixStream,
    guard: Child,
    command: Option<Pid>,
    end: Option<Result<Exit, GuardLost>>,
}

/// Sends messages to the guard, from any thread and without waiting. Cheap to clone. After
/// [`Guarded`] is dropped, every call fails.
#[derive(Clone, Debug)]
pub struct Leash {
    control: Arc<OwnedFd>,
}

/// An event that a guard reports about a running command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The command and everything it started have ended.
    Ended(Exit),
    /// This signal has stopped the command: it does nothing until it is continued.
    Stopped {
        /// The number of the signal.
        signal: i32,
    },
    /// The command runs again after it was stopped.
    Continued,
    /// Some processes could not be ended yet. The guard keeps trying and keeps the liveness
    /// listener.
    Lingering {
        /// How many such processes the guard knows of.
        count: usize,
    },
}

/// How the command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// By itself, with this exit code.
    Code(i32),
    /// By this signal.
    Signal(i32),
}

impl Spec {
    /// Runs `program` without arguments. The guard is the present executable, even if its file has
    /// been replaced since.
    pub fn new(program: impl Into<OsString>, deadlines: Deadlines) -> Self {
        Self {
            program: program.into(),
            args: Vec::new(),
            env: Vec::new(),
            env_remove: Vec::new(),
            current_dir: None,
            executable: PathBuf::from("/proc/self/exe"),
            liveness: None,
            deadlines,
        }
    }
}

impl Guarded {
    /// Starts the guard and, through it, the command. Returns when the command runs.
    ///
    /// The command reads the runner's stdin, or `/dev/null` if that is a terminal, because the
    /// system stops a background process that reads a terminal. Its stdout and stderr are the
    /// runner's.
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
        // The guard needs it, too.
        proc::check().map_err(SpawnError::Guard)?;
        let stdin = stdin_for_command().map_err(SpawnError::Guard)?;
        let mut guarded = Self::spawn_guard(&spec).map_err(SpawnError::Guard)?;
        let passed: Vec<_> = [Some(stdin.as_fd()), spec.liveness.as_ref().map(AsFd::as_fd)]
            .into_iter()
            .flatten()
            .collect();
        // If this fails, the guard is gone, and its last message is the better error.
        let _ = fds::send(
            &guarded.leash.control,
            ToGuard::Start(spec.deadlines),
            &passed,
        );
        match guarded.next_message().await {
            Some(FromGuard::Started(pid)) => {
                guarded.command = Pid::from_raw(pid);
                Ok(guarded)
            }
            Some(FromGuard::ExecFailed(errno)) => {
                let error = io::Error::from_raw_os_error(errno);
                Err(SpawnError::exec(spec.program, error))
            }
            Some(FromGuard::Unable(errno)) => {
                Err(SpawnError::Guard(io::Error::from_raw_os_error(errno)))
            }
            Some(FromGuard::ForeignProc) => Err(SpawnError::Guard(io::Error::other(proc::FOREIGN))),
            Some(FromGuard::TooLate) => Err(SpawnError::TooLate),
            Some(
                FromGuard::Exited(_)
                | FromGuard::Signaled(_)
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
    pub async fn wait(&mut self) -> Result<Exit, GuardLost> {
        loop {
            match self.next_event().await? {
                Event::Ended(exit) => return Ok(exit),
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
                Some(FromGuard::Exited(code)) => Ok(Exit::Code(code)),
                Some(FromGuard::Signaled(number)) => Ok(Exit::Signal(number)),
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

    fn spawn_guard(spec: &Spec) -> io::Result<Self> {
        // If SIGCHLD were ignored, the exit status of the guard would be lost.
        drop(signal(SignalKind::child())?);
        let (ours, theirs) = fds::pair()?;
        let incoming = std::os::unix::net::UnixStream::from(ours.try_clone()?);
        incoming.set_nonblocking(true)?;
        let mut command = Command::new(&spec.executable);
        command
            .arg0(std::env::args_os().next().unwrap_or_default())
            .arg(GUARD)
            .arg(&spec.program)
            .args(&spec.args);
        for name in &spec.env_remove {
            command.env_remove(name);
        }
        command
            .envs(spec.env.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::from(theirs))
            // A signal from the terminal reaches only the runner, which decides what to do.
            .process_group(0);
        if let Some(path) = &spec.current_dir {
            command.current_dir(path);
        }
        Ok(Self {
            leash: Leash {
                control: Arc::new(ours),
            },
            incoming: UnixStream::from_std(incoming)?,
            guard: command.spawn()?,
            command: None,
            end: None,
        })
    }

    /// The guard's next message. `None` if the guard is gone, or its message cannot be understood.
    async fn next_message(&mut self) -> Option<FromGuard> {
        let incoming = &self.incoming;
        let receive = || fds::try_receive(incoming);
        let packet = incoming
            .async_io(Interest::READABLE, receive)
            .await
            .ok()??;
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
        for _ in 0..MOP_UP_ROUNDS {
            if !proc::group_runs(group) {
                return;
            }
            let _ = kill_process_group(group, Signal::KILL);
            tokio::time::sleep(MOP_UP_PAUSE).await;
        }
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        self.leash.release();
    }
}

impl Leash {
    /// Moves the deadlines to later moments. Never blocks, so it cannot delay a renewal.
    ///
    /// Moments earlier than those in force have no effect. SIGTERM is sent only once, even if the
    /// deadlines are extended after it.
    ///
    /// # Errors
    ///
    /// [`LeashError::Gone`] or [`LeashError::Stuck`]: not extended.
    pub fn extend(&self, deadlines: Deadlines) -> Result<(), LeashError> {
        self.send(ToGuard::Extend(deadlines))
    }

    /// Asks the command to end (SIGTERM), and kills it after `grace` or at the hard deadline,
    /// whichever is first.
    ///
    /// A further call can shorten the grace; zero kills the command at once.
    ///
    /// # Errors
    ///
    /// [`LeashError::Gone`] or [`LeashError::Stuck`]: not asked.
    pub fn stop(&self, grace: Duration) -> Result<(), LeashError> {
        self.send(ToGuard::Stop(grace))
    }

    /// Sends a signal to the command's process group.
    ///
    /// # Errors
    ///
    /// [`LeashError::NoSuchSignal`], and as with [`Leash::extend`].
    pub fn signal(&self, number: i32) -> Result<(), LeashError> {
        Signal::from_named_raw(number).ok_or(LeashError::NoSuchSignal(number))?;
        self.send(ToGuard::Signal(number))
    }

    /// Ends the conversation with the guard. Closing the socket is not enough while another leash
    /// keeps it.
    fn release(&self) {
        let _ = shutdown(&self.control, Shutdown::Both);
    }

    fn send(&self, message: ToGuard) -> Result<(), LeashError> {
        match fds::send(&self.control, message, &[]) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Err(LeashError::Stuck),
            Err(_) => Err(LeashError::Gone),
        }
    }
}

impl Exit {
    /// The exit code that a shell reports: the code, or 128 plus the number of the signal.
    pub fn exit_code(self) -> u8 {
        let code = match self {
            Self::Code(code) => code,
            Self::Signal(number) => 128 + number,
        };
        u8::try_from(code).unwrap_or(u8::MAX)
    }
}

fn check_directory(path: &Path) -> io::Result<()> {
    if std::fs::metadata(path)?.is_dir() {
        Ok(())
    } else {
        Err(io::ErrorKind::NotADirectory.into())
    }
}

fn stdin_for_command() -> io::Result<OwnedFd> {
    let stdin = io::stdin();
    if stdin.is_terminal() {
        return Ok(std::fs::File::open("/dev/null")?.into());
    }
    stdin.as_fd().try_clone_to_owned()
}
