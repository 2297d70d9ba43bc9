//! One term of `incumbent run`, from beginning to end.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use incumbent::{EndpointName, Guard, HolderName, Leadership, LostBecause, Time};
use incumbent_guard::{BootTime, Deadlines, Exit, Guarded, Leash, SpawnError, Spec};

use super::ready::ready;
use crate::api::{Office, SOCKET, Server, TOKEN, URL};
use crate::args::{Restart, RunArgs};
use crate::exit::Failure;
use crate::signals::Signals;

/// Longest pause before a command that exits again and again is started again.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// A term that begins.
pub(super) struct Tenure<'a> {
    args: &'a RunArgs,
    address: &'a str,
    guard: Guard,
    retry: Duration,
    office: Arc<Office>,
}

/// What comes after a term.
pub(super) enum End {
    /// The program ends, as its command did.
    Exited(Exit),
    /// Somebody else's turn; stand by.
    StandBy,
}

/// Why the command has to end, or has ended.
enum Cause {
    Exited(Exit),
    Lost(LostBecause),
    Asked(Option<HolderName>),
    Signal,
    NotReady,
}

impl Cause {
    fn describe(&self, args: &RunArgs) -> String {
        match self {
            Self::Lost(why) => format!("leadership lost: {}", incumbent::describe(why)),
            Self::Asked(_) => "asked to hand over".into(),
            Self::Signal => "told to end".into(),
            Self::NotReady => format!("not ready after {:?}", args.ready_timeout),
            Self::Exited(_) => "it exited".into(),
        }
    }
}

impl<'a> Tenure<'a> {
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

