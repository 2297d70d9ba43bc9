//! The thin driver of one group's [`Election`]: one task per [`Group`](crate::Group) that performs
//! what the core decides.
//!
//! It owns the requests to the root, the one watch, the liveness endpoint and the connection to the
//! leader's. Handles talk to it through a bounded channel and learn from it through watch channels;
//! when the last handle is gone it gives up what it leads and ends.

mod requests;
mod story;

use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use futures::StreamExt;
use futures::future::BoxFuture;
use incumbent_backend::{Backend, Gone, Hint, Presence, WatchStream};
use incumbent_core::election::{Action, Change, Config, Election, Event, LostBecause, SwapAnswer};
use incumbent_core::{GroupName, HolderName, Key, Nonce, Time, View, root};
use tokio::sync::{mpsc, oneshot, watch};

use crate::Clock;
use crate::liveness::{Server, Verdict, probe, scope};
use crate::term::Term;
use story::Story;
pub use story::describe;

/// Commands that wait for the node; more make their senders wait.
pub(crate) const MOST_COMMANDS: usize = 64;

/// What a handle asks of the node.
pub(crate) enum Command {
    /// Campaign until granted, or until the receiver is gone.
    Campaign {
        granted: oneshot::Sender<Grant>,
        liveness: Option<Arc<Server>>,
    },
    /// Change the root; answered false if this process does not lead.
    Change {
        change: Change,
        done: oneshot::Sender<bool>,
    },
    /// Give up the term.
    Resign {
        prefer: Option<HolderName>,
        done: oneshot::Sender<LostBecause>,
    },
}

/// A term, given to whoever campaigned.
pub(crate) struct Grant {
    pub(crate) term: Arc<Term>,
    /// Dropped when the work of the term has ended.
    pub(crate) work: oneshot::Sender<Infallible>,
}

/// What a node begins with.
pub(crate) struct Setup {
    pub(crate) backend: Arc<dyn Backend>,
    pub(crate) group: GroupName,
    pub(crate) config: Config,
    pub(crate) clock: Clock,
    pub(crate) contact: Arc<Contact>,
    pub(crate) trouble: Arc<requests::Trouble>,
}

/// Whether all is well: when the backend last answered, and whether this process leads.
#[derive(Debug, Default)]
pub(crate) struct Contact {
    /// Nanoseconds of the clock, zero for never.
    at: AtomicU64,
    leading: AtomicBool,
}

/// The ends that handles hold, and the task.
pub(crate) type Spawned = (
    mpsc::Sender<Command>,
    watch::Receiver<Option<View>>,
    tokio::task::JoinHandle<()>,
);

/// The driver.
pub(crate) struct Node {
    setup: Setup,
    root: Key,
    election: Election,
    commands: mpsc::Receiver<Command>,
    views: watch::Sender<Option<View>>,
    hints: WatchStream,
    request: Option<BoxFuture<'static, Event>>,
    floor: Option<BoxFuture<'static, Event>>,
    /// The liveness endpoint, from the first campaign on. Without one, others are not probed
    /// either.
    server: Option<Arc<Server>>,
    probe: Option<Probe>,
    /// The holder that has to go, if the backend shows that it lives.
    rival: Option<Rival>,
    scope: Option<String>,
    campaigner: Option<oneshot::Sender<Grant>>,
    term: Option<Arc<Term>>,
    /// Tells once if somebody else than this node ends the term.
    ended: Option<watch::Receiver<Option<LostBecause>>>,
    /// Ends when the application has dropped its leadership.
    work: Option<oneshot::Receiver<Infallible>>,
    /// What the liveness endpoint says until the work of a term has ended, even if the term is
    /// over.
    working: Option<Nonce>,
    /// Shown by the backend for as long.
    presence: Option<Presence>,
    resigned: Option<oneshot::Sender<LostBecause>>,
    tickets: BTreeMap<u64, oneshot::Sender<bool>>,
    next_ticket: u64,
    follow_ups: VecDeque<Event>,
    story: Story,
}

