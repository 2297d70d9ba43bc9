//! [`Driver`]: the loop of a TaskManager.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use incumbent::{Observer, Seal, View};
use incumbent_backend::outage::{News, Outage, Recovery};
use incumbent_cluster_core::TaskId;
use incumbent_cluster_core::Time;
use incumbent_cluster_core::leader::Story;
use incumbent_cluster_core::message::{Deploy, NodeInfo, Refused};
use incumbent_cluster_core::task_manager::{
    NotHeard, TaskManager as Machine, TaskManagerAction as Action, TaskManagerConfig as Config,
    TaskManagerEvent as Event,
};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::contract::TaskSaid;
use super::gangs::{self, Gangs};
use super::handle::Ordered;
use super::leftovers::{Leftover, tidy_up};
use super::metrics;
use super::options::TaskManagerOptions;
use super::reporter::{Reported, Reporter, send};
use super::task::{Shared, TaskControl, TaskEntry, TaskNews, What};
use super::tasks::Tasks;
use crate::{ENDPOINT, Node};

/// How many starts and ends wait for the loop. Tasks that have more to say wait.
const MOST_NEWS: usize = 1024;

/// After a drain: how long the last reports and the tails of logs may take.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// The longest grace of a task that is still there when the time to drain is over: a person may
/// wait for the process to end.
const LAST_GRACE: Duration = Duration::from_secs(5);

/// Performs what the machine decides.
pub(super) struct Driver {
    node: Node,
    options: TaskManagerOptions,
    machine: Machine,
    shared: Arc<Shared>,
    tasks: Arc<Tasks>,
    controls: HashMap<TaskId, TaskControl>,
    orders: mpsc::Receiver<Ordered>,
    said: mpsc::Receiver<TaskSaid>,
    news: (mpsc::Sender<TaskNews>, mpsc::Receiver<TaskNews>),
    reporter: Reporter,
    no_ports: Outage,
    gangs: Gangs,
    /// At most one report, and one that was given up.
    sending: JoinSet<Reported>,
    /// Tasks on their way. Dropping it ends all of them at once.
    running: JoinSet<()>,
    /// What dead TaskManagers have left here.
    pub(super) leftovers: Vec<Leftover>,
    has_left: bool,
}

/// How far a TaskManager is with leaving.
enum Leaving {
    No,
    /// Its tasks are being moved, until then.
    Draining(Instant),
    /// Its tasks were told to end. If they do not, or nobody hears of it, until then.
    Ending(Instant),
}

impl Driver {
    pub(super) fn new(
        node: Node,
        options: TaskManagerOptions,
        info: NodeInfo,
        shared: Arc<Shared>,
        tasks: Arc<Tasks>,
        (orders, said): (mpsc::Receiver<Ordered>, mpsc::Receiver<TaskSaid>),
    ) -> Self {
        let config = Config {
            nonce: node.nonce(),
            node: info,
            heartbeat: options.heartbeat,
            patience: options.patience,
        };
        Self {
            machine: Machine::new(config, node.now()),
            node,
            options,
            shared,
            reporter: Reporter::new(Arc::clone(&tasks)),
            no_ports: Outage::new(),
            gangs: Gangs::default(),
            tasks,
            controls: HashMap::new(),
            orders,
            said,
            news: mpsc::channel(MOST_NEWS),
            sending: JoinSet::new(),
            running: JoinSet::new(),
            leftovers: Vec::new(),
            has_left: false,
        }
    }

    /// Runs until it has left.
    pub(super) async fn run(mut self, shutdown: impl Future<Output = ()>) {
        tracing::info!(
            node = self.node.name(),
            address = self.node.address(),
            slots = self.options.slots,
            "the TaskManager begins"
        );
        let (shared, tasks, blobs) = (
            Arc::clone(&self.shared),
            Arc::clone(&self.tasks),
            self.node.blobs().clone(),
        );
        let leftovers = std::mem::take(&mut self.leftovers);
        let tidying = async {
            tidy_up(leftovers, &blobs, &shared.blob_health).await;
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = self.until_left(shutdown) => {}
            () = tidying => {}
            () = shared.kept.follow(&shared, &tasks, &blobs) => {}
            () = shared.blob_health.follow(&blobs) => {}
        }
    }

