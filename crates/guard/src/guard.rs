//! The guard: one thread, one loop, no clock but the machine's.
//!
//! Once COMMAND runs, the guard writes to nothing that could block, not even to stderr.

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, WaitOptions, WaitStatus, getpid, kill_process,
    kill_process_group, pidfd_open, set_child_subreaper, wait, waitid, waitpid,
};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, timerfd_create, timerfd_settime,
};
use tokio::signal::unix::{SignalKind, signal};

use crate::plan::{Due, Plan};
use crate::shim::errno;
use crate::wire::{FromGuard, ToGuard};
use crate::{BootTime, Deadlines, EXEC, Ignored, OUR_FAULT, fds, proc};

/// How often ended orphans of a running COMMAND are reaped. Each occupies a process id until then.
const COLLECT_EVERY: Duration = Duration::from_secs(10);

/// How long COMMAND may be stopped before the guard notices, if no signal reports it.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How long killing may take before the runner is informed. It normally takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(5);

/// Pauses between two rounds of killing: short at first, then longer, so that a process that cannot
/// be killed costs little.
const SHORTEST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(200);

/// Guards `COMMAND ARGS…` for the runner at the other end of stdin, and returns when no process of
/// the command is left.
pub fn guard_main(args: impl Iterator<Item = OsString>) -> ExitCode {
    let stdin = io::stdin();
    if proc::check().is_err() {
        let _ = fds::send(&stdin, FromGuard::ForeignProc, &[]);
        return ExitCode::from(OUR_FAULT);
    }
    match guard(stdin.as_fd(), args.collect()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Either nothing runs, or the kernel kills it when this process ends.
            let _ = fds::send(&stdin, FromGuard::Unable(errno(&error).raw_os_error()), &[]);
            ExitCode::from(OUR_FAULT)
        }
    }
}

/// COMMAND while it runs, and everything that the guard waits for.
struct Watch<'a> {
    runner: BorrowedFd<'a>,
    command: Pid,
    /// Readable when COMMAND has ended. COMMAND is not reaped before its group is killed, so that
    /// no other process gets its id.
    pidfd: OwnedFd,
    /// Of `CLOCK_BOOTTIME`, because a timeout of `poll` does not count during suspend.
    timer: OwnedFd,
    /// Open until the shim has become COMMAND, or has reported why it could not.
    shim: Option<OwnedFd>,
    plan: Plan,
    /// When orphans are next collected.
    collect_at: BootTime,
    /// Sent to the runner instead of the way COMMAND ended.
    failure: Option<FromGuard>,
}

struct Start {
    deadlines: Deadlines,
    stdin: OwnedFd,
    liveness: Option<OwnedFd>,
}

/// Whether the command may continue.
#[derive(PartialEq, Eq)]
enum Next {
    Continue,
    End,
}

fn guard(runner: BorrowedFd<'_>, command: Vec<OsString>) -> io::Result<()> {
    outlive_signals()?;
    set_child_subreaper(Some(getpid()))?;
    let timer = timerfd_create(
        TimerfdClockId::Boottime,
        TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK,
    )?;
    let Some(start) = begin(runner)? else {
        return Ok(());
    };
    if start.deadlines.hard <= BootTime::now() {
        return fds::send(runner, FromGuard::TooLate, &[]);
    }
    let (command, shim) = spawn_shim(start.stdin, command)?;
    let mut watch = Watch {
        runner,
        command,
        pidfd: pidfd_open(command, PidfdFlags::empty())?,
        timer,
        shim: Some(shim),
        plan: Plan::new(start.deadlines),
        collect_at: BootTime::now(),
        failure: None,
    };
    watch.until_end();
    if watch.shim.is_some() {
        // COMMAND ended before its start was noticed, so the runner must not believe that it had
        // started.
        watch.failure.get_or_insert(FromGuard::TooLate);
    }
    let end = watch.end_everything();
    watch.tell(watch.failure.unwrap_or(end));
    // From now on connections are refused, which proves to other nodes that COMMAND is dead.
    drop(start.liveness);
    Ok(())
}

