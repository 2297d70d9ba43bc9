//! [`World`]: a store, TaskManagers with processes, and leaders, one after another.

mod apps;
mod jobs;
mod leading;
mod tasks;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, SystemTime};

use incumbent_core::{Epoch, Nonce, Now, Seal, Time};

pub(super) use self::apps::{App, Blobs};
pub(crate) use self::jobs::checkpointing;
pub(super) use self::jobs::{fenced, spec};

use crate::leader::{Answer, Leader, LeaderConfig, LeaderEvent, Story};
use crate::message::{Common, EndedHow, NodeInfo};
use crate::record::LivenessAddress;
use crate::task_manager::{Said, TaskManager, TaskManagerConfig, TaskManagerEvent};
use crate::{JobId, JobRecord, NodeNonce, TaskId};

pub(in crate::tests) const LEASE: Duration = Duration::from_secs(10);
pub(in crate::tests) const HEARTBEAT: Duration = Duration::from_secs(2);

/// Everything there is.
pub(in crate::tests) struct World {
    pub(in crate::tests) time: Duration,
    pub(in crate::tests) store: BTreeMap<JobId, Stored>,
    pub(in crate::tests) leader: Option<Leader>,
    epoch: u64,
    pub(in crate::tests) nodes: BTreeMap<NodeNonce, Node>,
    queue: VecDeque<Message>,
    pub(in crate::tests) answers: BTreeMap<u64, Answer>,
    pub(in crate::tests) stories: Vec<Story>,
    /// Everything that the leader wanted, in words that tests compare.
    pub(in crate::tests) trace: Vec<String>,
    /// What becomes of the next commits.
    pub(in crate::tests) faults: VecDeque<Fault>,
    /// Whether records can be read.
    pub(in crate::tests) is_store_up: bool,
    /// Whether opening is held back.
    pub(in crate::tests) holds_opening: bool,
    held: Vec<JobId>,
    /// A commit of which nothing was told.
    silent: Option<JobRecord>,
    /// The jobs of which a commit is under way.
    committing: BTreeSet<JobId>,
    pub(in crate::tests) archived: Vec<JobId>,
    /// Whether nothing can be erased.
    pub(in crate::tests) never_erases: bool,
    pub(in crate::tests) blobs: Blobs,
    /// How many items the first source of a job has; without end if not said.
    pub(in crate::tests) lengths: BTreeMap<JobId, u64>,
    /// Ranks that acknowledge no checkpoint.
    pub(in crate::tests) late: BTreeSet<u32>,
    /// Ranks that never say that they are ready.
    pub(in crate::tests) never_ready: BTreeSet<u32>,
    /// Ranks that do not end when they are told to stop.
    pub(in crate::tests) never_stops: BTreeSet<u32>,
    /// The leader dies when it has had so many more of its actions performed.
    pub(in crate::tests) dies_after: Option<usize>,
    watched: BTreeSet<NodeNonce>,
    next_pid: u32,
    submitted: u64,
    next_ticket: u64,
    pub(in crate::tests) config: LeaderConfig,
}

pub(in crate::tests) struct Stored {
    pub(in crate::tests) record: JobRecord,
    seal: Option<Seal>,
    pub(in crate::tests) damage: Option<String>,
}

pub(in crate::tests) struct Node {
    pub(in crate::tests) machine: TaskManager,
    pub(in crate::tests) processes: BTreeMap<TaskId, Process>,
    pub(in crate::tests) is_dead: bool,
    /// Whether its death can be proven.
    pub(in crate::tests) has_proof: bool,
    /// Messages to and from the leader are lost.
    pub(in crate::tests) is_cut: bool,
    /// Orders are lost, reports are not.
    pub(in crate::tests) loses_orders: bool,
    /// Its processes do not end when ordered.
    pub(in crate::tests) is_stubborn: bool,
    pub(in crate::tests) has_exited: bool,
    next_port: u16,
}

