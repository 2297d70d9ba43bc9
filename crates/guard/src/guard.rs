//! The guard: one thread, one loop, no clock but the machine's.
//!
//! Once COMMAND runs, the guard writes to nothing that could block, not even to stderr.

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode, Stdio};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, getpid, kill_process, kill_process_group,
    pidfd_open, set_child_subreaper, waitid,
};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, timerfd_create, timerfd_settime,
};

use crate::descriptors::close_others;
use crate::plan::{Due, Plan};
use crate::shim::errno;
use crate::signals::{self, Children};
use crate::wire::{FromGuard, ToGuard};
use crate::{BootTime, Deadlines, Descriptors, EXEC, OUR_FAULT, ending, fds, proc};

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
    /// Of `CLOCK_BOOTTIME`, because a timeout of `poll` does not count during suspend. Without a
    /// deadline it never fires.
    timer: OwnedFd,
    /// Readable when a child has ended, was stopped or continued.
    children: Children,
    /// Open until the shim has become COMMAND, or has reported why it could not.
    shim: Option<OwnedFd>,
    plan: Plan,
    /// Sent to the runner instead of the way COMMAND ended.
    failure: Option<FromGuard>,
}

/// The first message, and the descriptors that came with it.
struct Start {
    deadlines: Deadlines,
    descriptors: Descriptors,
    environment: OwnedFd,
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
    let children = signals::receive()?;
    set_child_subreaper(Some(getpid()))?;
    let timer = timerfd_create(
        TimerfdClockId::Boottime,
        TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK,
    )?;
    let Some(start) = begin(runner)? else {
        return Ok(());
    };
    if start.descriptors == Descriptors::Standard {
        let mut kept = vec![timer.as_fd(), children.as_fd()];
        kept.extend([start.environment.as_fd(), start.stdin.as_fd()]);
        kept.extend(start.liveness.as_ref().map(AsFd::as_fd));
        close_others(&kept)?;
    }
    if start.deadlines.hard <= BootTime::now() {
        return fds::send(runner, FromGuard::TooLate, &[]);
    }
    let (command, shim) = spawn_shim(start.environment, start.stdin, command)?;
    let mut watch = Watch {
        runner,
        command,
        pidfd: pidfd_open(command, PidfdFlags::empty())?,
        timer,
        children,
        shim: Some(shim),
        plan: Plan::new(start.deadlines),
        failure: None,
    };
    watch.until_end();
    if watch.shim.is_some() {
        // COMMAND ended before its start was noticed, so the runner must not believe that it had
        // started.
        watch.failure.get_or_insert(FromGuard::TooLate);
    }
    let lingering = |count| watch.tell(FromGuard::Lingering(count));
    let end = ending::end_everything(watch.command, watch.pidfd.as_fd(), lingering);
    let end = end.map_or(FromGuard::Broken, |status| {
        FromGuard::Ended(ending::describe(status, watch.plan.cause()))
    });
    watch.tell(watch.failure.unwrap_or(end));
    // Once the runner and all its guards have closed the listener, connections are refused. That
    // proves to other nodes that nothing of their commands is left.
    drop(start.liveness);
    Ok(())
}

/// The first message. `None`: the runner is gone already.
fn begin(runner: BorrowedFd<'_>) -> io::Result<Option<Start>> {
    let Some(packet) = fds::receive(runner)? else {
        return Ok(None);
    };
    let mut fds = packet.fds.into_iter();
    let message = ToGuard::try_from(packet.bytes.as_slice());
    match (message, fds.next(), fds.next()) {
        (Ok(ToGuard::Start(deadlines, descriptors)), Some(environment), Some(stdin)) => {
            Ok(Some(Start {
                deadlines,
                descriptors,
                environment,
                stdin,
                liveness: fds.next(),
            }))
        }
        _ => Err(Errno::PROTO.into()),
    }
}

fn spawn_shim(
    environment: OwnedFd,
    stdin: OwnedFd,
    command: Vec<OsString>,
) -> io::Result<(Pid, OwnedFd)> {
    let (ours, theirs) = fds::pair()?;
    let passed = [environment.as_fd(), stdin.as_fd()];
    fds::send_when_possible(&ours, "environment, stdin", &passed)?;
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
            match self.plan.due(BootTime::now()) {
                Due::Nothing => {}
                Due::Term => self.ask_to_end(),
                Due::Kill => return,
            }
            if ready.children {
                self.children.clear();
                self.report_stops();
                ending::collect_orphans(self.command);
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
                Ok(ToGuard::Bind(binding, deadlines)) => self.plan.bind(binding, deadlines),
                Ok(ToGuard::Stop(grace)) => self.plan.stop(BootTime::now(), grace),
                Ok(ToGuard::Signal(number)) => {
                    if let Some(signal) = Signal::from_named_raw(number) {
                        self.signal(signal);
                    }
                }
                Ok(ToGuard::Start(..)) | Err(_) => {
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
            PollFd::new(&self.children, PollFlags::IN),
        ];
        fds.extend(
            self.shim
                .iter()
                .map(|shim| PollFd::new(shim, PollFlags::IN)),
        );
        // Everything that can happen makes one of them ready. So a guard of a command that only
        // runs does not wake up.
        match poll(&mut fds, None) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let ready = |index: usize| fds.get(index).is_some_and(|fd| !fd.revents().is_empty());
        Ok(Ready {
            command: ready(2),
            children: ready(3),
            shim: ready(4),
        })
    }
}

/// The files that became ready. The runner and the clock are checked in each round anyway.
struct Ready {
    command: bool,
    children: bool,
    shim: bool,
}
