//! [`World`]: a store, TaskManagers with processes, and leaders, one after another.

#![allow(dead_code)]

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, SystemTime};

use incumbent_core::{Epoch, Nonce, Now, Seal, Time};

use crate::leader::{
    Answer, Leader, LeaderAction, LeaderConfig, LeaderEvent, Opened, Question, Story, Ticket,
    Unwritten,
};
use crate::message::{Command, EndedHow, NodeInfo};
use crate::record::{FORMAT, LivenessAddress};
use crate::task_manager::{TaskManager, TaskManagerAction, TaskManagerConfig, TaskManagerEvent};
use crate::view::JobView;
use crate::{
    Attempt, Desired, Incarnation, Isolation, JobId, JobRecord, JobSpec, JobState, NodeNonce, Rank,
    Restart, TaskId,
};

pub(super) const LEASE: Duration = Duration::from_secs(10);
pub(super) const HEARTBEAT: Duration = Duration::from_secs(2);

/// Everything there is.
pub(super) struct World {
    pub(super) time: Duration,
    pub(super) store: BTreeMap<JobId, Stored>,
    pub(super) leader: Option<Leader>,
    epoch: u64,
    pub(super) nodes: BTreeMap<NodeNonce, Node>,
    queue: VecDeque<Message>,
    pub(super) answers: BTreeMap<u64, Answer>,
    pub(super) stories: Vec<Story>,
    /// Everything that the leader wanted, in words that tests compare.
    pub(super) trace: Vec<String>,
    /// What becomes of the next commits.
    pub(super) faults: VecDeque<Fault>,
    /// Whether records can be read.
    pub(super) is_store_up: bool,
    /// Whether opening is held back.
    pub(super) holds_opening: bool,
    held: Vec<JobId>,
    pub(super) archived: Vec<JobId>,
    watched: BTreeSet<NodeNonce>,
    next_pid: u32,
    next_ticket: u64,
    pub(super) config: LeaderConfig,
}

pub(super) struct Stored {
    pub(super) record: JobRecord,
    seal: Option<Seal>,
    pub(super) damage: Option<String>,
}

pub(super) struct Node {
    pub(super) machine: TaskManager,
    pub(super) processes: BTreeMap<TaskId, Process>,
    pub(super) is_dead: bool,
    /// Whether its death can be proven.
    pub(super) has_proof: bool,
    /// Messages to and from the leader are lost.
    pub(super) is_cut: bool,
    /// Orders are lost, reports are not.
    pub(super) loses_orders: bool,
    /// Its processes do not end when ordered.
    pub(super) is_stubborn: bool,
    pub(super) has_exited: bool,
    next_port: u16,
}

pub(super) struct Process {
    pub(super) pid: u32,
    pub(super) isolated_at: Option<Time>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    None,
    NotApplied,
    UnknownWritten,
    UnknownLost,
    /// The leader dies before it is answered, and the commit is lost.
    LeaderDies,
}

enum Message {
    Leader(LeaderEvent),
    Node(NodeNonce, TaskManagerEvent),
}

