//! [`JobManager`]: a candidate, and while it leads the driver of a [`Leader`].
//!
//! It performs what the cores decide, as the real driver does. Records of jobs are numbers in the
//! store: the world keeps what they stand for.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use incumbent_cluster_core::leader::{
    Leader, LeaderAction, LeaderConfig, LeaderEvent, Question, Ticket,
};
use incumbent_cluster_core::message::Ack;
use incumbent_cluster_core::record::PlacedNode;
use incumbent_cluster_core::{JobId, JobRecord, JobState, NodeNonce};
use incumbent_core::election::{Action, Config, Election, Event, SwapAnswer};
use incumbent_core::record::RecordBody;
use incumbent_core::write::{Answer, Step, Write};
use incumbent_core::{Epoch, Nonce, Now, Seal, Time, Version};

use super::fact::Fact;
use super::janitor::{BlobWork, OfTerm};
use super::mode::ClusterMutation;
use super::mutate;
use super::outbox::Outbox;
use super::plan::Plan;
use super::world::Process;
use crate::clock::{Clock, Instant};
use crate::faults::nanos;
use crate::history::{Item, first_nonce};
use crate::node::holder;
use crate::store::{self, Call, Reply, Stored};

/// Room between the nonces of the processes of this crate and those of TaskManagers.
pub(super) const TASK_MANAGER_NONCES: u128 = 1 << 127;

/// One life of one JobManager.
pub(super) struct JobManager {
    pub(super) process: Process,
    pub(super) host: usize,
    pub(super) clock: Clock,
    election: Election,
    requests: BTreeMap<u64, Waiting>,
    pub(super) writes: BTreeMap<u64, Writing>,
    pub(super) term: Option<Term>,
    tick_at: Option<Instant>,
    next_seq: u64,
}

/// A term that this process leads.
pub(super) struct Term {
    pub(super) seal: Seal,
    pub(super) leader: Leader,
    /// The version, and the number of its creation, of each open record.
    pub(super) handles: BTreeMap<JobId, (Version, Option<Nonce>)>,
    addresses: BTreeMap<NodeNonce, String>,
    pub(super) watched: BTreeMap<NodeNonce, PlacedNode>,
    /// The numbers of checkpoints that this term commits, or has.
    pub(super) numbers: BTreeSet<(JobId, u64)>,
    /// It was lost, and only a mutation keeps it.
    is_over: bool,
}

/// What reaches a JobManager.
#[derive(Clone, Debug)]
pub(super) enum JobManagerMail {
    Tick {
        at: Instant,
    },
    RootHint {
        version: Option<Version>,
    },
    HolderDead {
        nonce: Nonce,
    },
    Reply {
        request: u64,
        reply: Reply,
    },
    Listed {
        request: u64,
        jobs: Vec<JobId>,
    },
    Refused {
        request: u64,
    },
    TimedOut {
        request: u64,
    },
    Again {
        write: u64,
        step: Step,
    },
    ListAgain,
    /// For this term only.
    OfTerm {
        seal: Seal,
        mail: Box<JobManagerMail>,
    },
    /// The savepoints of this job are marked: its record may be erased.
    Erase {
        job: JobId,
    },
    Asked {
        ticket: Ticket,
        question: Question,
    },
    /// An event of the present leader: a report, a verdict, a hint.
    Leader(Box<LeaderEvent>),
}

pub(super) enum Waiting {
    Root,
    Swap,
    Scan { left: Vec<Item>, highest: Epoch },
    Write { write: u64, reads: bool },
    Confirm { write: u64 },
    List,
}

pub(super) struct Writing {
    pub(super) write: Write,
    pub(super) item: Item,
    pub(super) goal: Goal,
    pub(super) tries: u32,
}

pub(super) enum Goal {
    Floor {
        seal: Seal,
    },
    Open(JobId),
    Commit {
        job: JobId,
        /// The leader was told before that it took effect: a rule is left out.
        is_told: bool,
    },
    Erase(JobId),
}

