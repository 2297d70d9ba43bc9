//! [`World`]: hosts, store, network and tasks, in virtual time. One seed decides everything.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use incumbent_cluster_core::leader::Tidy;
use incumbent_cluster_core::message::{Order, Refused, Report};
use incumbent_cluster_core::record::JobRecord;
use incumbent_cluster_core::{JobId, NodeNonce, TaskId};
use incumbent_core::Epoch;
use incumbent_core::record::RecordBody;
use serde_json::value::RawValue;

use super::blobs::{Blobs, File, Key};
use super::fact::Fact;
use super::janitor::{BlobWork, OfTerm};
use super::job_manager::{Acknowledged, JobManager, JobManagerMail, TASK_MANAGER_NONCES};
use super::mode::{ClusterMode, ClusterMutation};
use super::outbox::{Effect, Outbox};
use super::owners::Owner;
use super::plan::Plan;
use super::promises::Promises;
use super::simulation::ClusterReport;
use super::task_manager::{TaskManagerMail, TaskManagerProcess};
use super::tasks::{Task, TaskEvent};
use crate::clock::{Clock, Instant};
use crate::dice::Dice;
use crate::faults::nanos;
use crate::history::Item;
use crate::oracle::Broken;
use crate::store::{Call, Reply, Store, Stored};
use crate::trace::Trace;
use crate::world::queue::Queue;

/// In how many parts of the recovery it is looked whether all is well already.
const EARLY_PARTS: u64 = 10;

/// After so many of them in a row nothing more is waited for.
const WELL_ENOUGH: u32 = 2;

/// One life of one host's process.
pub(super) type Process = u32;

/// Everything there is.
pub(super) struct World {
    pub(super) now: Instant,
    pub(super) is_chaos: bool,
    pub(super) dice: Dice,
    pub(super) plan: Plan,
    queue: Queue<Event>,
    last_number: u64,
    last_process: Process,
    pub(super) job_managers: Vec<Host<JobManager, JobManagerMail>>,
    pub(super) task_managers: Vec<Host<TaskManagerProcess, TaskManagerMail>>,
    pub(super) store: Store,
    /// What the numbers in the store stand for.
    pub(super) table: Vec<Arc<JobRecord>>,
    pub(super) tasks: BTreeMap<(Process, TaskId), Task>,
    pub(super) dead: BTreeSet<Process>,
    /// Deaths of TaskManagers that the leader of this epoch was told of.
    pub(super) told: BTreeSet<(Epoch, NodeNonce)>,
    /// Orders that wait for their answers.
    pub(super) orders: BTreeMap<u64, SentOrder>,
    pub(super) owners: Vec<Owner>,
    pub(super) blobs: Blobs,
    /// The newest list of the janitor of a term for each job.
    pub(super) tidies: BTreeMap<(Process, Epoch, JobId), u64>,
    pub(super) last_tidy: u64,
    pub(super) outage_until: Instant,
    /// From when to when a JobManager and a TaskManager do not reach each other.
    pub(super) cut_pairs: BTreeMap<(usize, usize), (Instant, Instant)>,
    /// Until when acknowledgements to a TaskManager are late.
    pub(super) late_acks: BTreeMap<usize, Instant>,
    promises: Promises,
    /// How often in a row all was well.
    well: u32,
    pub(super) trace: Trace,
    facts: Vec<Fact>,
    pub(super) counts: ClusterReport,
}

/// Where a process runs, and what is wrong there.
pub(super) struct Host<P, M> {
    pub(super) running: Option<Box<P>>,
    pub(super) clock: Clock,
    pub(super) paused_until: Instant,
    pub(super) waiting: VecDeque<M>,
    pub(super) store_cut_until: Instant,
}

/// An order on its way.
pub(super) struct SentOrder {
    pub(super) from: (usize, Process),
    pub(super) to: usize,
    pub(super) order: Order,
}