pub(in crate::tests) struct Process {
    pub(in crate::tests) pid: u32,
    pub(in crate::tests) isolated_at: Option<Time>,
    pub(in crate::tests) slot: u32,
    pub(in crate::tests) is_exclusive: bool,
    pub(in crate::tests) app: Option<App>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::tests) enum Fault {
    None,
    NotApplied,
    UnknownWritten,
    UnknownLost,
    /// The leader dies before it is answered, and the commit is lost.
    LeaderDies,
    /// It stays under way.
    Silent,
}

enum Message {
    Leader(LeaderEvent),
    Node(NodeNonce, TaskManagerEvent),
    /// A task says something.
    Said(NodeNonce, TaskId, Said),
    /// It says so when its start is known.
    Later(NodeNonce, TaskId, Said),
}

impl World {
    /// TaskManagers with these many slots, named `tm-0` and so on, and a leader.
    pub(in crate::tests) fn new(slots: &[u32]) -> Self {
        let mut world = Self {
            time: Duration::from_secs(1000),
            store: BTreeMap::new(),
            leader: None,
            epoch: 0,
            nodes: BTreeMap::new(),
            queue: VecDeque::new(),
            answers: BTreeMap::new(),
            stories: Vec::new(),
            trace: Vec::new(),
            faults: VecDeque::new(),
            is_store_up: true,
            holds_opening: false,
            held: Vec::new(),
            silent: None,
            committing: BTreeSet::new(),
            archived: Vec::new(),
            never_erases: false,
            blobs: Blobs::default(),
            lengths: BTreeMap::new(),
            late: BTreeSet::new(),
            never_ready: BTreeSet::new(),
            never_stops: BTreeSet::new(),
            dies_after: None,
            watched: BTreeSet::new(),
            next_pid: 100,
            submitted: 0,
            next_ticket: 0,
            config: LeaderConfig::usual(LEASE, "http://leader".to_owned()),
        };
        for slots in slots {
            world.add_node(*slots);
        }
        world.elect();
        world
    }

