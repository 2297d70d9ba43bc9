//! The thin driver of one group's [`Election`]: one task per [`Group`](crate::Group) that performs
//! what the core decides.
//!
//! It owns the requests to the root, the one watch, the liveness endpoint and the connection to the
//! leader's. Handles talk to it through a bounded channel and learn from it through watch channels.
//! When the last handle is gone, it gives up what it leads and ends.

mod contact;
mod perform;
mod requests;
mod rights;
mod rivals;
mod story;
mod troubles;

use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::sync::Arc;

pub(crate) use contact::Contact;
use futures::StreamExt;
use futures::future::BoxFuture;
use incumbent_backend::{Backend, Gone, Hint, Presence, WatchStream};
use incumbent_core::election::{Change, Config, Election, Event, LostBecause};
use incumbent_core::{GroupName, HolderName, Key, Nonce, View};
use rights::Permission;
use rivals::{Probe, Rival, Verdict, vanished, verdict};
use story::Story;
pub use story::describe;
use tokio::sync::{mpsc, oneshot, watch};

use crate::Clock;
use crate::liveness::LivenessServer;
use crate::term::{Taken, Term};

/// Most commands that wait for the node. Further senders wait.
pub(crate) const MOST_COMMANDS: usize = 64;

/// What a handle asks of the node.
pub(crate) enum Command {
    /// Campaign until granted, or until the receiver is gone.
    Campaign {
        granted: oneshot::Sender<Grant>,
        liveness: Option<Arc<LivenessServer>>,
    },
    /// Change the root. The answer is false if this process does not lead.
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

/// A term, given to the campaign that won it.
pub(crate) struct Grant {
    pub(crate) term: Arc<Term>,
    pub(crate) taken: Taken,
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
    server: Option<Arc<LivenessServer>>,
    probe: Option<Probe>,
    /// The holder that has to go, if the backend shows that it lives.
    rival: Option<Rival>,
    campaigner: Option<oneshot::Sender<Grant>>,
    permission: Permission,
    term: Option<Arc<Term>>,
    /// Resolves if something other than this node ends the term.
    ended: Option<watch::Receiver<Option<LostBecause>>>,
    /// Ends when the application has dropped its leadership.
    work: Option<oneshot::Receiver<Infallible>>,
    /// What the liveness endpoint says until the work of a term has ended, even if the term is
    /// over.
    working: Option<Nonce>,
    /// What the backend shows to others for as long.
    presence: Option<Presence>,
    resigned: Option<oneshot::Sender<LostBecause>>,
    tickets: BTreeMap<u64, oneshot::Sender<bool>>,
    next_ticket: u64,
    follow_ups: VecDeque<Event>,
    story: Story,
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
            campaigner: None,
            permission: Permission::default(),
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
                        tracing::warn!(group = %self.setup.group, "the watch on the group ended; polling the root instead");
                        self.hints = futures::stream::pending().boxed();
                        None
                    }
                },
                answer = self.permission.answer() => self.permitted(answer),
                (nonce, verdict) = verdict(&self.probe) => {
                    self.probe = None;
                    self.story.dead(verdict, self.election.rival());
                    Some(Event::Dead { nonce })
                }
                (nonce, gone) = vanished(&mut self.rival) => {
                    self.rival = None;
                    let verdict = match gone {
                        Gone::Unseen => Verdict::Vanished,
                        Gone::Ended(how) => Verdict::Ended(how),
                    };
                    self.story.dead(verdict, self.election.rival());
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
                let offer = liveness.as_ref().map(|server| server.address().clone());
                self.election.offer_liveness(offer);
                self.server = liveness;
                self.campaigner = Some(granted);
                self.campaign()
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
                    // The term ended at this very moment. The receiver may be gone.
                    let _ = done.send(LostBecause::ResignedUnheard);
                    None
                }
            },
        }
    }

    fn hinted(&self, hint: Hint) -> Option<Event> {
        self.setup.contact.hinted(&self.setup.group, &hint);
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
            self.doubt_rights(&event);
            self.story.before(&self.election, now.time, &event);
            for action in self.election.step(now, event) {
                self.perform(action);
            }
        }
        self.publish();
    }
}

async fn answer(request: &mut Option<BoxFuture<'static, Event>>) -> Event {
    match request {
        Some(request) => request.await,
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
            // The channel carries nothing. That it closes is the message.
            let Err(_) = work.await;
        }
        None => std::future::pending().await,
    }
}

/// The end of a term that something other than this node noticed first: a record that was fenced,
/// or the deadline thread.
async fn outside(lost: &mut Option<watch::Receiver<Option<LostBecause>>>) -> LostBecause {
    let Some(lost) = lost else {
        return std::future::pending().await;
    };
    match lost.wait_for(Option::is_some).await.map(|why| why.clone()) {
        Ok(Some(why)) => why,
        Ok(None) | Err(_) => std::future::pending().await,
    }
}