pub(super) enum Event {
    JobManager((usize, Process), JobManagerMail),
    TaskManager((usize, Process), TaskManagerMail),
    Arrive(Box<Request>),
    List {
        from: (usize, Process),
        request: u64,
    },
    OrderArrives(u64),
    OrderGivenUp(u64),
    OrderAnswered {
        request: u64,
        refused: Option<Refused>,
    },
    ReportArrives {
        from: usize,
        to: usize,
        report: Box<Report>,
    },
    AckArrives(Acknowledged),
    Task((Process, TaskId), TaskEvent),
    RestartJobManager(usize),
    RestartTaskManager(usize),
    ResumeJobManager(usize),
    ResumeTaskManager(usize),
    Submit(usize),
    Owner(usize, u64),
    PutFiles(Vec<(Key, File)>),
    DeleteFiles(Vec<Key>),
    BlobWork(OfTerm, BlobWork),
    Tidy(OfTerm, Box<Tidy>, u64),
    BlobsBack,
    Upset,
    Look,
    Poll,
    Heal,
    /// Looks whether all is well before it must be.
    Glance,
    Settle,
}

/// A request to the store.
pub(super) struct Request {
    pub(super) from: (usize, Process),
    pub(super) request: u64,
    pub(super) item: Item,
    pub(super) call: Call,
}

impl World {
    pub(super) fn new(
        seed: u64,
        mode: ClusterMode,
        mutation: ClusterMutation,
        trace: Trace,
    ) -> Self {
        let mut dice = Dice::new(seed);
        let plan = Plan::new(mode, mutation, &mut dice);
        let clock = |host: &super::plan::HostPlan| Clock::new(host.clock_offset, host.clock_rate);
        Self {
            now: 0,
            is_chaos: true,
            queue: Queue::default(),
            last_number: 0,
            last_process: 0,
            job_managers: plan
                .job_managers
                .iter()
                .map(|host| Host::new(clock(host)))
                .collect(),
            task_managers: plan
                .task_managers
                .iter()
                .map(|host| Host::new(clock(host)))
                .collect(),
            store: Store::default(),
            table: Vec::new(),
            tasks: BTreeMap::new(),
            dead: BTreeSet::new(),
            told: BTreeSet::new(),
            orders: BTreeMap::new(),
            owners: vec![Owner::default(); plan.jobs.len()],
            blobs: Blobs::default(),
            tidies: BTreeMap::new(),
            last_tidy: 0,
            outage_until: 0,
            cut_pairs: BTreeMap::new(),
            late_acks: BTreeMap::new(),
            promises: Promises::new(&plan),
            well: 0,
            trace,
            facts: Vec::new(),
            counts: ClusterReport::default(),
            dice,
            plan,
        }
    }

    /// Runs to the end, or until a promise is broken.
    pub(super) fn run(&mut self) -> Result<(), Broken> {
        self.trace.line(0, || format!("{:#?}", self.plan));
        let lease = nanos(self.plan.timing.lease());
        for host in 0..self.job_managers.len() {
            let at = self.dice.range(0, lease);
            self.at(at, Event::RestartJobManager(host));
        }
        for host in 0..self.task_managers.len() {
            let at = self.dice.range(0, lease);
            self.at(at, Event::RestartTaskManager(host));
        }
        for index in 0..self.plan.jobs.len() {
            self.at(self.plan.jobs[index].submitted_at, Event::Submit(index));
        }
        self.at(0, Event::Upset);
        self.at(0, Event::Look);
        self.at(0, Event::Poll);
        let healed = self.plan.chaos;
        let settled = healed + self.plan.recovery();
        self.at(healed, Event::Heal);
        self.at(settled, Event::Settle);
        for part in 1..EARLY_PARTS {
            self.at(
                healed + (settled - healed) / EARLY_PARTS * part,
                Event::Glance,
            );
        }
        while self.now < settled && self.well < WELL_ENOUGH {
            let (at, event) = self.queue.pop().expect("the end is in the queue");
            self.now = at;
            self.counts.events += 1;
            self.happen(event);
            self.check()?;
        }
        Ok(())
    }

    pub(super) fn into_trace(self) -> Trace {
        self.trace
    }

    fn check(&mut self) -> Result<(), Broken> {
        for fact in std::mem::take(&mut self.facts) {
            self.trace.line(self.now, || format!("{fact:?}"));
            self.promises.see(self.now, &fact)?;
        }
        Ok(())
    }

    pub(super) fn fact(&mut self, fact: Fact) {
        self.facts.push(fact);
    }

    pub(super) fn at(&mut self, at: Instant, event: Event) {
        let number = self.number();
        self.queue
            .push(at.max(self.now), self.dice.number(), number, event);
    }