struct Probe {
    address: String,
    nonce: Nonce,
    run: BoxFuture<'static, Verdict>,
}

struct Rival {
    nonce: Nonce,
    vanished: BoxFuture<'static, Gone>,
}

impl Node {
    /// Begins to follow the group, in a task of its own.
    pub(crate) fn spawn(setup: Setup) -> Spawned {
        let (sender, commands) = mpsc::channel(MOST_COMMANDS);
        let views = watch::Sender::new(None);
        let receiver = views.subscribe();
        let hints = setup.backend.watch(&setup.group);
        let node = Self {
            root: Key::root(setup.group.clone()),
            election: Election::new(setup.config.clone()),
            story: Story::new(&setup),
            setup,
            commands,
            views,
            hints,
            request: None,
            floor: None,
            server: None,
            probe: None,
            rival: None,
            scope: scope(),
            campaigner: None,
            term: None,
            ended: None,
            work: None,
            working: None,
            presence: None,
            resigned: None,
            tickets: BTreeMap::new(),
            next_ticket: 0,
            follow_ups: VecDeque::new(),
        };
        (sender, receiver, tokio::spawn(node.run()))
    }

    async fn run(mut self) {
        let mut closing = false;
        self.step(Event::Tick);
        loop {
            let sleep = self.election.wakeup().since(self.setup.clock.time());
            let event = tokio::select! {
                event = answer(&mut self.request) => {
                    self.request = None;
                    Some(event)
                }
                event = answer(&mut self.floor) => {
                    self.floor = None;
                    Some(event)
                }
                command = self.commands.recv(), if !closing => match command {
                    Some(command) => self.command(command),
                    None => {
                        closing = true;
                        Some(Event::Abstain)
                    }
                },
                hint = self.hints.next() => match hint {
                    Some(hint) => self.hinted(hint),
                    None => {
                        tracing::warn!(group = %self.setup.group, "the watch ended; from here on the root is polled");
                        self.hints = futures::stream::pending().boxed();
                        None
                    }
                },
                (nonce, verdict) = verdict(&mut self.probe) => {
                    self.probe = None;
                    self.story.dead(verdict);
                    Some(Event::Dead { nonce })
                }
                (nonce, gone) = vanished(&mut self.rival) => {
                    self.rival = None;
                    self.story.dead(match gone {
                        Gone::Unseen => Verdict::Vanished,
                        Gone::Ended(how) => Verdict::Ended(how),
                    });
                    Some(Event::Dead { nonce })
                }
                () = given_up(&mut self.campaigner) => {
                    self.campaigner = None;
                    Some(Event::Abstain)
                }
                () = ended(&mut self.work) => {
                    self.work = None;
                    self.working = None;
                    self.presence = None;
                    self.term.is_some().then_some(Event::Resign { prefer: None })
                }
                why = outside(&mut self.ended) => {
                    self.ended = None;
                    Some(match why {
                        LostBecause::Superseded(epoch) => Event::SealSeen { epoch },
                        // The election sees its deadline itself, and a release comes as a command.
                        _ => Event::Tick,
                    })
                }
                () = tokio::time::sleep(sleep) => Some(Event::Tick),
            };
            if let Some(event) = event {
                self.step(event);
            }
            if closing && self.election.claimed().is_none() {
                return;
            }
        }
    }

    fn command(&mut self, command: Command) -> Option<Event> {
        match command {
            Command::Campaign { granted, liveness } => {
                let offer = liveness.as_ref().map(|server| root::Liveness {
                    address: server.advertised().to_owned(),
                    scope: self.scope.clone().filter(|_| server.is_direct()),
                });
                self.election.offer_liveness(offer);
                self.server = liveness;
                self.campaigner = Some(granted);
                Some(Event::Campaign)
            }
            Command::Change { change, done } => {
                self.next_ticket += 1;
                self.tickets.insert(self.next_ticket, done);
                Some(Event::Change {
                    ticket: self.next_ticket,
                    change,
                })
            }
            Command::Resign { prefer, done } => match &self.term {
                Some(_) => {
                    self.resigned = Some(done);
                    Some(Event::Resign { prefer })
                }
                None => {
                    // The term ended at this very moment. Whoever waits may have gone.
                    let _ = done.send(LostBecause::ResignedUnheard);
                    None
                }
            },
        }
    }