impl JobManager {
    pub(super) fn start(
        process: Process,
        host: usize,
        plan: &Plan,
        clock: Clock,
        out: &mut Outbox<'_>,
    ) -> Self {
        let config = Config {
            holder: holder(host),
            timing: plan.timing,
            liveness: Some(incumbent_core::root::LivenessAddress {
                address: format!("jm-{host}:1"),
                scope: None,
                advertised: false,
            }),
            nonces: first_nonce(
                process,
                u32::try_from(out.dice.range(0, 1 << 32)).expect("in range"),
            ),
        };
        let mut started = Self {
            process,
            host,
            clock,
            election: Election::new(config),
            requests: BTreeMap::new(),
            writes: BTreeMap::new(),
            term: None,
            tick_at: None,
            next_seq: 0,
        };
        started.elect(Event::Tick, out);
        started.elect(Event::Campaign, out);
        started.sleep(out);
        started
    }

    /// The holder that it would like to know dead.
    pub(super) fn probe_target(&self) -> Option<Nonce> {
        self.election.probe_target().map(|(_, nonce)| nonce)
    }

    pub(super) fn handle(&mut self, mail: JobManagerMail, out: &mut Outbox<'_>) {
        match mail {
            JobManagerMail::Tick { at } => {
                if self.tick_at != Some(at) {
                    return;
                }
                self.tick_at = None;
                self.elect(Event::Tick, out);
                self.lead(LeaderEvent::Tick, out);
            }
            JobManagerMail::RootHint { version } => self.elect(Event::Hint { version }, out),
            JobManagerMail::HolderDead { nonce } => self.elect(Event::Dead { nonce }, out),
            JobManagerMail::Reply { request, reply } => {
                self.answered(request, Some(reply), true, out)
            }
            JobManagerMail::Refused { request } => self.answered(request, None, false, out),
            JobManagerMail::TimedOut { request } => self.answered(request, None, true, out),
            JobManagerMail::Listed { request, jobs } => {
                if self.requests.remove(&request).is_some() {
                    self.lead(LeaderEvent::Listed(jobs), out);
                }
            }
            JobManagerMail::Again { write, step } => {
                if self.writes.contains_key(&write) {
                    self.go_on(write, step, out);
                }
            }
            JobManagerMail::ListAgain => self.list(out),
            JobManagerMail::OfTerm { seal, mail } => {
                if self.term.as_ref().is_some_and(|term| term.seal == seal) {
                    self.handle(*mail, out);
                }
            }
            JobManagerMail::Erase { job } => self.erase(job, out),
            JobManagerMail::Asked { ticket, question } => {
                if let (Question::RemoveSavepoint(id), ClusterMutation::RemovedInUse) =
                    (&question, out.plan.mutation)
                {
                    self.blob_work(BlobWork::Remove(*id), out);
                }
                self.lead(LeaderEvent::Asked { ticket, question }, out);
            }
            JobManagerMail::Leader(event) => self.lead(*event, out),
        }
        self.sleep(out);
    }

    fn now(&self, out: &Outbox<'_>) -> Now {
        self.clock.now(out.now)
    }

    fn sleep(&mut self, out: &mut Outbox<'_>) {
        let leader = self.term.as_ref().filter(|term| !term.is_over);
        let leader = leader.and_then(|term| term.leader.next_wake());
        let wake = leader.map_or(self.election.wakeup(), |at| at.min(self.election.wakeup()));
        if let Some(at) = self.clock.when(wake) {
            let at = at.max(out.now);
            if self.tick_at.is_none_or(|tick| at < tick) {
                self.tick_at = Some(at);
                out.wake_job_manager(self.host, self.process, at, JobManagerMail::Tick { at });
            }
        }
    }

    // The election.

