//! Performs what the machine decides, and tells it what happens: [`Driver`].

mod perform;
mod waits;

use std::collections::VecDeque;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use incumbent::backend::{Pace, jitter};
use incumbent::{Candidate, Group, Leadership};
use incumbent_guard::{Cause, Guarded};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use self::waits::{of_command, of_hook, reached, resolved, resolved_of};
use super::hook::Hook;
use super::machine::{Action, Event, Machine, Policy};
use super::term::{Boxed, Held};
use crate::exit::Failure;
use crate::run::args::{RunArgs, WarmWhen};
use crate::run::records_api::{Acknowledgement, Desk, Server};
use crate::run::restart;
use crate::run::term::{guard_lost, reason_of_stop, warn_of_lingering};
use crate::signals::Signals;

/// Runs a command that stands by warm; or, without a command, tells an application beside this
/// program its role.
pub(crate) struct Driver {
    args: Arc<RunArgs>,
    address: String,
    candidate: Arc<Candidate>,
    retry: Duration,
    desk: Arc<Desk>,
    server: Option<Server>,
    machine: Machine,
    begin: Instant,
    /// What the performing of actions has brought about at once.
    events: VecDeque<Event>,
    acknowledged: mpsc::Receiver<Acknowledgement>,
    command: Option<Guarded>,
    started: Instant,
    pauses: Pace,
    hook: Option<Hook>,
    term: Option<Held>,
    granted: Option<Leadership>,
    campaign: Option<Boxed<Leadership>>,
    warm: Option<Boxed<()>>,
    publishing: Option<Boxed<Result<Event, incumbent::Error>>>,
    withdrawing: Option<Boxed<()>>,
    /// Until the store has heard that the term before is given up. No other is campaigned for
    /// before that.
    resigning: Option<Boxed<()>>,
}

/// An event, and who waits to hear whether it was an acknowledgement that counted.
type Heard = (Event, Option<oneshot::Sender<bool>>);

impl Driver {
    pub(crate) fn new(
        args: Arc<RunArgs>,
        address: String,
        candidate: Candidate,
        group: &Group,
    ) -> Self {
        let (desk, acknowledged) = Desk::warm(group.clone());
        let retry = group.timing().retry();
        let is_beside = args.command.is_empty();
        let policy = Policy {
            restart: args.restart,
            stop_timeout: args.stop_timeout,
            ready_timeout: args.ready_timeout,
            halt_timeout: retry,
            has_lead_hook: args.on_lead.is_some(),
            has_standby_hook: args.on_standby.is_some(),
            signals_lead: args.signal_on_lead.is_some(),
            signals_standby: args.signal_on_standby.is_some(),
            is_warm_at_once: is_beside || args.warm() == WarmWhen::Started,
            is_beside,
        };
        Self {
            args,
            address,
            candidate: Arc::new(candidate),
            retry,
            desk,
            server: None,
            machine: Machine::new(policy),
            begin: Instant::now(),
            events: VecDeque::new(),
            acknowledged,
            command: None,
            started: Instant::now(),
            pauses: restart::pace(),
            hook: None,
            term: None,
            granted: None,
            campaign: None,
            warm: None,
            publishing: None,
            withdrawing: None,
            resigning: None,
        }
    }

    /// What requests are answered from.
    pub(crate) fn desk(&self) -> Arc<Desk> {
        Arc::clone(&self.desk)
    }

    /// Offers the records API to the command.
    pub(super) fn serve(&mut self) -> Result<(), Failure> {
        self.server = Server::start(&self.desk, self.args.records)?;
        Ok(())
    }

    /// Runs until the command or this program is to end. Then nothing of the command is left.
    pub(crate) async fn run(mut self, signals: &mut Signals) -> Result<ExitCode, Failure> {
        let outcome = self.go(signals).await;
        // After a failure something may still run. It must have ended when another node leads.
        self.end_all().await;
        if let Some(resigning) = self.resigning.take() {
            tokio::select! {
                () = resigning => {}
                () = signals.end() => tracing::warn!(
                    "asked to end before the store has confirmed that the term is given up; others \
                     may have to wait for the lease"
                ),
            }
        }
        outcome.map(ExitCode::from)
    }