    async fn until_left(&mut self, shutdown: impl Future<Output = ()>) {
        let mut observer = self.node.group().observe();
        let mut blobs = self.shared.blob_health.subscribe();
        let mut shutdown = std::pin::pin!(shutdown);
        let mut leaving = Leaving::No;
        // The first step reserves ports.
        self.step(Event::Tick);
        while !self.has_left {
            let (is_draining, until) = match leaving {
                Leaving::No => (false, None),
                Leaving::Draining(until) | Leaving::Ending(until) => (true, Some(until)),
            };
            tokio::select! {
                () = &mut shutdown, if !is_draining => {
                    tracing::info!("draining: waiting for the tasks to be moved");
                    leaving = Leaving::Draining(Instant::now() + self.options.drain);
                    self.step(Event::Drain);
                }
                () = sleep_until(until) => leaving = match leaving {
                    Leaving::Ending(_) => break,
                    Leaving::No | Leaving::Draining(_) => self.end_all(),
                },
                event = self.next(&mut observer, &mut blobs) => self.step(event),
            }
        }
        // What the last reports were about, and what the last tasks printed.
        let last_words = async {
            while self.running.join_next().await.is_some() {}
            self.shared.kept.stored().await;
        };
        if tokio::time::timeout(LAST_WORDS, last_words).await.is_err() {
            tracing::warn!("leaving although the ends of some logs are not in the blobs");
        }
    }

    /// The next thing that happens.
    async fn next(&mut self, observer: &mut Observer, blobs: &mut watch::Receiver<bool>) -> Event {
        let wake = self.until_wake();
        tokio::select! {
            // The present leader at once, and then each that follows.
            view = next_leader(observer) => view,
            Some(Ordered { order, answer }) = self.orders.recv() => {
                let actions = self.machine.step(self.node.now(), Event::Ordered(order));
                let verdict = verdict(&actions);
                // First: the log of a task is there when its order was accepted.
                self.perform_all(actions);
                let _ = answer.send(verdict);
                Event::Tick
            }
            Some(TaskSaid { task, said, answer }) = self.said.recv() => {
                let said = Event::Said { task, said };
                let actions = self.machine.step(self.node.now(), said);
                let heard = heard(&actions);
                self.perform_all(actions);
                // A task that does not wait for the answer says it again if it wants to know.
                let _ = answer.send(heard);
                Event::Tick
            }
            Some(news) = self.news.1.recv() => self.understood(news),
            Some(Ok(reported)) = self.sending.join_next() => {
                self.reporter.tell(&reported);
                self.node.standing().note(&reported.outcome);
                match reported.outcome {
                    Ok(ack) => Event::Acknowledged { ack, sent_at: reported.sent_at },
                    Err(_) => Event::Unacknowledged { seq: reported.seq },
                }
            }
            Some(_) = self.running.join_next() => Event::Tick,
            Ok(()) = blobs.changed() => Event::Blobs(*blobs.borrow_and_update()),
            () = tokio::time::sleep(wake) => Event::Tick,
        }
    }

    fn step(&mut self, event: Event) {
        let actions = self.machine.step(self.node.now(), event);
        self.perform_all(actions);
    }

    fn perform_all(&mut self, actions: Vec<Action>) {
        for action in actions {
            self.perform(action);
        }
    }

    fn perform(&mut self, action: Action) {
        match action {
            // What is answered is answered where it is taken.
            Action::Accept | Action::Refuse(_) | Action::Heard | Action::NotHeard(_) => {}
            Action::Start {
                deploy,
                isolated_at,
            } => self.start(*deploy, isolated_at),
            Action::Extend { task, isolated_at } => {
                if let Some(control) = self.controls.get(&task) {
                    control.extend(isolated_at);
                }
            }
            Action::End { task, grace } => {
                if let Some(control) = self.controls.get(&task) {
                    control.end(grace);
                }
            }
            Action::Send { to, report } => {
                let (client, patience) = (self.node.client().clone(), self.options.patience);
                let sent_at = self.node.now().time;
                self.sending
                    .spawn(send(client, to, report, sent_at, patience));
            }
            Action::Reserve { slot } => self.reserve(slot),
            Action::TellTask { task, what } => {
                if let Some(control) = self.controls.get(&task) {
                    control.contract.tell(what);
                }
            }
            Action::CopyLast {
                task,
                number,
                savepoint,
                part,
            } => {
                if let Some(control) = self.controls.get(&task) {
                    control.contract.copy_last(number, savepoint, part);
                }
            }
            Action::Exit => self.has_left = true,
            Action::Tell(story) => tell(&story),
        }
    }