    pub(super) fn elect(&mut self, event: Event, out: &mut Outbox<'_>) {
        for action in self.election.step(self.now(out), event) {
            match action {
                Action::ReadRoot => self.ask(Waiting::Root, Item::Root, Call::Read, out),
                Action::ScanSeals => {
                    let mut left: Vec<_> = out.items.clone();
                    left.push(Item::Floor);
                    self.scan(left, Epoch::ZERO, out);
                }
                Action::SwapRoot { expected, root } => {
                    let body = Stored::Root(root);
                    self.ask(
                        Waiting::Swap,
                        Item::Root,
                        Call::Swap { expected, body },
                        out,
                    );
                }
                Action::SealFloor { seal } => {
                    self.writes
                        .retain(|_, writing| !matches!(writing.goal, Goal::Floor { .. }));
                    let seq = self.fresh_seq();
                    let (write, step) = Write::floor(seal, seq);
                    self.begin(write, step, Item::Floor, Goal::Floor { seal }, out);
                }
                Action::Granted { seal, .. } => self.granted(seal, out),
                Action::Lost { .. } => {
                    self.lost(out);
                    self.elect(Event::Campaign, out);
                }
                Action::Changed { .. } | Action::Refused { .. } | Action::AskedToResign { .. } => {}
            }
        }
    }

    fn scan(&mut self, mut left: Vec<Item>, highest: Epoch, out: &mut Outbox<'_>) {
        match left.pop() {
            Some(item) => self.ask(Waiting::Scan { left, highest }, item, Call::Read, out),
            None => self.elect(Event::SealsScanned { highest }, out),
        }
    }

    fn granted(&mut self, seal: Seal, out: &mut Outbox<'_>) {
        let mut now = self.now(out);
        if out.plan.mutation == ClusterMutation::SilenceBeforeGrant {
            now.time = Time::default();
        }
        let mut lease = out.plan.timing.lease();
        if out.plan.mutation == ClusterMutation::AdoptInHaste {
            lease = Duration::ZERO;
        }
        let config = LeaderConfig {
            silence: out.plan.silence,
            lease,
            reserve_after: Duration::from_secs(5),
            most_opening: 64,
            most_terminal: 1000,
            checkpoint_interval: Duration::from_secs(1),
            address: format!("jm-{}", self.host),
        };
        self.term = Some(Term {
            seal,
            leader: Leader::new(config, seal, now),
            handles: BTreeMap::new(),
            addresses: BTreeMap::new(),
            watched: BTreeMap::new(),
            numbers: BTreeSet::new(),
            is_over: false,
        });
        self.lead(LeaderEvent::Tick, out);
    }

    fn lost(&mut self, out: &mut Outbox<'_>) {
        if out.plan.mutation == ClusterMutation::AcknowledgeWithoutGuard {
            if let Some(term) = &mut self.term {
                term.is_over = true;
            }
        } else {
            self.term = None;
        }
        self.writes
            .retain(|_, writing| matches!(writing.goal, Goal::Floor { .. }));
        self.requests
            .retain(|_, waiting| !matches!(waiting, Waiting::List));
    }

    /// Whether the guard of the term is valid.
    fn is_valid(&self, out: &Outbox<'_>) -> bool {
        let now = self.now(out).time;
        self.election.valid_until().is_some_and(|until| now < until)
    }

    // The leader.

    pub(super) fn lead(&mut self, event: LeaderEvent, out: &mut Outbox<'_>) {
        let event = mutate::event(event, out);
        if let LeaderEvent::Reported { report, address } = &event
            && let (Some(term), Some(address)) = (&mut self.term, address)
        {
            term.addresses.insert(report.from, address.clone());
        }
        let now = self.now(out);
        let Some(term) = &mut self.term else { return };
        out.trace(|| format!("  leader {:?} gets {event:?}", term.seal));
        let actions = term.leader.step(now, event);
        let is_over = term.is_over;
        for action in actions {
            if is_over && !matches!(action, LeaderAction::Acknowledge { .. }) {
                continue;
            }
            self.perform(action, out);
        }
    }