    async fn go(&mut self, signals: &mut Signals) -> Result<u8, Failure> {
        loop {
            let (event, waits) = self.next(signals).await?;
            let counts = match &event {
                Event::Acknowledged(number) => self.machine.waits_for(*number),
                _ => false,
            };
            let mut exit = None;
            for action in self.machine.step(self.begin.elapsed(), event) {
                match action {
                    Action::Exit(code) => exit = Some(code),
                    action => self.perform(action).await?,
                }
            }
            // A term that nobody wants any more is given up.
            self.granted = None;
            // Not before it has taken effect: what was to be done about it has begun.
            if let Some(waits) = waits {
                let _ = waits.send(counts);
            }
            if let Some(code) = exit {
                return Ok(code);
            }
        }
    }

    /// Waits for the next event.
    async fn next(&mut self, signals: &mut Signals) -> Result<Heard, Failure> {
        if let Some(event) = self.events.pop_front() {
            return Ok((event, None));
        }
        let due = self.machine.next().map(|at| self.begin + at);
        let (lost, asked) = match &mut self.term {
            Some(term) => (Some(&mut term.lost), Some(&mut term.asked)),
            None => (None, None),
        };
        let event = tokio::select! {
            // What ends a term comes before what would use it.
            biased;
            () = resolved(&mut self.resigning) => Event::Time,
            why = resolved_of(lost) => {
                let hard_in = self.term.as_ref().map(|term| term.guard.until_hard_deadline());
                Event::Lost { why: incumbent::describe(&why).to_string(), hard_in: hard_in.unwrap_or_default() }
            }
            event = of_command(&mut self.command) => self.of_command(event.map_err(guard_lost)?),
            ended = of_hook(&mut self.hook) => {
                let is_good = ended.map_err(guard_lost)?;
                self.hook = None;
                Event::HookEnded { is_good }
            }
            signal = signals.next() => match signal {
                None => Event::Terminate,
                Some(number) => {
                    if let Some(command) = &self.command {
                        // If the guard is gone, the next event says so.
                        let _ = command.signal(number);
                    }
                    // Nothing for the machine.
                    Event::Time
                }
            },
            acknowledged = self.acknowledged.recv() => {
                let (number, waits) = acknowledged.expect("the desk is held by this driver");
                return Ok((Event::Acknowledged(number), Some(waits)));
            }
            to = resolved_of(asked) => Event::Asked(to),
            leadership = resolved(&mut self.campaign), if self.resigning.is_none() => {
                let epoch = leadership.epoch();
                self.granted = Some(leadership);
                Event::Granted(epoch)
            }
            () = resolved(&mut self.warm) => {
                tracing::info!("the command is warm; campaigning");
                Event::Warm
            }
            published = resolved(&mut self.publishing) => published.map_err(Failure::from)?,
            () = resolved(&mut self.withdrawing) => Event::Withdrawn,
            () = reached(due) => Event::Time,
        };
        Ok((event, None))
    }

    fn of_command(&mut self, event: incumbent_guard::Event) -> Event {
        match event {
            incumbent_guard::Event::Ended(end) => {
                self.command = None;
                self.warm = None;
                let (code, by_itself) = (end.exit.exit_code(), end.cause == Cause::Own);
                let pause = self.pauses.after_run(self.started.elapsed(), jitter());
                tracing::warn!(code, by_itself, "the command has ended");
                Event::Exited {
                    code,
                    by_itself,
                    pause,
                }
            }
            incumbent_guard::Event::Stopped { signal } => {
                let why = reason_of_stop(signal);
                tracing::warn!(signal, grace = ?self.retry, "the command was stopped: {why}; not leading unless it continues");
                Event::Halted(signal)
            }
            incumbent_guard::Event::Continued => {
                tracing::info!("the command runs again after it was stopped");
                Event::Continued
            }
            incumbent_guard::Event::Lingering { count } => {
                warn_of_lingering(count);
                Event::Time
            }
        }
    }
}