    fn hinted(&self, hint: Hint) -> Option<Event> {
        let about_root = hint.key.as_ref().is_none_or(|key| *key == self.root);
        about_root.then_some(Event::Hint {
            version: hint.version,
        })
    }

    fn step(&mut self, event: Event) {
        self.follow_ups.push_back(event);
        while let Some(event) = self.follow_ups.pop_front() {
            let now = self.setup.clock.now();
            self.setup.contact.note(now.time, &event);
            self.story.before(&self.election, now.time, &event);
            for action in self.election.step(now, event) {
                self.perform(action);
            }
        }
        self.publish();
    }

    fn perform(&mut self, action: Action) {
        match action {
            Action::ReadRoot => self.request = Some(requests::read_root(&self.setup)),
            Action::ScanSeals => self.request = Some(requests::scan_seals(&self.setup)),
            Action::SwapRoot { expected, root } => {
                self.request = Some(requests::swap_root(&self.setup, expected, &root));
            }
            Action::SealFloor { seal } => {
                self.floor = Some(requests::seal_floor(&self.setup, seal))
            }
            Action::Granted { seal, vacancy } => {
                self.story.granted(seal, vacancy, self.setup.clock.time());
                let term = Arc::new(Term::new(seal, self.setup.clock));
                self.term = Some(Arc::clone(&term));
                self.ended = Some(term.lost());
                self.extend();
                let (sender, receiver) = oneshot::channel();
                let campaigner = self.campaigner.take();
                match campaigner.map(|campaigner| campaigner.send(Grant { term, work: sender })) {
                    Some(Ok(())) => {
                        self.work = Some(receiver);
                        self.working = Some(seal.nonce);
                        let Setup { backend, group, .. } = &self.setup;
                        self.presence = backend.appear(group, seal.nonce);
                    }
                    // Nobody waits any more: a campaign that was dropped at this very moment.
                    Some(Err(_)) | None => {
                        self.follow_ups.push_back(Event::Resign { prefer: None })
                    }
                }
            }
            Action::Lost { seal, why } => {
                self.story.lost(seal, &why);
                self.ended = None;
                self.floor = None;
                if let Some(term) = self.term.take() {
                    term.end(why.clone());
                }
                if let Some(done) = self.resigned.take() {
                    let _ = done.send(why);
                }
                if self.campaigner.is_some() {
                    self.follow_ups.push_back(Event::Campaign);
                }
            }
            Action::Changed { ticket } => self.tell(ticket, true),
            Action::Refused { ticket } => self.tell(ticket, false),
            Action::AskedToResign { to } => {
                if let Some(term) = &self.term {
                    self.story.asked(to.as_ref());
                    term.ask(to);
                }
            }
        }
    }

    fn tell(&mut self, ticket: u64, changed: bool) {
        if let Some(done) = self.tickets.remove(&ticket) {
            // Whoever waits may have gone; the change stands.
            let _ = done.send(changed);
        }
    }

    /// Lets everybody know what has come of a step.
    fn publish(&mut self) {
        self.extend();
        let view = self.election.view(self.setup.clock.time());
        self.story.view(&view, &self.election);
        self.setup
            .contact
            .leading
            .store(self.term.is_some(), Ordering::Relaxed);
        let view = self.election.is_informed().then_some(view);
        self.views.send_if_modified(|told| {
            let changed = *told != view;
            *told = view;
            changed
        });
        if let Some(server) = &self.server {
            server.say(
                self.election
                    .claimed()
                    .map(|seal| seal.nonce)
                    .or(self.working),
            );
        }
        self.aim_probe();
        self.watch_rival();
    }

