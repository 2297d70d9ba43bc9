//! What the machine wants done, is done.

use std::sync::Arc;
use std::time::Duration;

use incumbent::HolderName;
use incumbent_guard::{Deadlines, Guarded};
use tokio::time::Instant;

use super::Driver;
use crate::exit::Failure;
use crate::http;
use crate::run::args::WarmWhen;
use crate::run::endpoints::{publish, withdraw};
use crate::run::records_api::Told;
use crate::run::term::spawn_failure;
use crate::run::warm::command::{Surroundings, bound};
use crate::run::warm::hook::Hook;
use crate::run::warm::machine::{Action, Because, Event, Tell, Which};
use crate::run::warm::term::{Boxed, Held, feed};

/// How often a URL is asked whether the command is warm.
const WARM_PAUSE: Duration = Duration::from_millis(50);

impl Driver {
    pub(super) async fn perform(&mut self, action: Action) -> Result<(), Failure> {
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
            Action::Kill(because) => {
                warn_of_kill(because, self.args.command.is_empty());
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
            match publish(&args, &office).await {
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
            self.resigning = Some(Box::pin(async move {
                // Why the term is over is known here.
                let _ = office.resign(to).await;
            }));
        }
    }

    /// Ends what is left, and gives up the term after that.
    pub(super) async fn end_all(&mut self) {
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

/// Says what becomes of the command now; or, beside an application, what does not.
fn warn_of_kill(because: Because, is_beside: bool) {
    match (because, is_beside) {
        (Because::Unacknowledged, false) => {
            tracing::warn!("the command did not acknowledge in time that it stands by; ending it");
        }
        (Because::Unacknowledged, true) => tracing::warn!(
            "the application did not acknowledge in time that it stands by, and a sidecar cannot \
             end it; giving up the term, so another node may lead while it still acts"
        ),
        (Because::AskedAgain, false) => {
            tracing::warn!("asked a second time to end; ending the command at once");
        }
        (Because::AskedAgain, true) => tracing::warn!(
            "asked a second time to end; not waiting for the application to stand by"
        ),
    }
}

fn is_end(event: &incumbent_guard::Event) -> bool {
    matches!(event, incumbent_guard::Event::Ended(_))
}