    fn start(&mut self, deploy: Deploy, isolated_at: Option<Time>) {
        let task = deploy.task;
        self.gangs.ordered(task);
        let entry = TaskEntry::new(&deploy, &self.shared);
        self.tasks.add(Arc::clone(&entry));
        let news = self.news.0.clone();
        let (control, run) = super::task::start(&self.shared, &entry, deploy, isolated_at, news);
        self.running.spawn(run);
        self.controls.insert(task, control);
        ::metrics::gauge!(metrics::RUNNING).set(self.controls.len() as f64);
    }

    fn understood(&mut self, TaskNews { task, what }: TaskNews) -> Event {
        match what {
            What::Started { pid } => {
                let news = self.gangs.started(task);
                self.tell_of(task, news);
                Event::Started { task, pid }
            }
            What::Ended { how, last_lines } => {
                let news = self.gangs.ended(task, &how);
                self.tell_of(task, news);
                self.controls.remove(&task);
                ::metrics::gauge!(metrics::RUNNING).set(self.controls.len() as f64);
                Event::Ended {
                    task,
                    how,
                    last_lines,
                }
            }
        }
    }

    fn tell_of(&self, task: TaskId, news: Option<gangs::News>) {
        let control = self.controls.get(&task);
        if let (Some(news), Some(control)) = (news, control) {
            news.tell(task, &control.name);
        }
    }

    fn reserve(&mut self, slot: u32) {
        let reserved = {
            let ports = self.shared.ports.lock();
            ports.unwrap_or_else(PoisonError::into_inner).reserve(slot)
        };
        match reserved {
            Ok(port) => {
                if let Recovery::Over { .. } = self.no_ports.worked() {
                    tracing::info!(slot, "ports can be reserved again");
                }
                self.step(Event::Reserved { slot, port });
            }
            // The machine asks again.
            Err(error) => {
                if let News::Began | News::OtherReason = self.no_ports.failed(&error.to_string()) {
                    tracing::warn!(
                        slot,
                        %error,
                        "no port can be reserved for a slot, so it is given no task; trying again"
                    );
                }
            }
        }
    }

    /// The drain took too long: what is left is ended.
    fn end_all(&self) -> Leaving {
        let left = self.controls.len();
        tracing::warn!(
            left,
            "the time to drain is over; ending the tasks that are left"
        );
        let controls = self.controls.values();
        controls.for_each(|control| control.end(control.grace.min(LAST_GRACE)));
        Leaving::Ending(Instant::now() + LAST_GRACE + LAST_WORDS)
    }

    fn until_wake(&self) -> Duration {
        let wake = self.machine.next_wake();
        let wake = wake.map(|wake| wake.since(self.node.now().time));
        // Not later than the next heartbeat: timers stand still while the machine sleeps.
        wake.map_or(self.options.heartbeat, |wake| {
            wake.min(self.options.heartbeat)
        })
    }
}

/// The answer to an order, which is the first action.
fn verdict(actions: &[Action]) -> Result<(), Refused> {
    match actions.first() {
        Some(Action::Accept) => Ok(()),
        Some(Action::Refuse(refused)) => Err(refused.clone()),
        Some(_) | None => unreachable!("the machine answers each order first"),
    }
}

/// The answer to what a task has said, which is the first action.
fn heard(actions: &[Action]) -> Result<(), NotHeard> {
    match actions.first() {
        Some(Action::Heard) => Ok(()),
        Some(Action::NotHeard(why)) => Err(why.clone()),
        Some(_) | None => unreachable!("the machine answers a task first"),
    }
}

/// Waits for a leader that was not seen yet and takes reports.
async fn next_leader(observer: &mut Observer) -> Event {
    loop {
        let view: View = observer.next().await;
        let Some(leader) = view.active() else {
            // Nobody leads: that changes nothing (R7).
            continue;
        };
        let address = leader
            .endpoints
            .iter()
            .find(|(name, _)| name.as_str() == ENDPOINT);
        if let Some((_, address)) = address {
            return Event::LeaderSeen {
                seal: Seal {
                    epoch: leader.epoch,
                    nonce: leader.nonce,
                },
                address: address.clone(),
            };
        }
    }
}

async fn sleep_until(until: Option<Instant>) {
    match until {
        Some(until) => tokio::time::sleep_until(until).await,
        None => std::future::pending().await,
    }
}

fn tell(story: &Story) {
    let job = story.job.map(|job| job.to_string());
    let attempt = story.attempt.map(|attempt| attempt.0);
    let text = story.text.as_str();
    if story.is_warning {
        tracing::warn!(job, attempt, "{text}");
    } else {
        tracing::info!(job, attempt, "{text}");
    }
}