    fn extend(&self) {
        if let (Some(term), Some(valid), Some(hard)) = (
            &self.term,
            self.election.valid_until(),
            self.election.hard_until(),
        ) {
            term.extend(valid, hard);
        }
    }

    fn aim_probe(&mut self) {
        let Some((liveness, nonce)) = self
            .election
            .probe_target()
            .filter(|_| self.server.is_some())
        else {
            self.probe = None;
            return;
        };
        if self
            .probe
            .as_ref()
            .is_some_and(|probe| probe.nonce == nonce && probe.address == liveness.address)
        {
            return;
        }
        let address = liveness.address.clone();
        let same_scope = liveness.scope.is_some() && liveness.scope == self.scope;
        let (holder, retry) = (
            self.setup.config.holder.clone(),
            self.setup.config.timing.retry(),
        );
        let target = address.clone();
        let run = Box::pin(async move { probe(&target, nonce, same_scope, &holder, retry).await });
        self.probe = Some(Probe {
            address,
            nonce,
            run,
        });
    }

    fn watch_rival(&mut self) {
        let nonce = self.election.rival().map(|root| root.nonce);
        if nonce == self.rival.as_ref().map(|rival| rival.nonce) {
            return;
        }
        let Setup { backend, group, .. } = &self.setup;
        self.rival = nonce.map(|nonce| Rival {
            nonce,
            vanished: backend.vanished(group, nonce),
        });
    }
}

impl Contact {
    /// How long the backend has not answered; `None` if it never did.
    pub(crate) fn silence(&self, now: Time) -> Option<Duration> {
        let at = self.at.load(Ordering::Relaxed);
        (at > 0).then(|| now.since(Time::from_origin(Duration::from_nanos(at))))
    }

    pub(crate) fn is_leading(&self) -> bool {
        self.leading.load(Ordering::Relaxed)
    }

    fn note(&self, now: Time, event: &Event) {
        let answer = match event {
            Event::RootRead { .. } => true,
            Event::RootSwapped(answer) => {
                matches!(answer, SwapAnswer::Committed(_) | SwapAnswer::Conflict)
            }
            _ => false,
        };
        if answer {
            let nanos = u64::try_from(now.since_origin().as_nanos()).unwrap_or(u64::MAX);
            self.at.store(nanos.max(1), Ordering::Relaxed);
        }
    }
}

async fn answer(request: &mut Option<BoxFuture<'static, Event>>) -> Event {
    match request {
        Some(request) => request.await,
        None => std::future::pending().await,
    }
}

async fn verdict(probe: &mut Option<Probe>) -> (Nonce, Verdict) {
    match probe {
        Some(probe) => (probe.nonce, (&mut probe.run).await),
        None => std::future::pending().await,
    }
}

async fn vanished(rival: &mut Option<Rival>) -> (Nonce, Gone) {
    match rival {
        Some(rival) => (rival.nonce, (&mut rival.vanished).await),
        None => std::future::pending().await,
    }
}

async fn given_up(campaigner: &mut Option<oneshot::Sender<Grant>>) {
    match campaigner {
        Some(campaigner) => campaigner.closed().await,
        None => std::future::pending().await,
    }
}

async fn ended(work: &mut Option<oneshot::Receiver<Infallible>>) {
    match work {
        Some(work) => {
            // It carries nothing; its end is the message.
            let Err(_) = work.await;
        }
        None => std::future::pending().await,
    }
}

/// The end of a term that somebody else than this node noticed first: a record that was fenced, or
/// the deadline thread.
async fn outside(lost: &mut Option<watch::Receiver<Option<LostBecause>>>) -> LostBecause {
    let Some(lost) = lost else {
        return std::future::pending().await;
    };
    match lost.wait_for(Option::is_some).await.map(|why| why.clone()) {
        Ok(Some(why)) => why,
        Ok(None) | Err(_) => std::future::pending().await,
    }
}