    fn perform(&mut self, action: LeaderAction, out: &mut Outbox<'_>) {
        let Some(term) = &mut self.term else { return };
        let seal = term.seal;
        match action {
            LeaderAction::List => self.list(out),
            LeaderAction::Open(job) => {
                let seq = self.fresh_seq();
                let (write, step) = Write::open(seal, seq);
                self.begin(write, step, out.item(job), Goal::Open(job), out);
            }
            LeaderAction::Commit(record) => self.commit(seal, *record, out),
            LeaderAction::Erase { job, record, .. } => {
                if record.savepoints.is_empty() {
                    return self.erase(job, out);
                }
                let work = BlobWork::MarkAndErase {
                    job,
                    incarnation: record.incarnation,
                    savepoints: record.savepoints,
                };
                self.blob_work(work, out);
            }
            LeaderAction::Dial(node) => {
                term.addresses.entry(node.nonce).or_insert(node.address);
            }
            LeaderAction::Order(mut order) => {
                mutate::order(&mut order, &term.numbers, out);
                let address = term.addresses.get(&order.to).cloned();
                let known = term.watched.get(&order.to).map(|node| node.address.clone());
                if let Some(address) = address.or(known) {
                    out.facts.push(Fact::Sent {
                        seal,
                        order: (*order).clone(),
                    });
                    out.order(self.host, self.process, &address, *order);
                }
            }
            LeaderAction::Acknowledge { to, ack } => {
                let unchecked = out.plan.mutation == ClusterMutation::AcknowledgeWithoutGuard;
                if unchecked || self.is_valid(out) {
                    out.acknowledge(self.host, to, ack);
                }
            }
            LeaderAction::Watch(node) => {
                term.watched.insert(node.nonce, node);
            }
            LeaderAction::Unwatch(node) => {
                term.watched.remove(&node);
            }
            LeaderAction::StoreManifest(manifest) => {
                self.blob_work(BlobWork::StoreManifest(manifest), out);
            }
            LeaderAction::FindSavepoint(id) => self.blob_work(BlobWork::Find(id), out),
            LeaderAction::MarkSavepoint {
                job,
                incarnation,
                savepoint,
                ..
            } => {
                let work = BlobWork::Mark {
                    job,
                    incarnation,
                    savepoint,
                };
                self.blob_work(work, out);
            }
            LeaderAction::RemoveSavepoint(id) => self.blob_work(BlobWork::Remove(id), out),
            LeaderAction::Tidy(tidy) => self.blob_work(BlobWork::Tidy(tidy), out),
            LeaderAction::Answer { ticket, answer } => out.answered(ticket, answer),
            LeaderAction::Tell(story) => out.trace(|| format!("  leader says: {}", story.text)),
            LeaderAction::StepDown => {
                self.elect(Event::Resign { prefer: None }, out);
            }
        }
    }

    fn list(&mut self, out: &mut Outbox<'_>) {
        if self.term.is_none() {
            return;
        }
        let request = out.number();
        self.requests.insert(request, Waiting::List);
        out.list(self.host, self.process, request);
        self.time_out(request, out);
    }

    fn commit(&mut self, seal: Seal, mut record: JobRecord, out: &mut Outbox<'_>) {
        let job = record.id;
        mutate::commit(&mut record, out);
        let seq = self.fresh_seq();
        let Some(term) = &mut self.term else { return };
        let last = record.checkpoints.last();
        let has_new = last.is_some_and(|last| term.numbers.insert((job, last.number)));
        let is_told = match out.plan.mutation {
            ClusterMutation::ActBeforeSwap => true,
            ClusterMutation::CommittedBeforeSwap => has_new,
            ClusterMutation::KillBeforeSwap => {
                matches!(record.state, JobState::Restarting | JobState::Stopping)
                    && record.closing.is_none()
            }
            _ => false,
        };
        let Some((version, created)) = term.handles.get(&job).cloned() else {
            out.facts.push(Fact::Healed);
            panic!("the leader commits {job}, whose record is not open");
        };
        let data = out.keep(Arc::new(record));
        let (write, step) = Write::commit(seal, seq, version, created, Some(data));
        self.begin(
            write,
            step,
            out.item(job),
            Goal::Commit { job, is_told },
            out,
        );
        if is_told {
            self.lead(LeaderEvent::Committed(job), out);
        }
    }

    pub(super) fn erase(&mut self, job: JobId, out: &mut Outbox<'_>) {
        let Some(term) = &mut self.term else { return };
        let Some((version, _)) = term.handles.remove(&job) else {
            return;
        };
        let seal = term.seal;
        let seq = self.fresh_seq();
        let (write, step) = Write::erase(seal, seq, version);
        self.begin(write, step, out.item(job), Goal::Erase(job), out);
    }

