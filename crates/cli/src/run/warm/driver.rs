//! Performs what the machine decides, and tells it what happens: [`Driver`].

use std::collections::VecDeque;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use incumbent::backend::{Pace, jitter};
use incumbent::{Candidate, Group, HolderName, Leadership};
use incumbent_guard::{Cause, Deadlines, Guarded};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::command::{Surroundings, bound};
use super::hook::Hook;
use super::machine::{Action, Event, Machine, Policy, Tell, Which};
use super::term::{Boxed, Held, feed};
use crate::exit::Failure;
use crate::http;
use crate::run::args::{RunArgs, WarmWhen};
use crate::run::endpoints::{publish, withdraw};
use crate::run::records_api::{Acknowledgement, Desk, Server, Told};
use crate::run::restart;
use crate::run::term::{guard_lost, reason_of_stop, spawn_failure, warn_of_lingering};
use crate::signals::Signals;

/// How often a URL is asked whether the command is warm.
const WARM_PAUSE: Duration = Duration::from_millis(50);

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

    async fn perform(&mut self, action: Action) -> Result<(), Failure> {
        match action {
            Action::Start => self.start().await?,
            Action::Campaign => {
                let candidate = Arc::clone(&self.candidate);
                self.campaign = Some(Box::pin(async move { candidate.campaign().await }));
            }
            Action::EndCampaign => self.campaign = None,
            Action::Bind(binding) => self.bind(binding)?,
            Action::Free(binding) => self.free(binding),
            Action::Tell(tell) => self.tell(tell),
            Action::Signal(which) => {
                let number = match which {
                    Which::Lead => self.args.signal_on_lead,
                    Which::Standby => self.args.signal_on_standby,
                };
                if let (Some(command), Some(number)) = (&self.command, number) {
                    let _ = command.signal(number);
                }
            }
            Action::Hook(which) => self.start_hook(which).await?,
            Action::EndHook => {
                if let Some(hook) = &self.hook {
                    let _ = hook.process.stop(Duration::ZERO);
                }
            }
            Action::Publish => self.publish(),
            Action::Withdraw => self.withdraw(),
            Action::Stop => self.stop(self.args.stop_timeout),
            Action::Kill => {
                tracing::warn!(
                    "the command did not acknowledge in time that it stands by; ending it"
                );
                self.stop(Duration::ZERO);
            }
            Action::Resign(to) => self.resign(to),
            Action::Exit(_) => {}
        }
        Ok(())
    }

    async fn start(&mut self) -> Result<(), Failure> {
        if !self.args.command.is_empty() {
            self.desk.board.unread();
            let spec = self.surroundings().command()?;
            let command = Guarded::spawn(spec).await.map_err(spawn_failure)?;
            tracing::info!(pid = command.pid(), "command started, to stand by");
            self.command = Some(command);
        }
        self.started = Instant::now();
        self.warm = self.becomes_warm();
        self.events.push_back(Event::Started);
        Ok(())
    }

    /// Until the command may lead, if that is waited for.
    fn becomes_warm(&self) -> Option<Boxed<()>> {
        let warm: Boxed<()> = match self.args.warm() {
            _ if self.args.command.is_empty() => return None,
            WarmWhen::Started => return None,
            WarmWhen::Connected => Box::pin(self.desk.board.read()),
            WarmWhen::Url(url) => Box::pin(async move {
                while !http::succeeds(&url).await {
                    tokio::time::sleep(WARM_PAUSE).await;
                }
            }),
        };
        let patience = self.args.ready_timeout;
        Some(Box::pin(async move {
            let mut warm = warm;
            if tokio::time::timeout(patience, &mut warm).await.is_err() {
                tracing::warn!(
                    ?patience,
                    "the command is not warm yet, so this node does not campaign; it is warm when it asks for its role, or \
                     as --warm-when says"
                );
                warm.await;
            }
        }))
    }

    async fn start_hook(&mut self, which: Which) -> Result<(), Failure> {
        let Some(term) = &self.term else {
            return Ok(());
        };
        let guard = term.guard.clone();
        let spec = self.surroundings().hook(which, &guard)?;
        match Guarded::spawn(spec).await {
            Ok(process) => {
                tracing::info!(
                    ?which,
                    pid = process.pid(),
                    epoch = guard.epoch().get(),
                    "hook started"
                );
                // Its first deadlines are binding 0.
                let feeder = tokio::spawn(feed(process.leash(), guard, 1, self.retry));
                self.hook = Some(Hook {
                    which,
                    process,
                    feeder,
                });
            }
            // The term is over by now: what follows says so.
            Err(error) => {
                tracing::warn!(?which, %error, "a hook was not started");
                self.events.push_back(Event::HookEnded { is_good: false });
            }
        }
        Ok(())
    }

    fn surroundings(&self) -> Surroundings<'_> {
        Surroundings {
            args: &self.args,
            address: &self.address,
            candidate: &self.candidate,
            server: self.server.as_ref(),
        }
    }

    /// The guard kills the command at the hard deadline of this term, from now on.
    fn bind(&mut self, binding: u64) -> Result<(), Failure> {
        self.campaign = None;
        let leadership = self
            .granted
            .take()
            .expect("a term that was granted is kept");
        let mut term = Held::new(leadership);
        if let Some(command) = &self.command {
            // It is not told that it leads unless this has been sent.
            let bound = command.leash().bind(binding, bound(&term.guard));
            bound.map_err(|cause| {
                Failure::new("cannot bind the command to the lease").because(cause)
            })?;
            let feeder = feed(command.leash(), term.guard.clone(), binding, self.retry);
            term.feeder = Some(tokio::spawn(feeder));
        }
        self.desk.seat(Some(Arc::clone(&term.office)));
        self.term = Some(term);
        Ok(())
    }

    fn free(&mut self, binding: u64) {
        if let Some(term) = &mut self.term
            && let Some(feeder) = term.feeder.take()
        {
            feeder.abort();
        }
        if let Some(command) = &self.command {
            // If the guard is gone, the next event says so.
            let _ = command.leash().bind(binding, Deadlines::NEVER);
        }
    }

    fn tell(&mut self, tell: Tell) {
        let epoch = self.machine.epoch().map(incumbent::Epoch::get);
        let told = match tell {
            Tell::Standby(number) => {
                tracing::info!(number, "standing by");
                Told::standby(number)
            }
            Tell::Leader(number) => {
                let term = self.term.as_ref().expect("a leader has a term");
                tracing::info!(epoch, number, "the command is told that it leads");
                Told::leader(number, term.guard.clone())
            }
            Tell::SteppingDown { number, until, why } => {
                self.publishing = None;
                let until = self.begin + until;
                let within = until.saturating_duration_since(Instant::now());
                tracing::info!(
                    epoch,
                    number,
                    why,
                    ?within,
                    "the command is told to stand by, and waited for"
                );
                Told::stepping_down(number, self.machine.epoch(), until, why)
            }
        };
        self.desk.board.tell(told);
    }

    fn publish(&mut self) {
        let Some(term) = &self.term else { return };
        let (args, office) = (Arc::clone(&self.args), Arc::clone(&term.office));
        self.publishing = Some(Box::pin(async move {
            let published = publish(&args, &office);
            match tokio::time::timeout(args.ready_timeout, published).await {
                // If the term is over, `lost` says why.
                Ok(Ok(()) | Err(incumbent::Error::Fenced { .. })) => Ok(Event::Published),
                Ok(Err(error)) => Err(error),
                Err(_) => Ok(Event::NotReady),
            }
        }));
    }

    fn withdraw(&mut self) {
        self.publishing = None;
        let Some(term) = &self.term else { return };
        let (args, office) = (Arc::clone(&self.args), Arc::clone(&term.office));
        let retry = self.retry;
        self.withdrawing = Some(Box::pin(
            async move { withdraw(&args, &office, retry).await },
        ));
    }

    /// Ends the command. An application that is not ours cannot be ended: it had its time.
    fn stop(&mut self, grace: Duration) {
        match &self.command {
            // If the guard is gone, the next event says so.
            Some(command) => drop(command.stop(grace)),
            None if self.args.command.is_empty() => self.events.push_back(Event::Exited {
                code: 0,
                by_itself: false,
                pause: Duration::ZERO,
            }),
            None => {}
        }
    }

    /// Gives up the term. The store may take its time to hear of it: nothing here waits for that
    /// but the next campaign.
    fn resign(&mut self, to: Option<HolderName>) {
        (self.publishing, self.withdrawing) = (None, None);
        self.desk.seat(None);
        if let Some(term) = self.term.take() {
            let office = Arc::clone(&term.office);
            self.resigning = Some(Box::pin(async move { drop(office.resign(to).await) }));
        }
    }

    /// Ends what is left, and gives up the term after that.
    async fn end_all(&mut self) {
        (self.campaign, self.granted) = (None, None);
        if let Some(command) = &mut self.command {
            let _ = command.stop(Duration::ZERO);
            while command
                .next_event()
                .await
                .is_ok_and(|event| !is_end(&event))
            {}
        }
        if let Some(hook) = &mut self.hook {
            let _ = hook.process.stop(Duration::ZERO);
            let _ = hook.ended().await;
        }
        self.resign(None);
    }
}

fn is_end(event: &incumbent_guard::Event) -> bool {
    matches!(event, incumbent_guard::Event::Ended(_))
}

/// The result of a future, once; forever nothing if there is none.
async fn resolved<T>(future: &mut Option<Boxed<T>>) -> T {
    let Some(running) = future else {
        return std::future::pending().await;
    };
    let result = running.await;
    *future = None;
    result
}

async fn resolved_of<T>(future: Option<&mut Option<Boxed<T>>>) -> T {
    match future {
        Some(future) => resolved(future).await,
        None => std::future::pending().await,
    }
}

async fn of_command(
    command: &mut Option<Guarded>,
) -> Result<incumbent_guard::Event, incumbent_guard::GuardLost> {
    match command {
        Some(command) => command.next_event().await,
        None => std::future::pending().await,
    }
}

async fn of_hook(hook: &mut Option<Hook>) -> Result<bool, incumbent_guard::GuardLost> {
    match hook {
        Some(hook) => hook.ended().await,
        None => std::future::pending().await,
    }
}

async fn reached(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