    pub(super) fn after(&mut self, pause: u64, event: Event) {
        self.at(self.now + pause, event);
    }

    pub(super) fn number(&mut self) -> u64 {
        self.last_number += 1;
        self.last_number
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::JobManager(to, mail) => self.deliver_to_job_manager(to, mail),
            Event::TaskManager(to, mail) => self.deliver_to_task_manager(to, mail),
            Event::Arrive(request) => self.arrive(*request),
            Event::List { from, request } => self.list(from, request),
            Event::OrderArrives(number) => self.order_arrives(number),
            Event::OrderGivenUp(number) => self.order_given_up(number, "no answer in time"),
            Event::OrderAnswered { request, refused } => self.order_answered(request, refused),
            Event::ReportArrives { from, to, report } => self.report_arrives(from, to, report),
            Event::AckArrives(acknowledged) => self.ack_arrives(acknowledged),
            Event::Task(key, event) => self.task_happens(key, event),
            Event::RestartJobManager(host) => self.start_job_manager(host),
            Event::RestartTaskManager(host) => self.start_task_manager(host),
            Event::ResumeJobManager(host) => self.resume_job_manager(host),
            Event::ResumeTaskManager(host) => self.resume_task_manager(host),
            Event::Submit(index) => self.submit(index),
            Event::Owner(index, round) => self.owner(index, round),
            Event::PutFiles(files) => {
                for (key, file) in files {
                    self.put_file(key, file);
                }
            }
            Event::DeleteFiles(keys) => self.delete_files(keys),
            Event::BlobWork(by, work) => self.blob_work(by, work),
            Event::Tidy(by, tidy, number) => self.tidy(by, tidy, number),
            Event::BlobsBack => self.show_blobs(),
            Event::Upset => self.upset(),
            Event::Look => self.look(),
            Event::Poll => self.poll(),
            Event::Heal => self.heal(),
            Event::Glance => {
                let is_done = (0..self.owners.len()).all(|index| self.is_owner_done(index));
                let is_well = is_done && self.promises.are_settled(self.now);
                self.well = if is_well { self.well + 1 } else { 0 };
            }
            Event::Settle => {
                for host in &self.job_managers {
                    let term = host
                        .running
                        .as_ref()
                        .and_then(|running| running.term.as_ref());
                    self.trace
                        .line(self.now, || format!("{:?}", term.map(|term| &term.leader)));
                }
                self.fact(Fact::Settled);
            }
        }
    }

    // Processes.

    fn start_job_manager(&mut self, host: usize) {
        if self.job_managers[host].running.is_some() {
            return;
        }
        self.last_process += 1;
        let (process, clock) = (self.last_process, self.job_managers[host].clock);
        let plan = self.plan.clone();
        let running = self.with_outbox(|out| JobManager::start(process, host, &plan, clock, out));
        self.job_managers[host].running = Some(Box::new(running));
    }

    fn start_task_manager(&mut self, host: usize) {
        if self.task_managers[host].running.is_some() {
            return;
        }
        self.last_process += 1;
        let (process, clock) = (self.last_process, self.task_managers[host].clock);
        let nonce = nonce_of(process);
        let plan = self.plan.clone();
        let running = self
            .with_outbox(|out| TaskManagerProcess::start(process, nonce, host, &plan, clock, out));
        self.task_managers[host].running = Some(Box::new(running));
        self.show_leader(host);
    }

    fn deliver_to_job_manager(&mut self, (host, process): (usize, Process), mail: JobManagerMail) {
        let now = self.now;
        let place = &mut self.job_managers[host];
        if place
            .running
            .as_ref()
            .is_none_or(|running| running.process != process)
        {
            return;
        }
        if now < place.paused_until || !place.waiting.is_empty() {
            place.waiting.push_back(mail);
            return;
        }
        self.handle_job_manager(host, mail);
    }

    fn handle_job_manager(&mut self, host: usize, mail: JobManagerMail) {
        let Some(mut running) = self.job_managers[host].running.take() else {
            return;
        };
        if let JobManagerMail::Asked { ticket, .. } = mail
            && !self.is_asked(ticket)
        {
            // Its owner hangs up before it is read.
            self.job_managers[host].running = Some(running);
            return;
        }
        let before = running.term.as_ref().map(|term| term.seal);
        self.with_outbox(|out| running.handle(mail, out));
        if running
            .term
            .as_ref()
            .is_some_and(|term| Some(term.seal) != before)
        {
            self.counts.terms += 1;
        }
        self.job_managers[host].running = Some(running);
    }

    fn deliver_to_task_manager(
        &mut self,
        (host, process): (usize, Process),
        mail: TaskManagerMail,
    ) {
        let now = self.now;
        let place = &mut self.task_managers[host];
        if place
            .running
            .as_ref()
            .is_none_or(|running| running.process != process)
        {
            return;
        }
        if now < place.paused_until || !place.waiting.is_empty() {
            place.waiting.push_back(mail);
            return;
        }
        self.handle_task_manager(host, mail);
    }

    fn handle_task_manager(&mut self, host: usize, mail: TaskManagerMail) {
        let Some(mut running) = self.task_managers[host].running.take() else {
            return;
        };
        self.with_outbox(|out| running.handle(mail, out));
        self.task_managers[host].running = Some(running);
    }

    pub(super) fn resume_job_manager(&mut self, host: usize) {
        if self.now < self.job_managers[host].paused_until {
            return;
        }
        for mail in std::mem::take(&mut self.job_managers[host].waiting) {
            self.handle_job_manager(host, mail);
        }
    }

    pub(super) fn resume_task_manager(&mut self, host: usize) {
        if self.now < self.task_managers[host].paused_until {
            return;
        }
        for mail in std::mem::take(&mut self.task_managers[host].waiting) {
            self.handle_task_manager(host, mail);
        }
    }

    fn with_outbox<T>(&mut self, act: impl FnOnce(&mut Outbox<'_>) -> T) -> T {
        let items = self.items();
        let mut out = Outbox {
            now: self.now,
            dice: &mut self.dice,
            plan: &self.plan,
            items,
            facts: Vec::new(),
            table: &mut self.table,
            last_number: &mut self.last_number,
            trace: &mut self.trace,
            effects: Vec::new(),
        };
        let result = act(&mut out);
        let (facts, effects) = (out.facts, out.effects);
        self.facts.extend(facts);
        for effect in effects {
            self.perform(effect);
        }
        result
    }

    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Wake(at, event) => self.at(at, event),
            Effect::Call(request) => self.send_call(request),
            Effect::List { from, request } => self.send_list(from, request),
            Effect::Order {
                from,
                address,
                order,
            } => self.send_order(from, &address, order),
            Effect::Acknowledge { from, acknowledged } => self.send_ack(from, acknowledged),
            Effect::OrderAnswered { request, refused } => self.send_order_answer(request, refused),
            Effect::Report { from, to, report } => self.send_report(from, &to, report),
            Effect::StartTask {
                host,
                process,
                node,
                deploy,
                ends_at,
            } => {
                self.start_task(host, process, node, &deploy, ends_at);
            }
            Effect::ExtendTask {
                process,
                task,
                ends_at,
            } => self.extend_task(process, task, ends_at),
            Effect::EndTask {
                process,
                task,
                grace,
            } => self.end_task(process, task, grace),
            Effect::TellTask {
                process,
                task,
                order,
                seal,
            } => self.tell_task((process, task), order, seal),
            Effect::TaskHeard {
                process,
                task,
                is_taken,
            } => self.task_heard((process, task), is_taken),
            Effect::CopyLast {
                host,
                process,
                task,
                of,
                part,
            } => self.copy_last(host, (process, task), of, &part),
            Effect::BlobWork(by, work) => self.after(0, Event::BlobWork(by, work)),
            Effect::Answered { ticket, answer } => self.owner_answered(ticket, answer),
        }
    }

    // The store.

    fn items(&self) -> Vec<Item> {
        let jobs = u8::try_from(self.plan.jobs.len()).expect("few");
        (0..jobs).map(Item::Record).collect()
    }

    /// Performs a call, and tells everybody what changed.
    pub(super) fn write(&mut self, item: Item, call: Call) -> Reply {
        let (reply, fact) = self.store.perform(item, call);
        if fact.is_none() {
            return reply;
        }
        match item {
            Item::Root => self.root_changed(),
            Item::Floor => {}
            Item::Record(_) => {
                let job = job_of(item);
                let Some((_, Stored::Record(body))) = self.store.read(item) else {
                    self.counts.erased += 1;
                    self.fact(Fact::Erased { job });
                    return reply;
                };
                if let Some(index) = table_index(&body) {
                    let (record, seal) = (Arc::clone(&self.table[index]), body.seal);
                    self.counts.count(self.promises.record(job), &record);
                    self.fact(Fact::Stored { record, seal });
                }
            }
        }
        reply
    }

    /// The jobs whose records have data.
    pub(super) fn jobs_in_store(&self) -> Vec<JobId> {
        let has_data = |item: &Item| match self.store.read(*item) {
            Some((_, Stored::Record(body))) => table_index(&body).is_some(),
            _ => false,
        };
        self.items()
            .into_iter()
            .filter(has_data)
            .map(job_of)
            .collect()
    }

    fn root_changed(&mut self) {
        let version = self.store.root().map(|(version, _)| version);
        for host in 0..self.job_managers.len() {
            let Some(process) = self.job_managers[host].process() else {
                continue;
            };
            if self.is_lost(self.job_managers[host].store_cut_until) {
                continue;
            }
            let delay = self.delay();
            let version = version.clone();
            let mail = JobManagerMail::RootHint { version };
            self.after(delay, Event::JobManager((host, process), mail));
        }
        for host in 0..self.task_managers.len() {
            self.show_leader(host);
        }
    }

    /// A TaskManager observes who leads.
    pub(super) fn show_leader(&mut self, host: usize) {
        let Some(process) = self.task_managers[host].process() else {
            return;
        };
        if self.is_lost(self.task_managers[host].store_cut_until) {
            return;
        }
        let Some((_, root)) = self.store.root() else {
            return;
        };
        if root.state == incumbent_core::root::TermState::Released {
            return;
        }
        let seal = root.seal();
        let address = root.holder.as_str().replacen("node", "jm", 1);
        let delay = self.delay();
        let mail = TaskManagerMail::LeaderSeen { seal, address };
        self.after(delay, Event::TaskManager((host, process), mail));
    }
}

