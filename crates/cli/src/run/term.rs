//! One term of `incumbent run`, from beginning to end.

use std::ffi::OsString;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use incumbent::backend::jitter;
use incumbent::{Guard, HolderName, Leadership, LostBecause, Time};
use incumbent_guard::{
    BootTime, Deadlines, Environment, Event, Exit, Guarded, Leash, SpawnError, Spec,
};
use tokio::time::Instant;

use super::args::{Restart, RunArgs};
use super::endpoints::{publish, withdraw};
use super::records_api::{Desk, Office, SOCKET, Server, TOKEN, Told, URL};
use super::restart;
use super::warm::ROLE;
use crate::exit::Failure;
use crate::signals::Signals;

/// A timer that fires this late shows that this process did not run for a while.
const LATE: Duration = Duration::from_millis(100);

/// A term that begins.
pub(super) struct Term<'a> {
    args: &'a RunArgs,
    address: &'a str,
    guard: Guard,
    retry: Duration,
    office: Arc<Office>,
}

/// What comes after a term.
pub(super) enum End {
    /// The program exits as its command did.
    Exited(Exit),
    /// Stand by for the next term.
    StandBy,
    /// The command was stopped. It probably will be again, so another node should lead first.
    Stopped,
}

/// Why the command has to end, or has ended.
enum Cause {
    Exited(Exit),
    Lost(LostBecause),
    /// Somebody asked for a hand-over, to this candidate if one is named.
    Asked(Option<HolderName>),
    /// This program received a signal to end.
    Signal,
    NotReady,
    /// The command was stopped by the signal of this number, and did not go on.
    Stopped(i32),
}

impl Cause {
    fn describe(&self, args: &RunArgs) -> String {
        match self {
            Self::Lost(why) => format!("leadership lost: {}", incumbent::describe(why)),
            Self::Asked(_) => "asked to hand over".into(),
            Self::Signal => "this program was asked to end".into(),
            Self::NotReady => format!("not ready after {:?}", args.ready_timeout),
            Self::Stopped(signal) => format!("stopped by signal {signal} and not continued"),
            Self::Exited(_) => "it exited".into(),
        }
    }
}

impl<'a> Term<'a> {
    pub(super) fn new(args: &'a RunArgs, address: &'a str, leadership: Leadership) -> Self {
        let guard = leadership.guard();
        let retry = leadership.group().timing().retry();
        Self {
            args,
            address,
            guard,
            retry,
            office: Office::new(leadership),
        }
    }