    /// Runs the command, as often as told, until the term or the program has to end.
    pub(super) async fn serve(self, signals: &mut Signals) -> Result<End, Failure> {
        let mut pauses = ExponentialBuilder::new()
            .with_max_delay(LONGEST_PAUSE)
            .without_max_times()
            .build();
        loop {
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
            let pause = pauses.next().unwrap_or(LONGEST_PAUSE);
            tracing::warn!(
                code = exit.exit_code(),
                ?pause,
                "the command exited and is started again"
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
        let api = Server::start(&self.office, self.args.records)?;
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
            // Nobody else may lead before nothing of the command is left, whatever went wrong.
            Err(_) => self.stop(&mut command, "it cannot go on", signals).await,
        };
        feeder.abort();
        Ok((cause?, exit?))
    }

    /// Starts the command; `None` if the term ended before that.
    async fn spawn(&self, api: Option<&Server>) -> Result<Option<Guarded>, Failure> {
        let failed = |cause: std::io::Error| {
            Failure::new("cannot pass on the liveness endpoint").because(cause)
        };
        let Ok(leadership) = self.office.leadership().await else {
            return Ok(None);
        };
        let (program, arguments) = self.args.command.split_first().expect("clap requires one");
        let mut env: Vec<(OsString, OsString)> = vec![
            (
                "INCUMBENT_EPOCH".into(),
                leadership.epoch().to_string().into(),
            ),
            (
                "INCUMBENT_HOLDER".into(),
                leadership.group().holder().as_str().into(),
            ),
            (
                "INCUMBENT_GROUP".into(),
                leadership.group().name().as_str().into(),
            ),
            ("INCUMBENT_HA".into(), self.address.into()),
        ];
        env.extend(std::env::current_exe().map(|exe| ("INCUMBENT_EXE".into(), exe.into())));
        env.extend(api.into_iter().flat_map(|api| api.env.clone()));
        let spec = Spec {
            args: arguments.to_vec(),
            env,
            // This may itself be the command of another `incumbent run`, whose records are not
            // these.
            env_remove: [SOCKET, URL, TOKEN].map(OsString::from).into(),
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

    /// Publishes the command when it is ready, and waits for a reason to end it.
    async fn attend(&self, command: &mut Guarded, signals: &mut Signals) -> Result<Cause, Failure> {
        let (mut lost, mut asked) = match self.office.leadership().await {
            Ok(leadership) => (
                Box::pin(leadership.lost()),
                Box::pin(leadership.asked_to_resign()),
            ),
            Err(_) => return Ok(Cause::Lost(LostBecause::DeadlinePassed)),
        };
        let mut publish = pin!(tokio::time::timeout(
            self.args.ready_timeout,
            self.publish()
        ));
        let mut published = false;
        loop {
            tokio::select! {
                exit = command.wait() => match exit {
                    Ok(exit) if self.guard.is_valid() => return Ok(Cause::Exited(exit)),
                    // The guard has ended it at its deadline: this process was stopped, or the
                    // backend did not answer.
                    Ok(_) => return Ok(Cause::Lost(LostBecause::DeadlinePassed)),
                    Err(incumbent_guard::GuardLost::Lingering { count }) => {
                        tracing::warn!(count, "processes that the command left behind cannot be ended yet");
                    }
                    Err(error) => return Err(Failure::new("the guard of the command was lost").because(error)),
                },
                why = &mut lost => return Ok(Cause::Lost(why)),
                to = &mut asked => return Ok(Cause::Asked(to)),
                ready = &mut publish, if !published => match ready {
                    // If the term is over, `lost` says why.
                    Ok(Ok(()) | Err(incumbent::Error::Fenced { .. })) => published = true,
                    Ok(Err(error)) => return Err(Failure::from(error)),
                    Err(_) => return Ok(Cause::NotReady),
                },
                signal = signals.next() => match signal {
                    None => return Ok(Cause::Signal),
                    // If the guard is gone, waiting for it says so.
                    Some(number) => drop(command.signal(number)),
                },
            }
        }
    }

    async fn publish(&self) -> Result<(), incumbent::Error> {
        ready(self.args).await;
        let Ok(leadership) = self.office.leadership().await else {
            return Ok(());
        };
        for (name, addresses) in self.endpoints() {
            leadership.publish(name, &addresses.join(",")).await?;
        }
        leadership.activate().await
    }

    /// The addresses of each endpoint, in the order in which they were said.
    fn endpoints(&self) -> BTreeMap<&EndpointName, Vec<&str>> {
        let mut endpoints = BTreeMap::<_, Vec<_>>::new();
        for (name, address) in &self.args.publish {
            endpoints.entry(name).or_default().push(address.as_str());
        }
        endpoints
    }

    /// Sends nobody to the command any more, and leaves it the time to answer those who are there.
    /// It leads as long as that takes.
    async fn withdraw(&self, signals: &mut Signals) {
        if self.args.publish.is_empty() || self.args.linger.is_zero() {
            return;
        }
        let Ok(leadership) = self.office.leadership().await else {
            return;
        };
        let lost = leadership.lost();
        let withdrawn = async {
            for name in self.endpoints().into_keys() {
                if let Err(error) = leadership.withdraw(name).await {
                    tracing::warn!(%error, "the endpoints are still published, though the command is about to end");
                    return;
                }
            }
        };
        let drained = async {
            // What is not withdrawn by then stays until the term ends.
            let _ = tokio::time::timeout(self.retry, withdrawn).await;
            tokio::time::sleep(self.args.linger).await;
        };
        tokio::select! {
            () = drained => {}
            _ = lost => {}
            () = signals.end() => {}
        }
    }

    /// Ends the command: asks it, and later makes it. When this returns nothing of it is left.
    async fn stop(
        &self,
        command: &mut Guarded,
        why: &str,
        signals: &mut Signals,
    ) -> Result<Exit, Failure> {
        tracing::info!(epoch = self.guard.epoch().get(), why, "ending the command");
        // If the guard is gone, waiting for it says so.
        let _ = command.stop(self.args.stop_timeout);
        loop {
            tokio::select! {
                exit = command.wait() => match exit {
                    Ok(exit) => return Ok(exit),
                    Err(incumbent_guard::GuardLost::Lingering { count }) => {
                        tracing::warn!(count, "processes of the command cannot be ended yet");
                    }
                    Err(error) => return Err(Failure::new("the guard of the command was lost").because(error)),
                },
                // Whoever says it twice means it.
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
                    "the command has ended"
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
        }
    }
}

/// Passes each renewal of the lease on to the guard.
async fn feed(leash: Leash, guard: Guard, retry: Duration) {
    let mut told = None;
    let mut tick = tokio::time::interval(retry / 8);
    loop {
        tick.tick().await;
        let now = guard.deadlines();
        // Once the term is over, the deadlines that were told last stay in force.
        if told == Some(now) || now.0 == Time::default() {
            continue;
        }
        if leash.extend(deadlines(&guard)).is_ok() {
            told = Some(now);
        }
    }
}

fn deadlines(guard: &Guard) -> Deadlines {
    let (term, hard) = guard.deadlines();
    Deadlines {
        term: BootTime::from_boot(term.since_origin()),
        hard: BootTime::from_boot(hard.since_origin()),
    }
}

fn spawn_failure(error: SpawnError) -> Failure {
    let code = error.exit_code();
    Failure::new("cannot start the command")
        .because(error)
        .raw_code(code)
}