impl<P: HasProcess, M> Host<P, M> {
    fn new(clock: Clock) -> Self {
        Self {
            running: None,
            clock,
            paused_until: 0,
            waiting: VecDeque::new(),
            store_cut_until: 0,
        }
    }

    pub(super) fn cut_from_store(&mut self, until: Instant) {
        self.store_cut_until = until.max(self.store_cut_until);
    }

    pub(super) fn process(&self) -> Option<Process> {
        self.running.as_ref().map(|running| running.process())
    }
}

pub(super) trait HasProcess {
    fn process(&self) -> Process;
}

impl HasProcess for JobManager {
    fn process(&self) -> Process {
        self.process
    }
}

impl HasProcess for TaskManagerProcess {
    fn process(&self) -> Process {
        self.process
    }
}

/// The host in an address such as `tm-3`.
pub(super) fn host_of(address: &str) -> usize {
    let number = address
        .rsplit('-')
        .next()
        .and_then(|text| text.parse().ok());
    number.expect("addresses are made here")
}

/// What stands for a record in the store.
pub(super) fn table_index(body: &RecordBody) -> Option<usize> {
    let text = body.json()?;
    let [index, _]: [usize; 2] = serde_json::from_str(text).expect("made by `raw`");
    Some(index)
}

pub(super) fn raw(index: usize) -> Box<RawValue> {
    RawValue::from_string(format!("[{index},0]")).expect("it is JSON")
}

fn nonce_of(process: Process) -> NodeNonce {
    NodeNonce::new(TASK_MANAGER_NONCES | u128::from(process))
}

pub(super) fn process_of(nonce: NodeNonce) -> Process {
    Process::try_from(nonce.get() & !TASK_MANAGER_NONCES).expect("made by `nonce_of`")
}

pub(super) fn item_of(job: JobId) -> Item {
    Item::Record(u8::try_from(job.get() - 1).expect("made by `job_of`"))
}

pub(super) fn job_of(item: Item) -> JobId {
    match item {
        Item::Record(index) => JobId::new(u128::from(index) + 1),
        Item::Root | Item::Floor => unreachable!("not the record of a job"),
    }
}
