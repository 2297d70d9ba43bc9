//! [`Term`]: the loop of one term, from events to the machine and from its actions to the world.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use incumbent::{Change, HolderName, Leadership, LostBecause};
use incumbent_cluster_core::leader::{
    Answer, Leader, LeaderAction, LeaderConfig, LeaderEvent, Question,
};
use incumbent_cluster_core::message::Ack;
use incumbent_cluster_core::{JobId, NodeNonce};
use metrics::counter;
use tokio::sync::{mpsc, oneshot};

use super::Shared;
use super::archive::Archive;
use super::checkpoints::Checkpoints;
use super::door::{Door, Input};
use super::gauges::Gauges;
use super::lanes::Lanes;
use super::questions::Questions;
use super::records::Records;
use super::remains::Remains;
use super::supply::Supplying;
use super::told::tell;
use super::watches::Watches;
use crate::node::Node;

/// How many events of lanes and watches wait for the loop. More wait where they are.
const MOST_EVENTS: usize = 1024;

/// How many reports wait for their acknowledgement before those are dropped whose sender is gone.
const TIDY_AT: usize = 1024;

/// How long the loop sleeps at most: the machine's own timers are usually earlier.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);

/// Why a term ended.
#[derive(Clone, Debug)]
pub(super) enum Ended {
    /// It was lost: not renewed in time, or superseded.
    Lost(LostBecause),
    /// A record or a TaskManager has seen a newer term.
    Superseded,
    /// Somebody asked this leader to hand over.
    Asked(Option<HolderName>),
    /// This process ends.
    ShuttingDown,
}

/// Questions that a term has not answered. Dropping it tells those who wait that this node does not
/// lead.
pub(super) struct Unanswered {
    _questions: Questions,
    _inputs: mpsc::Receiver<Input>,
}

/// One term of this process. Everything that it has begun ends with it.
pub(super) struct Term {
    node: Node,
    door: Arc<Door>,
    leader: Leader,
    records: Records,
    lanes: Lanes,
    watches: Watches,
    checkpoints: Checkpoints,
    questions: Questions,
    reports: HashMap<(NodeNonce, u64), oneshot::Sender<Ack>>,
    gauges: Gauges,
    supplying: Option<Supplying>,
    inputs: mpsc::Receiver<Input>,
    events: mpsc::Receiver<LeaderEvent>,
    /// What the loop itself has to tell the machine next.
    next: VecDeque<LeaderEvent>,
    is_over: bool,
}

impl Term {
    /// A term that begins. Requests find it by the door from now on.
    pub(super) fn begin(shared: &Shared, leadership: &Arc<Leadership>) -> (Self, Arc<Door>) {
        let node = shared.node.clone();
        let (seal, guard) = (leadership.seal(), leadership.guard());
        let (door, inputs) = Door::new(guard.clone());
        let door = Arc::new(door);
        let (sender, events) = mpsc::channel(MOST_EVENTS);
        let lease = node.group().timing().lease();
        let config = LeaderConfig {
            checkpoint_interval: node.checkpoint_interval(),
            ..LeaderConfig::usual(lease, node.url())
        };
        let now = node.now();
        let archive = Archive::new(node.blobs().clone());
        let remains = Remains::new(node.blobs().clone(), guard.clone());
        let supplying = (shared.maker.as_ref())
            .map(|maker| Supplying::begin(maker, &node, seal, guard.clone(), sender.clone()));
        let term = Self {
            leader: Leader::new(config, seal, now),
            records: Records::new(Arc::clone(leadership), archive, remains),
            lanes: Lanes::new(node.client().clone(), guard.clone(), sender.clone()),
            checkpoints: Checkpoints::new(node.blobs().clone(), guard, sender.clone()),
            watches: Watches::new(node.group().holder().clone(), sender),
            questions: Questions::default(),
            reports: HashMap::new(),
            gauges: Gauges::new(now),
            supplying,
            door: Arc::clone(&door),
            inputs,
            events,
            next: VecDeque::from([LeaderEvent::Tick]),
            is_over: false,
            node,
        };
        (term, door)
    }

    /// Performs the term until it is over, and then nothing of it goes on. Returns why it ended,
    /// and the questions that are not answered. They are to be kept until the guard has ended:
    /// before that, a node that gives up its term would answer them with an error, and after that
    /// it passes them on to the next leader.
    pub(super) async fn run(
        mut self,
        leadership: &Leadership,
        shutdown: impl Future<Output = ()>,
    ) -> (Ended, Unanswered) {
        let mut lost = std::pin::pin!(leadership.lost());
        let mut asked = std::pin::pin!(leadership.asked_to_resign());
        let mut shutdown = std::pin::pin!(shutdown);
        let mut changes = leadership.group().changes();
        let ended = loop {
            while let Some(event) = self.next.pop_front() {
                self.step(event);
            }
            if self.is_over {
                break Ended::Superseded;
            }
            if let Some(supplying) = &mut self.supplying {
                supplying.look(&self.leader, self.node.now().time);
            }
            let sleep = self.until_tick();
            tokio::select! {
                why = &mut lost => break Ended::Lost(why),
                to = &mut asked => break Ended::Asked(to),
                () = &mut shutdown => break Ended::ShuttingDown,
                Some(input) = self.inputs.recv() => self.take(input),
                Some(event) = self.events.recv() => self.next.push_back(event),
                done = self.records.next() => match self.records.take(done) {
                    Some(event) => self.next.push_back(event),
                    None => self.is_over = true,
                },
                // They begin with everything that there is.
                changed = changes.next(), if self.records.is_listed() => self.changed(changed),
                () = tokio::time::sleep(sleep) => {
                    self.next.push_back(LeaderEvent::Tick);
                }
            }
        };
        // TaskManagers that wait are told first: they look for the next leader.
        drop((self.reports, self.watches));
        if let Some(supplying) = self.supplying {
            supplying.end().await;
        }
        self.lanes.end().await;
        self.checkpoints.end().await;
        self.records.end().await;
        let unanswered = Unanswered {
            _questions: self.questions,
            _inputs: self.inputs,
        };
        (ended, unanswered)
    }