    fn blob_work(&self, work: BlobWork, out: &mut Outbox<'_>) {
        let Some(term) = &self.term else { return };
        let by = OfTerm {
            host: self.host,
            process: self.process,
            seal: term.seal,
        };
        out.blob_work(by, work);
    }

    // Requests to the store.

    pub(super) fn ask(&mut self, waiting: Waiting, item: Item, call: Call, out: &mut Outbox<'_>) {
        let request = out.number();
        self.requests.insert(request, waiting);
        out.call(self.host, self.process, request, item, call);
        self.time_out(request, out);
    }

    fn time_out(&mut self, request: u64, out: &mut Outbox<'_>) {
        let patience = self.clock.truly(nanos(out.plan.timing.request_timeout()));
        let at = out.now + patience;
        out.wake_job_manager(
            self.host,
            self.process,
            at,
            JobManagerMail::TimedOut { request },
        );
    }

    fn answered(&mut self, request: u64, reply: Option<Reply>, sent: bool, out: &mut Outbox<'_>) {
        let Some(waiting) = self.requests.remove(&request) else {
            return; // It was given up before.
        };
        match waiting {
            Waiting::Root => self.root_read(reply, out),
            Waiting::Swap => {
                let answer = match (reply, sent) {
                    (Some(Reply::Swapped(answer)), _) => answer,
                    (_, true) => SwapAnswer::Unknown,
                    (_, false) => SwapAnswer::NotApplied,
                };
                self.elect(Event::RootSwapped(answer), out);
            }
            Waiting::Scan { left, highest } => match reply {
                Some(Reply::Found(found)) => {
                    let seal =
                        found.map_or(Epoch::ZERO, |(_, body)| store::describe(&body).seal().epoch);
                    self.scan(left, highest.max(seal), out);
                }
                _ => self.elect(Event::SealsUnread, out),
            },
            Waiting::Write { write, reads } => {
                let answer = match (reply, sent) {
                    (Some(Reply::Swapped(SwapAnswer::Committed(version))), _) => {
                        Answer::Committed(version)
                    }
                    (Some(Reply::Swapped(SwapAnswer::Conflict)), _) => Answer::Conflict,
                    (Some(Reply::Found(found)), _) => Answer::Read(found.map(as_record)),
                    _ if reads => Answer::Unread,
                    (_, true) => Answer::Unknown,
                    _ => Answer::NotApplied,
                };
                self.write_answered(write, answer, out);
            }
            Waiting::Confirm { write } => {
                let answer = match reply {
                    Some(Reply::Found(found)) => {
                        Answer::Floor(found.map(|(_, body)| store::describe(&body).seal()))
                    }
                    _ => Answer::Unread,
                };
                self.write_answered(write, answer, out);
            }
            Waiting::List => {
                let at = out.now + nanos(out.plan.timing.retry()) / 4;
                out.wake_job_manager(self.host, self.process, at, JobManagerMail::ListAgain);
            }
        }
    }

    fn root_read(&mut self, reply: Option<Reply>, out: &mut Outbox<'_>) {
        let event = match reply {
            Some(Reply::Found(found)) => Event::RootRead {
                root: found.map(|(version, body)| match body {
                    Stored::Root(root) => (version, root),
                    Stored::Record(_) => unreachable!("the root is no record"),
                }),
            },
            _ => Event::RootUnread,
        };
        self.elect(event, out);
    }

    pub(super) fn fresh_seq(&mut self) -> u64 {
        self.next_seq += 1;
        self.next_seq
    }
}

impl Term {
    /// Whether a report from this TaskManager would be acknowledged to it.
    pub(super) fn leads(&self) -> bool {
        !self.is_over
    }
}

fn as_record((version, body): (Version, Stored)) -> (Version, RecordBody) {
    match body {
        Stored::Record(body) => (version, body),
        Stored::Root(_) => unreachable!("a record is no root"),
    }
}

/// What a TaskManager gets for a report.
#[derive(Clone, Debug)]
pub(super) struct Acknowledged {
    pub(super) to: NodeNonce,
    pub(super) ack: Ack,
}