    pub(in crate::tests) fn now(&self) -> Now {
        Now {
            time: Time::from_origin(self.time),
            wall: SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000) + self.time,
        }
    }

    pub(in crate::tests) fn add_node(&mut self, slots: u32) -> NodeNonce {
        let number = self.nodes.len();
        self.add_named(&format!("tm-{number}"), slots)
    }

    pub(in crate::tests) fn add_named(&mut self, name: &str, slots: u32) -> NodeNonce {
        let number = self.nodes.len();
        let nonce = NodeNonce::new(number as u128 + 1);
        let config = TaskManagerConfig {
            nonce,
            node: NodeInfo {
                name: name.to_owned(),
                pid: u32::try_from(number).unwrap() + 1,
                advertise: None,
                port: 9000,
                is_tls: false,
                slots,
                liveness: Some(LivenessAddress {
                    address: format!("{name}:1"),
                    scope: None,
                    nonce: nonce.to_string(),
                }),
                version: "test".to_owned(),
                common: Common::default(),
            },
            heartbeat: HEARTBEAT,
            patience: Duration::from_secs(3),
        };
        let machine = TaskManager::new(config, self.now());
        let node = Node {
            machine,
            processes: BTreeMap::new(),
            is_dead: false,
            has_proof: true,
            is_cut: false,
            loses_orders: false,
            is_stubborn: false,
            has_exited: false,
            next_port: 20_000 + 100 * u16::try_from(number).unwrap(),
        };
        self.nodes.insert(nonce, node);
        self.see_leader(nonce);
        nonce
    }

    /// The leader is gone; nobody leads.
    pub(in crate::tests) fn kill_leader(&mut self) {
        self.leader = None;
        self.watched.clear();
        self.held.clear();
        self.committing.clear();
        self.queue
            .retain(|message| !matches!(message, Message::Leader(_)));
    }

    /// A new leader, in a new term.
    pub(in crate::tests) fn elect(&mut self) {
        self.kill_leader();
        self.epoch += 1;
        self.leader = Some(Leader::new(self.config.clone(), self.seal(), self.now()));
        self.queue.push_back(Message::Leader(LeaderEvent::Tick));
        for nonce in self.nodes.keys().copied().collect::<Vec<_>>() {
            self.see_leader(nonce);
        }
        self.settle();
    }

    pub(in crate::tests) fn seal(&self) -> Seal {
        Seal {
            epoch: Epoch::new(self.epoch),
            nonce: Nonce::new(u128::from(self.epoch)),
        }
    }

    fn see_leader(&mut self, nonce: NodeNonce) {
        if self.epoch > 0 && !self.nodes[&nonce].is_cut {
            let event = TaskManagerEvent::LeaderSeen {
                seal: self.seal(),
                address: "http://leader".to_owned(),
            };
            self.queue.push_back(Message::Node(nonce, event));
        } else {
            self.queue
                .push_back(Message::Node(nonce, TaskManagerEvent::Tick));
        }
    }

    /// Every TaskManager learns who leads.
    pub(in crate::tests) fn see_leaders(&mut self) {
        for nonce in self.nodes.keys().copied().collect::<Vec<_>>() {
            self.see_leader(nonce);
        }
        self.settle();
    }

    /// How many records are being opened.
    pub(in crate::tests) fn held_count(&self) -> usize {
        self.held.len()
    }

    /// Lets everything happen that happens without time passing.
    pub(in crate::tests) fn settle(&mut self) {
        let mut steps = 0;
        while let Some(message) = self.queue.pop_front() {
            steps += 1;
            assert!(steps < 1_000_000, "this does not come to rest");
            match message {
                Message::Leader(event) => self.step_leader(event),
                Message::Node(nonce, event) => self.step_node(nonce, event),
                Message::Later(nonce, task, said) => {
                    self.queue.push_back(Message::Said(nonce, task, said));
                }
                Message::Said(nonce, task, said) => {
                    if self.app(nonce, task).is_some() {
                        self.step_node(nonce, TaskManagerEvent::Said { task, said });
                    }
                }
            }
        }
    }

    /// Lets this much time pass.
    pub(in crate::tests) fn run(&mut self, duration: Duration) {
        let end = self.time + duration;
        self.settle();
        loop {
            let leader = self.leader.as_ref().and_then(Leader::next_wake);
            let living = self.nodes.values().filter(|node| !node.is_dead);
            let nodes = living.filter_map(|node| {
                let isolated = node.processes.values().filter_map(|p| p.isolated_at).min();
                node.machine.next_wake().into_iter().chain(isolated).min()
            });
            let next = nodes.chain(leader).min().map(Time::since_origin);
            let next = next
                .unwrap_or(end)
                .max(self.time + Duration::from_millis(1));
            if next > end {
                self.time = end;
                return;
            }
            self.time = next;
            self.isolate();
            if self.leader.is_some() {
                self.queue.push_back(Message::Leader(LeaderEvent::Tick));
            }
            for nonce in self.nodes.keys().copied().collect::<Vec<_>>() {
                self.queue
                    .push_back(Message::Node(nonce, TaskManagerEvent::Tick));
            }
            self.settle();
        }
    }

    /// Guards end what is past its deadline.
    fn isolate(&mut self) {
        let now = self.now().time;
        let mut ended = Vec::new();
        for (nonce, node) in &mut self.nodes {
            node.processes.retain(|task, process| {
                let is_over = process.isolated_at.is_some_and(|at| at <= now);
                if is_over {
                    ended.push((*nonce, *task));
                }
                !is_over
            });
        }
        for (nonce, task) in ended {
            self.ended(nonce, task, EndedHow::Isolated, &[]);
        }
    }
}