    fn until_tick(&self) -> Duration {
        let now = self.node.now().time;
        let wake = self.leader.next_wake();
        let wake = wake.map_or(LONGEST_SLEEP, |at| at.since(now));
        let supplying = self.supplying.as_ref();
        let look = supplying.and_then(|supplying| supplying.until_due(now));
        wake.min(self.gauges.until_due(now))
            .min(look.unwrap_or(LONGEST_SLEEP))
            .min(LONGEST_SLEEP)
    }

    fn take(&mut self, input: Input) {
        let event = match input {
            Input::Asked { question, answer } => {
                let ticket = self.questions.ticket(answer);
                LeaderEvent::Asked { ticket, question }
            }
            Input::Reported {
                report,
                address,
                answer,
            } => {
                counter!("incumbent_cluster_reports_total").increment(1);
                if let Some(address) = &address {
                    self.lanes.aim(report.from, address);
                }
                if self.reports.len() >= TIDY_AT {
                    self.reports.retain(|_, answer| !answer.is_closed());
                }
                self.reports.insert((report.from, report.seq), answer);
                LeaderEvent::Reported { report, address }
            }
            Input::Hinted(job) => {
                if self.records.is_found(job) {
                    return;
                }
                LeaderEvent::Hinted(job)
            }
        };
        self.next.push_back(event);
    }

    /// Records have changed. What this term has found itself is no news, as nobody else writes it.
    fn changed(&mut self, changes: Vec<Change>) {
        for change in changes {
            let job = JobId::of_record(change.name());
            if let Some(job) = job.filter(|job| !self.records.is_found(*job)) {
                self.next.push_back(LeaderEvent::Hinted(job));
            }
        }
    }

    fn step(&mut self, event: LeaderEvent) {
        let now = self.node.now();
        self.gauges.see(&event, now);
        let actions = self.leader.step(now, event);
        for action in actions {
            // At the end of a term, whatever is left is not done.
            if self.is_over || !self.door.guard.is_valid() {
                return;
            }
            self.perform(action);
        }
        if self.gauges.is_due(now) {
            self.ask_for_gauges();
        }
    }

    fn perform(&mut self, action: LeaderAction) {
        match action {
            LeaderAction::List => self.records.list(),
            LeaderAction::Open(job) => self.records.open(job),
            LeaderAction::Commit(body) => {
                self.gauges.committing(&body, self.node.now());
                self.records.commit(body);
            }
            LeaderAction::Erase {
                job,
                record,
                is_archived,
            } => {
                self.checkpoints.forget(job);
                self.records.erase(job, record, is_archived);
            }
            // The order to report follows.
            LeaderAction::Dial(node) => self.lanes.aim(node.nonce, &node.address),
            LeaderAction::Order(order) => {
                self.gauges.ordering(&order);
                if let Err(undelivered) = self.lanes.send(order) {
                    self.next.push_back(undelivered);
                }
            }
            LeaderAction::Acknowledge { to, ack } => {
                if let Some(answer) = self.reports.remove(&(to, ack.seq)) {
                    // Its sender may be gone.
                    let _ = answer.send(ack);
                }
            }
            LeaderAction::Watch(node) => self.watches.watch(&node),
            LeaderAction::Unwatch(node) => {
                self.watches.unwatch(node);
                self.lanes.drop_lane(node);
                self.door.registry.forget(node);
            }
            LeaderAction::StoreManifest(manifest) => self.checkpoints.store_manifest(manifest),
            LeaderAction::FindSavepoint(id) => self.checkpoints.find_savepoint(id),
            LeaderAction::MarkSavepoint {
                job,
                incarnation,
                name,
                savepoint,
            } => {
                let checkpoints = &mut self.checkpoints;
                checkpoints.mark_savepoint(job, incarnation, name, savepoint);
            }
            LeaderAction::RemoveSavepoint(id) => self.checkpoints.remove_savepoint(id),
            LeaderAction::Tidy(tidy) => self.checkpoints.tidy(tidy),
            LeaderAction::Answer { ticket, answer } => {
                let answer = self.completed(answer);
                if !self.gauges.take(ticket, &answer, self.node.now()) {
                    self.questions.answer(ticket, answer);
                }
            }
            LeaderAction::Tell(story) => {
                tell(self.node.name(), self.door.guard.epoch(), &story);
            }
            LeaderAction::StepDown => self.is_over = true,
        }
    }

    /// Adds what only the JobManager knows: who it is, and who stands by.
    fn completed(&self, mut answer: Answer) -> Answer {
        if let Answer::Cluster(view) = &mut answer {
            super::cluster_view::complete(
                view,
                &self.node,
                &self.door.registry,
                self.gauges.since(),
            );
        }
        answer
    }

    fn ask_for_gauges(&mut self) {
        let ticket = self.questions.own_ticket();
        self.gauges.asked(ticket, self.node.now());
        let question = Question::Cluster;
        self.next.push_back(LeaderEvent::Asked { ticket, question });
    }
}