impl World {
    /// TaskManagers with these many slots, named `tm-0` and so on, and a leader.
    pub(super) fn new(slots: &[u32]) -> Self {
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
            archived: Vec::new(),
            watched: BTreeSet::new(),
            next_pid: 100,
            next_ticket: 0,
            config: LeaderConfig::usual(LEASE, "http://leader".to_owned()),
        };
        for slots in slots {
            world.add_node(*slots);
        }
        world.elect();
        world
    }

    pub(super) fn now(&self) -> Now {
        Now {
            time: Time::from_origin(self.time),
            wall: SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000) + self.time,
        }
    }

    pub(super) fn add_node(&mut self, slots: u32) -> NodeNonce {
        let number = self.nodes.len();
        self.add_named(&format!("tm-{number}"), slots)
    }

    pub(super) fn add_named(&mut self, name: &str, slots: u32) -> NodeNonce {
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
    pub(super) fn kill_leader(&mut self) {
        self.leader = None;
        self.watched.clear();
        self.held.clear();
        self.queue
            .retain(|message| !matches!(message, Message::Leader(_)));
    }

    /// A new leader, in a new term.
    pub(super) fn elect(&mut self) {
        self.kill_leader();
        self.epoch += 1;
        self.leader = Some(Leader::new(self.config.clone(), self.seal(), self.now()));
        self.queue.push_back(Message::Leader(LeaderEvent::Tick));
        for nonce in self.nodes.keys().copied().collect::<Vec<_>>() {
            self.see_leader(nonce);
        }
        self.settle();
    }

    pub(super) fn seal(&self) -> Seal {
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

    /// Lets everything happen that happens without time passing.
    pub(super) fn settle(&mut self) {
        let mut steps = 0;
        while let Some(message) = self.queue.pop_front() {
            steps += 1;
            assert!(steps < 1_000_000, "this does not come to rest");
            match message {
                Message::Leader(event) => self.step_leader(event),
                Message::Node(nonce, event) => self.step_node(nonce, event),
            }
        }
    }

    /// Lets this much time pass.
    pub(super) fn run(&mut self, duration: Duration) {
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

    fn step_leader(&mut self, event: LeaderEvent) {
        let now = self.now();
        let Some(leader) = &mut self.leader else {
            return;
        };
        for action in leader.step(now, event) {
            self.perform(action);
        }
    }

    fn perform(&mut self, action: LeaderAction) {
        let answer = match action {
            LeaderAction::List if self.is_store_up => {
                LeaderEvent::Listed(self.store.keys().copied().collect())
            }
            LeaderAction::List => return,
            LeaderAction::Open(job) if self.holds_opening => return self.held.push(job),
            LeaderAction::Open(job) => self.open(job),
            LeaderAction::Commit(record) => {
                self.trace.push(format!(
                    "commit {:?} attempt {}",
                    record.state, record.attempt
                ));
                match self.commit(*record) {
                    Some(event) => event,
                    None => return,
                }
            }
            LeaderAction::Erase { job, archive } => {
                self.trace.push(format!("erase {job}"));
                self.archived.extend(archive.map(|record| record.id));
                self.store.remove(&job);
                LeaderEvent::Erased(job)
            }
            LeaderAction::Dial(_) => return,
            LeaderAction::Order(order) => {
                self.trace.push(match &order.command {
                    Command::Report { .. } => "report".to_owned(),
                    Command::Deploy(deploy) => {
                        format!("deploy {} {}", deploy.task.attempt, deploy.task.rank)
                    }
                    Command::End { task, .. } => format!("end {} {}", task.attempt, task.rank),
                    Command::Forget { tasks } => format!("forget {}", tasks.len()),
                    Command::Drain => "drain".to_owned(),
                });
                let to = order.to;
                let lost = self
                    .nodes
                    .get(&to)
                    .is_none_or(|node| node.is_dead || node.is_cut || node.loses_orders);
                if lost {
                    let why = "connection refused".to_owned();
                    LeaderEvent::Undelivered { to, order, why }
                } else {
                    return self.step_node(to, TaskManagerEvent::Ordered(order));
                }
            }
            LeaderAction::Acknowledge { to, ack } => {
                let sent_at = self.now().time;
                if let Some(node) = self.nodes.get(&to)
                    && !node.is_cut
                {
                    let event = TaskManagerEvent::Acknowledged { ack, sent_at };
                    self.queue.push_back(Message::Node(to, event));
                }
                return;
            }
            LeaderAction::Watch(place) => {
                self.watched.insert(place.nonce);
                return self.prove(place.nonce);
            }
            LeaderAction::Unwatch(nonce) => {
                self.watched.remove(&nonce);
                return;
            }
            LeaderAction::Answer { ticket, answer } => {
                let before = self.answers.insert(ticket.0, answer);
                assert!(before.is_none(), "a question is answered once");
                return;
            }
            LeaderAction::Tell(story) => return self.stories.push(story),
            LeaderAction::StepDown => {
                self.trace.push("step down".to_owned());
                return self.kill_leader();
            }
        };
        self.queue.push_back(Message::Leader(answer));
    }

    fn open(&mut self, job: JobId) -> LeaderEvent {
        let seal = self.seal();
        let found = match self.store.get_mut(&job) {
            _ if !self.is_store_up => Opened::Unavailable,
            None => Opened::Absent,
            Some(stored) => {
                stored.seal = Some(seal);
                match &stored.damage {
                    Some(why) => Opened::Damaged(why.clone()),
                    None => Opened::Record(Box::new(stored.record.clone())),
                }
            }
        };
        LeaderEvent::Opened { job, found }
    }

    /// Answers what was held back.
    pub(super) fn open_held(&mut self) {
        self.holds_opening = false;
        for job in std::mem::take(&mut self.held) {
            let event = self.open(job);
            self.queue.push_back(Message::Leader(event));
        }
        self.settle();
    }

    fn commit(&mut self, record: JobRecord) -> Option<LeaderEvent> {
        let seal = self.seal();
        let job = record.id;
        let not = |why| Some(LeaderEvent::NotCommitted { job, why });
        if !self.is_store_up {
            return not(Unwritten::NotApplied);
        }
        let fault = self.faults.pop_front().unwrap_or(Fault::None);
        let stored = self.store.get_mut(&job).expect("it was opened");
        assert_eq!(stored.seal, Some(seal), "only what is open is committed");
        match fault {
            Fault::None => {
                stored.record = record;
                Some(LeaderEvent::Committed(job))
            }
            Fault::NotApplied => not(Unwritten::NotApplied),
            Fault::UnknownWritten => {
                stored.record = record;
                not(Unwritten::Unknown)
            }
            Fault::UnknownLost => not(Unwritten::Unknown),
            Fault::LeaderDies => {
                self.kill_leader();
                None
            }
        }
    }

    fn step_node(&mut self, nonce: NodeNonce, event: TaskManagerEvent) {
        let now = self.now();
        let Some(node) = self.nodes.get_mut(&nonce) else {
            return;
        };
        if node.is_dead {
            return;
        }
        let order = match &event {
            TaskManagerEvent::Ordered(order) => Some(order.clone()),
            _ => None,
        };
        let actions = node.machine.step(now, event);
        for (at, action) in actions.into_iter().enumerate() {
            match action {
                TaskManagerAction::Accept => {
                    let (to, seq) = (nonce, order.as_ref().unwrap().seq);
                    assert_eq!(at, 0);
                    let event = LeaderEvent::Delivered { to, seq };
                    self.queue.push_back(Message::Leader(event));
                }
                TaskManagerAction::Refuse(why) => {
                    assert_eq!(at, 0);
                    let order = order.clone().unwrap();
                    self.trace.push(format!("refused: {why}"));
                    let by = nonce;
                    let event = LeaderEvent::OrderRefused { by, order, why };
                    self.queue.push_back(Message::Leader(event));
                }
                action => self.perform_of_node(nonce, action),
            }
        }
    }

    fn perform_of_node(&mut self, nonce: NodeNonce, action: TaskManagerAction) {
        let node = self.nodes.get_mut(&nonce).unwrap();
        let event = match action {
            TaskManagerAction::Accept | TaskManagerAction::Refuse(_) => unreachable!(),
            TaskManagerAction::Start {
                deploy,
                isolated_at,
            } => {
                self.next_pid += 1;
                let pid = self.next_pid;
                let process = Process { pid, isolated_at };
                let before = node.processes.insert(deploy.task, process);
                assert!(before.is_none(), "a task is started once");
                let task = deploy.task;
                TaskManagerEvent::Started { task, pid }
            }
            TaskManagerAction::Extend { task, isolated_at } => {
                if let Some(process) = node.processes.get_mut(&task) {
                    process.isolated_at = Some(isolated_at);
                }
                return;
            }
            TaskManagerAction::End { .. } if node.is_stubborn => return,
            TaskManagerAction::End { task, .. } => {
                node.processes.remove(&task);
                TaskManagerEvent::Ended {
                    task,
                    how: EndedHow::Ordered,
                    last_lines: Vec::new(),
                }
            }
            TaskManagerAction::Send { report, .. } => {
                if node.is_cut || self.leader.is_none() {
                    let seq = report.seq;
                    TaskManagerEvent::Unacknowledged { seq }
                } else {
                    let name = report.node.as_ref().map(|info| info.name.clone());
                    let address = name.map(|name| format!("{name}:9000"));
                    let event = LeaderEvent::Reported { report, address };
                    return self.queue.push_back(Message::Leader(event));
                }
            }
            TaskManagerAction::Reserve { slot } => {
                node.next_port += 1;
                let port = node.next_port;
                TaskManagerEvent::Reserved { slot, port }
            }
            TaskManagerAction::Exit => {
                node.has_exited = true;
                return self.kill(nonce);
            }
            TaskManagerAction::Tell(story) => return self.stories.push(story),
        };
        self.queue.push_back(Message::Node(nonce, event));
    }

    /// A TaskManager dies, and its tasks with it.
    pub(super) fn kill(&mut self, nonce: NodeNonce) {
        let node = self.nodes.get_mut(&nonce).unwrap();
        node.is_dead = true;
        node.processes.clear();
        self.prove(nonce);
    }

    fn prove(&mut self, nonce: NodeNonce) {
        let is_proven = self
            .nodes
            .get(&nonce)
            .is_none_or(|node| node.is_dead && node.has_proof);
        if is_proven && self.watched.contains(&nonce) {
            self.queue
                .push_back(Message::Leader(LeaderEvent::Dead(nonce)));
        }
    }

    /// A process ends by itself.
    pub(super) fn exit(&mut self, task: TaskId, code: i32, lines: &[&str]) {
        let nonce = self.place_of(task).expect("the task runs");
        let node = self.nodes.get_mut(&nonce).unwrap();
        node.processes.remove(&task);
        self.ended(nonce, task, EndedHow::Exited { code }, lines);
        self.settle();
    }

    fn ended(&mut self, nonce: NodeNonce, task: TaskId, how: EndedHow, lines: &[&str]) {
        let last_lines = lines.iter().map(|line| (*line).to_owned()).collect();
        let event = TaskManagerEvent::Ended {
            task,
            how,
            last_lines,
        };
        self.queue.push_back(Message::Node(nonce, event));
    }

    pub(super) fn place_of(&self, task: TaskId) -> Option<NodeNonce> {
        let mut nodes = self.nodes.iter();
        nodes.find_map(|(nonce, node)| node.processes.contains_key(&task).then_some(*nonce))
    }

    /// A new job, whose record any node creates.
    pub(super) fn submit(&mut self, spec: JobSpec) -> JobId {
        let number = self.store.len() as u64 + 1;
        let id = JobId::new(u128::from(number));
        self.store.insert(
            id,
            Stored {
                record: JobRecord {
                    format: FORMAT,
                    id,
                    incarnation: Incarnation::new(number + 1000),
                    submitted_at: String::new(),
                    submitted_ms: number,
                    spec,
                    state: JobState::Waiting,
                    desired: Desired::Running,
                    attempt: Attempt(0),
                    nodes: Vec::new(),
                    placements: Vec::new(),
                    ended: Vec::new(),
                    restarts: 0,
                    restarts_in_row: 0,
                    cause: None,
                    ended_at: None,
                },
                seal: None,
                damage: None,
            },
        );
        self.queue
            .push_back(Message::Leader(LeaderEvent::Hinted(id)));
        self.settle();
        id
    }

    /// Asks, and returns the name of the answer.
    pub(super) fn ask(&mut self, question: Question) -> u64 {
        self.next_ticket += 1;
        let ticket = Ticket(self.next_ticket);
        self.queue
            .push_back(Message::Leader(LeaderEvent::Asked { ticket, question }));
        self.settle();
        self.next_ticket
    }

    pub(super) fn tell_leader(&mut self, event: LeaderEvent) {
        self.queue.push_back(Message::Leader(event));
        self.settle();
    }

    pub(super) fn tell_node(&mut self, nonce: NodeNonce, event: TaskManagerEvent) {
        self.queue.push_back(Message::Node(nonce, event));
        self.settle();
    }

    pub(super) fn view(&mut self, job: JobId) -> JobView {
        let ticket = self.ask(Question::Job(job));
        match self.answers.get(&ticket) {
            Some(Answer::Job(view)) => (**view).clone(),
            other => panic!("{other:?} instead of a view"),
        }
    }

    pub(super) fn record(&self, job: JobId) -> &JobRecord {
        &self.store[&job].record
    }

    /// A rank of an attempt.
    pub(super) fn task(&self, job: JobId, attempt: u32, rank: u32) -> TaskId {
        TaskId {
            job,
            incarnation: self.record(job).incarnation,
            attempt: Attempt(attempt),
            rank: Rank(rank),
        }
    }

    /// Attempts of a job that have a process, with their pids.
    pub(super) fn alive(&self, job: JobId) -> Vec<(u32, u32, u32)> {
        let processes = self.nodes.values().flat_map(|node| &node.processes);
        let mut alive: Vec<_> = processes
            .filter(|(task, _)| task.job == job)
            .map(|(task, process)| (task.attempt.0, task.rank.0, process.pid))
            .collect();
        alive.sort_unstable();
        alive
    }

    /// Forgets what was traced, and returns it without what only tidies up.
    pub(super) fn take_trace(&mut self) -> Vec<String> {
        let mut trace = std::mem::take(&mut self.trace);
        trace.retain(|line| line != "report" && !line.starts_with("forget"));
        trace
    }
}

/// A job of this name with these many tasks.
pub(super) fn spec(name: &str, tasks: u32) -> JobSpec {
    JobSpec {
        name: name.to_owned(),
        tasks,
        command: vec!["sleep".to_owned(), "1".to_owned()],
        artifact: None,
        env: BTreeMap::new(),
        env_files: BTreeMap::new(),
        restart: Restart::default(),
        isolation: Isolation::default(),
        grace_ms: 10_000,
        endpoints: Vec::new(),
    }
}

pub(super) fn fenced(name: &str, tasks: u32) -> JobSpec {
    JobSpec {
        isolation: Isolation::Fenced,
        ..spec(name, tasks)
    }
}