/// Survives signals that are meant for the runner or for COMMAND but reach every process of this
/// name or control group, as `killall` and service managers send them. The guard ends when its work
/// is done.
///
/// The signals are caught, because COMMAND would inherit that they are ignored. For the same reason
/// a signal that was ignored from the start, as under `nohup`, stays ignored. SIGCHLD does not:
/// otherwise the exit status of COMMAND would be lost, and the system could reuse the ids of
/// children before they are reaped here.
fn outlive_signals() -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()?;
    let _context = runtime.enter();
    let ignored = Ignored::now();
    for kind in [
        SignalKind::terminate(),
        SignalKind::interrupt(),
        SignalKind::hangup(),
        SignalKind::quit(),
        SignalKind::user_defined1(),
        SignalKind::user_defined2(),
        SignalKind::child(),
    ] {
        if kind == SignalKind::child() || !ignored.has(kind.as_raw_value()) {
            // The handler stays installed when its receiver is dropped.
            drop(signal(kind)?);
        }
    }
    Ok(())
}

/// The first message. `None`: the runner is gone already.
fn begin(runner: BorrowedFd<'_>) -> io::Result<Option<Start>> {
    let Some(packet) = fds::receive(runner)? else {
        return Ok(None);
    };
    let mut fds = packet.fds.into_iter();
    match (ToGuard::try_from(packet.bytes.as_slice()), fds.next()) {
        (Ok(ToGuard::Start(deadlines)), Some(stdin)) => Ok(Some(Start {
            deadlines,
            stdin,
            liveness: fds.next(),
        })),
        _ => Err(Errno::PROTO.into()),
    }
}

fn spawn_shim(stdin: OwnedFd, command: Vec<OsString>) -> io::Result<(Pid, OwnedFd)> {
    let (ours, theirs) = fds::pair()?;
    fds::send(&ours, "stdin", &[stdin.as_fd()])?;
    let child = Command::new("/proc/self/exe")
        .arg0(std::env::args_os().next().unwrap_or_default())
        .arg(EXEC)
        .arg(getpid().as_raw_nonzero().get().to_string())
        .args(command)
        .stdin(Stdio::from(theirs))
        .process_group(0)
        .spawn()?;
    Ok((Pid::from_child(&child), ours))
}