    /// Runs the command until the term or the program has to end; again and again, if `--restart`
    /// says so.
    pub(super) async fn serve(self, signals: &mut Signals) -> Result<End, Failure> {
        let mut pauses = restart::pace();
        loop {
            let started = Instant::now();
            let (cause, exit) = match self.once(signals).await {
                Ok(done) => done,
                Err(failure) => {
                    self.office.resign(None).await;
                    return Err(failure);
                }
            };
            let again = match (&cause, self.args.restart) {
                (Cause::Exited(_), Restart::Always) => true,
                (Cause::Exited(exit), Restart::OnFailure) => exit.exit_code() != 0,
                _ => false,
            };
            if !again {
                return Ok(self.end(cause, exit).await);
            }
            let pause = pauses.after_run(started.elapsed(), jitter());
            tracing::warn!(
                code = exit.exit_code(),
                ?pause,
                "the command exited; starting it again after a pause"
            );
            let (lost, asked) = match self.office.leadership().await {
                Ok(leadership) => (leadership.lost(), leadership.asked_to_resign()),
                Err(_) => return Ok(End::StandBy),
            };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                to = asked => return Ok(self.end(Cause::Asked(to), exit).await),
                why = lost => return Ok(self.end(Cause::Lost(why), exit).await),
                () = signals.end() => return Ok(self.end(Cause::Signal, exit).await),
            }
        }
    }

    /// Runs the command once, to its end.
    async fn once(&self, signals: &mut Signals) -> Result<(Cause, Exit), Failure> {
        let desk = Desk::of_term(&self.office, Told::leader(1, self.guard.clone()));
        let api = Server::start(&desk, self.args.records)?;
        let Some(mut command) = self.spawn(api.as_ref()).await? else {
            return Ok((Cause::Lost(LostBecause::DeadlinePassed), Exit::Code(0)));
        };
        let feeder = tokio::spawn(feed(command.leash(), self.guard.clone(), self.retry));
        let cause = self.attend(&mut command, signals).await;
        let exit = match cause {
            Ok(Cause::Exited(exit)) => Ok(exit),
            Ok(ref cause) => {
                let why = cause.describe(self.args);
                if matches!(cause, Cause::Asked(_) | Cause::Signal) {
                    self.withdraw(signals).await;
                }
                self.stop(&mut command, &why, signals).await
            }
            // Nothing of the command may be left when another node leads, whatever went wrong here.
            Err(_) => {
                self.stop(&mut command, "this program failed", signals)
                    .await
            }
        };
        feeder.abort();
        Ok((cause?, exit?))
    }

    /// Starts the command; `None` if the term has ended before that.
    async fn spawn(&self, api: Option<&Server>) -> Result<Option<Guarded>, Failure> {
        let failed = |cause: std::io::Error| {
            Failure::new("cannot pass the liveness endpoint on to the guard").because(cause)
        };
        let Ok(leadership) = self.office.leadership().await else {
            return Ok(None);
        };
        let (program, arguments) = self.args.command.split_first().expect("clap requires one");
        let spec = Spec {
            args: arguments.to_vec(),
            env: self.environment(&leadership, api),
            // This program may itself be the command of another `incumbent run`, which has other
            // records.
            environment: Environment::Inherited {
                without: [SOCKET, URL, TOKEN].map(OsString::from).into(),
            },
            liveness: leadership
                .liveness_socket()
                .map_err(failed)?
                .map(Into::into),
            ..Spec::new(program, deadlines(&self.guard))
        };
        drop(leadership);
        let command = match Guarded::spawn(spec).await {
            Ok(command) => command,
            Err(SpawnError::TooLate) => return Ok(None),
            Err(error) => return Err(spawn_failure(error)),
        };
        tracing::info!(
            epoch = self.guard.epoch().get(),
            pid = command.pid(),
            "command started"
        );
        Ok(Some(command))
    }

    /// What the command finds in its environment, as `run --help` lists it.
    fn environment(
        &self,
        leadership: &Leadership,
        api: Option<&Server>,
    ) -> Vec<(OsString, OsString)> {
        let group = leadership.group();
        let mut env: Vec<(OsString, OsString)> = vec![
            (
                "INCUMBENT_EPOCH".into(),
                leadership.epoch().to_string().into(),
            ),
            ("INCUMBENT_HOLDER".into(), group.holder().as_str().into()),
            ("INCUMBENT_GROUP".into(), group.name().as_str().into()),
            ("INCUMBENT_HA".into(), self.address.into()),
            (ROLE.into(), "leader".into()),
        ];
        env.extend(std::env::current_exe().map(|exe| ("INCUMBENT_EXE".into(), exe.into())));
        env.extend(api.into_iter().flat_map(|api| api.env.clone()));
        env
    }

    /// Publishes the command when it is ready, and waits for a reason to end it.
    async fn attend(&self, command: &mut Guarded, signals: &mut Signals) -> Result<Cause, Failure> {
        let (mut lost, mut asked) = match self.office.leadership().await {
            Ok(leadership) => (
                Box::pin(leadership.lost()),
                Box::pin(leadership.asked_to_resign()),
            ),
            Err(_) => return Ok(Cause::Lost(LostBecause::DeadlinePassed)),
        };
        let mut publish = pin!(publish(self.args, &self.office));
        let mut is_published = false;
        // The signal that has stopped the command, and when the term is given up.
        let mut stopped: Option<(i32, Instant)> = None;
        loop {
            tokio::select! {
                event = command.next_event() => match event {
                    Ok(Event::Ended(end)) if self.guard.is_valid() => {
                        return Ok(Cause::Exited(end.exit));
                    }
                    // The guard has ended it at its deadline: this process was stopped, or the
                    // store did not answer.
                    Ok(Event::Ended(_)) => return Ok(Cause::Lost(LostBecause::DeadlinePassed)),
                    Ok(Event::Stopped { signal }) => {
                        self.warn_of_stop(signal);
                        stopped = Some((signal, Instant::now() + self.retry));
                    }
                    Ok(Event::Continued) => {
                        tracing::info!("the command runs again after it was stopped");
                        stopped = None;
                    }
                    Ok(Event::Lingering { count }) => warn_of_lingering(count),
                    Err(error) => return Err(guard_lost(error)),
                },
                why = &mut lost => return Ok(Cause::Lost(why)),
                to = &mut asked => return Ok(Cause::Asked(to)),
                ready = &mut publish, if !is_published => match ready {
                    // If the term is over, `lost` says why.
                    Ok(Ok(()) | Err(incumbent::Error::Fenced { .. })) => is_published = true,
                    Ok(Err(error)) => return Err(Failure::from(error)),
                    Err(_) => return Ok(Cause::NotReady),
                },
                signal = signals.next() => match signal {
                    None => return Ok(Cause::Signal),
                    // If the guard is gone, the next event says so.
                    Some(number) => drop(command.signal(number)),
                },
                signal = patience_with(stopped, self.retry) => return Ok(Cause::Stopped(signal)),
            }
        }
    }

    fn warn_of_stop(&self, signal: i32) {
        tracing::warn!(
            epoch = self.guard.epoch().get(),
            signal,
            grace = ?self.retry,
            "the command was stopped: {}; giving up the term unless it continues",
            reason_of_stop(signal)
        );
    }

    /// Withdraws the endpoints, unless the program is told to end once more.
    async fn withdraw(&self, signals: &mut Signals) {
        tokio::select! {
            () = withdraw(self.args, &self.office, self.retry) => {}
            () = signals.end() => {}
        }
    }

    /// Ends the command with SIGTERM, and after `--stop-timeout` with SIGKILL. When this returns,
    /// nothing of it is left.
    async fn stop(
        &self,
        command: &mut Guarded,
        why: &str,
        signals: &mut Signals,
    ) -> Result<Exit, Failure> {
        tracing::info!(epoch = self.guard.epoch().get(), why, "ending the command");
        // If the guard is gone, the next event says so.
        let _ = command.stop(self.args.stop_timeout);
        loop {
            tokio::select! {
                event = command.next_event() => match event {
                    Ok(Event::Ended(end)) => return Ok(end.exit),
                    Ok(Event::Lingering { count }) => warn_of_lingering(count),
                    Ok(Event::Stopped { .. } | Event::Continued) => {}
                    Err(error) => return Err(guard_lost(error)),
                },
                // A second signal to end means: at once.
                () = signals.end() => drop(command.stop(Duration::ZERO)),
            }
        }
    }

    async fn end(&self, cause: Cause, exit: Exit) -> End {
        match cause {
            Cause::Exited(_) | Cause::Signal => {
                self.office.resign(None).await;
                tracing::info!(
                    epoch = self.guard.epoch().get(),
                    code = exit.exit_code(),
                    "the command has ended; exiting with its code"
                );
                End::Exited(exit)
            }
            Cause::Asked(to) => {
                self.office.resign(to).await;
                End::StandBy
            }
            Cause::Lost(_) | Cause::NotReady => {
                self.office.resign(None).await;
                End::StandBy
            }
            Cause::Stopped(_) => {
                self.office.resign(None).await;
                End::Stopped
            }
        }
    }
}