impl Watch<'_> {
    /// Returns when COMMAND has ended or has to be ended.
    fn until_end(&mut self) {
        loop {
            let Ok(ready) = self.wait_for_something() else {
                // A command that cannot be watched must not run.
                return;
            };
            if ready.shim {
                self.read_shim();
            }
            if ready.command || self.obey_runner() == Next::End {
                return;
            }
            let now = BootTime::now();
            match self.plan.due(now) {
                Due::Nothing => {}
                Due::Term => self.ask_to_end(),
                Due::Kill => return,
            }
            self.report_stops();
            if now >= self.collect_at {
                self.collect_orphans();
                self.collect_at = now + COLLECT_EVERY;
            }
        }
    }

    /// Reads the shim's answer: it has become COMMAND, or it could not and ends.
    fn read_shim(&mut self) {
        let Some(shim) = self.shim.take() else { return };
        match fds::try_receive(&shim) {
            Ok(None) => self.tell(FromGuard::Started(self.command.as_raw_nonzero().get())),
            Ok(Some(packet)) => {
                self.failure =
                    Some(FromGuard::try_from(packet.bytes.as_slice()).unwrap_or(FromGuard::Broken));
            }
            Err(error) => self.failure = Some(FromGuard::Unable(errno(&error).raw_os_error())),
        }
    }

    /// Does what the runner asks. If the runner is gone or cannot be understood, COMMAND ends.
    fn obey_runner(&mut self) -> Next {
        loop {
            let packet = match fds::try_receive(self.runner) {
                Ok(Some(packet)) => packet,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Next::Continue,
                Ok(None) | Err(_) => return Next::End,
            };
            match ToGuard::try_from(packet.bytes.as_slice()) {
                Ok(ToGuard::Extend(deadlines)) => self.plan.extend(deadlines),
                Ok(ToGuard::Stop(grace)) => self.plan.stop(BootTime::now(), grace),
                Ok(ToGuard::Signal(number)) => {
                    if let Some(signal) = Signal::from_named_raw(number) {
                        self.signal(signal);
                    }
                }
                Ok(ToGuard::Start(_)) | Err(_) => {
                    self.failure = Some(FromGuard::Broken);
                    return Next::End;
                }
            }
        }
    }

    fn ask_to_end(&self) {
        self.signal(Signal::TERM);
        // A stopped process would not notice the signal.
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        // COMMAND may have moved to another group. It is not reaped, so no other process has its
        // id.
        if kill_process_group(self.command, signal).is_err() {
            let _ = kill_process(self.command, signal);
        }
    }

    /// Reports to the runner that COMMAND was stopped or continued. The system stops a background
    /// process that reads its terminal, and such a process would lead without doing anything.
    fn report_stops(&self) {
        let options = WaitIdOptions::STOPPED | WaitIdOptions::CONTINUED | WaitIdOptions::NOHANG;
        while let Ok(Some(status)) = waitid(WaitId::Pid(self.command), options) {
            match status.stopping_signal() {
                Some(signal) => self.tell(FromGuard::Stopped(signal)),
                None => self.tell(FromGuard::Continued),
            }
        }
    }

    /// Reaps orphans that have ended, but not COMMAND.
    fn collect_orphans(&self) {
        for orphan in proc::children() {
            if orphan != self.command {
                let _ = waitpid(Some(orphan), WaitOptions::NOHANG);
            }
        }
    }

    /// Kills until there is no child left, and returns how COMMAND ended.
    ///
    /// Every descendant becomes a child of this process once the processes in between have ended.
    /// So if there is no child, nothing is left. A process that cannot be killed keeps its
    /// children, so the guard searches behind it, too. It continues as long as any process lives,
    /// because the listener must not be closed before.
    fn end_everything(&self) -> FromGuard {
        let patience = BootTime::now() + PATIENCE;
        let mut pause = SHORTEST_PAUSE;
        let mut told = false;
        let mut end = None;
        loop {
            if end.is_none() {
                let _ = kill_process_group(self.command, Signal::KILL);
                let _ = kill_process(self.command, Signal::KILL);
            }
            let left = proc::descendants();
            left.iter().for_each(proc::Process::kill);
            if reap(self.command, &mut end) == Next::End {
                return end.unwrap_or(FromGuard::Broken);
            }
            if !told && BootTime::now() >= patience {
                // At least one is left, even if /proc does not show it.
                let count = left.iter().filter(|process| process.runs()).count();
                self.tell(FromGuard::Lingering(count.max(1)));
                told = true;
            }
            pause_for(pause, end.is_none().then_some(self.pidfd.as_fd()));
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Sends a message to the runner, without waiting: a runner that is stopped must not stop the
    /// guard. If the runner is gone, the message is dropped.
    fn tell(&self, message: FromGuard) {
        let _ = fds::send(self.runner, message, &[]);
    }

    fn wait_for_something(&self) -> io::Result<Ready> {
        let at = Itimerspec {
            it_interval: Timespec::default(),
            it_value: self.plan.next().for_timer(),
        };
        timerfd_settime(&self.timer, TimerfdTimerFlags::ABSTIME, &at)?;
        let mut fds = vec![
            PollFd::new(&self.runner, PollFlags::IN),
            PollFd::new(&self.timer, PollFlags::IN),
            PollFd::new(&self.pidfd, PollFlags::IN),
        ];
        fds.extend(
            self.shim
                .iter()
                .map(|shim| PollFd::new(shim, PollFlags::IN)),
        );
        // SIGCHLD ends the wait when COMMAND is stopped. If it arrives just before the wait, the
        // next round notices the stop.
        match poll(&mut fds, Some(&timespec(LOOK_EVERY))) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let ready = |index: usize| fds.get(index).is_some_and(|fd| !fd.revents().is_empty());
        Ok(Ready {
            command: ready(2),
            shim: ready(3),
        })
    }
}

/// The files that became ready. The runner and the clock are checked in each round anyway.
struct Ready {
    command: bool,
    shim: bool,
}

/// Reaps all children that have ended, and notes how COMMAND ended. [`Next::End`]: no child is
/// left.
fn reap(command: Pid, end: &mut Option<FromGuard>) -> Next {
    loop {
        match wait(WaitOptions::NOHANG) {
            Ok(Some((pid, status))) if pid == command => *end = Some(describe(status)),
            Ok(Some(_)) | Err(Errno::INTR) => {}
            Err(Errno::CHILD) => return Next::End,
            Ok(None) | Err(_) => return Next::Continue,
        }
    }
}

fn describe(status: WaitStatus) -> FromGuard {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => FromGuard::Exited(code),
        (None, Some(signal)) => FromGuard::Signaled(signal),
        (None, None) => FromGuard::Broken,
    }
}

/// Waits, but not longer than until COMMAND has ended.
fn pause_for(pause: Duration, command: Option<BorrowedFd<'_>>) {
    let mut fds: Vec<_> = command
        .iter()
        .map(|command| PollFd::new(command, PollFlags::IN))
        .collect();
    let _ = poll(&mut fds, Some(&timespec(pause)));
}

fn timespec(duration: Duration) -> Timespec {
    Timespec::try_from(duration).expect("the pauses above are short")
}