/// Waits until the command has been stopped for too long; forever while it runs.
///
/// If this process was stopped as well, its timer fires late. The command then gets the grace anew:
/// it may have been continued together with this process, and the guard's word of it comes next.
async fn patience_with(stopped: Option<(i32, Instant)>, grace: Duration) -> i32 {
    let Some((signal, mut until)) = stopped else {
        return std::future::pending().await;
    };
    loop {
        tokio::time::sleep_until(until).await;
        let now = Instant::now();
        if now.duration_since(until) < LATE {
            return signal;
        }
        until = now + grace;
    }
}

/// Why a signal of this number stops a command, and what helps.
pub(super) fn reason_of_stop(signal: i32) -> &'static str {
    use rustix::process::Signal;
    if signal == Signal::TTIN.as_raw() {
        "it read the terminal, which it does not own; give it a file or a pipe as standard input"
    } else if signal == Signal::TTOU.as_raw() {
        "it wrote to the terminal under `stty tostop`; use `stty -tostop`, or send its output elsewhere"
    } else {
        "another program, or the command itself, has sent the signal"
    }
}

pub(super) fn warn_of_lingering(count: usize) {
    tracing::warn!(
        count,
        "processes of the command cannot be ended yet; still trying, and not handing over before"
    );
}

pub(super) fn guard_lost(error: incumbent_guard::GuardLost) -> Failure {
    Failure::new("the guard of the command was lost").because(error)
}

/// Passes each renewal of the lease on to the guard.
async fn feed(leash: Leash, guard: Guard, retry: Duration) {
    let mut sent = None;
    let mut tick = tokio::time::interval(retry / 8);
    loop {
        tick.tick().await;
        let now = guard.deadlines();
        // Once the term is over, the last deadlines stay in force.
        if sent == Some(now) || now.0 == Time::default() {
            continue;
        }
        if leash.extend(deadlines(&guard)).is_ok() {
            sent = Some(now);
        }
    }
}

pub(super) fn deadlines(guard: &Guard) -> Deadlines {
    let (term, hard) = guard.deadlines();
    Deadlines {
        term: BootTime::from_boot(term.since_origin()),
        hard: BootTime::from_boot(hard.since_origin()),
    }
}

pub(super) fn spawn_failure(error: SpawnError) -> Failure {
    let code = error.exit_code();
    Failure::new("cannot start the command")
        .because(error)
        .raw_code(code)
}
