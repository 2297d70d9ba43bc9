//! A TaskManager that speaks the wire and runs nothing: its tasks have process ids that it made up.

mod contract;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::extract::{DefaultBodyLimit, State};
use axum::routing::post;
use axum::{Json, Router};
use incumbent::{LivenessServer, Nonce, Seal};
use incumbent_cluster_core::message::{
    Ack, Acked, Command, ContractReport, EndedHow, NodeInfo, Order, Refused, Report, TaskEnd,
    TaskReport, TaskState,
};
use incumbent_cluster_core::record::{JobRecord, LivenessAddress};
use incumbent_cluster_core::{JobId, NodeNonce, TaskId};
use incumbent_cluster_node::wire::{self, Form, ORDERS, Orders, Outcomes, REPORTS};
use incumbent_cluster_node::{ENDPOINT, Node, NodeOptions};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use self::contract::store;
use super::harness::{Place, listen, serve, wait};

/// Pause between heartbeats.
const HEARTBEAT: Duration = Duration::from_millis(200);

/// How long a leader may take to acknowledge.
const ACKNOWLEDGING: Duration = Duration::from_secs(10);

/// A TaskManager.
pub(super) struct Fake {
    pub(super) nonce: NodeNonce,
    pub(super) node: Node,
    shared: Arc<Shared>,
    liveness: Option<LivenessServer>,
    serving: JoinHandle<()>,
    reporting: JoinHandle<()>,
}

struct Shared {
    nonce: NodeNonce,
    node: Node,
    state: Mutex<Known>,
    changed: Notify,
}

#[derive(Default)]
struct Known {
    seen: Option<Seal>,
    leader: Option<String>,
    /// The number of the last order of the newest term.
    newest_order: Option<u64>,
    registered: Option<Seal>,
    seq: u64,
    tasks: BTreeMap<TaskId, TaskReport>,
    next_pid: u32,
    /// All orders that came, whatever became of them.
    orders: Vec<Order>,
    /// Deployments that no record said.
    early: Vec<String>,
    /// Why it was not taken in.
    refused: Option<String>,
    acknowledged: Vec<Ack>,
    /// How long each request with orders takes.
    delay: Duration,
    /// Checkpoints with higher numbers are stored and not acknowledged.
    hold_above: Option<u64>,
    /// What is stored, and not acknowledged yet.
    held: Vec<(TaskId, Acked)>,
}

impl Fake {
    pub(super) async fn start(place: &Place, name: &str, slots: u32) -> Self {
        Self::start_as(place, name, slots, None).await
    }

    /// One that advertises an address.
    pub(super) async fn start_as(
        place: &Place,
        name: &str,
        slots: u32,
        advertise: Option<&str>,
    ) -> Self {
        let (listener, bound) = listen().await;
        let node = place.node(&format!("{name}-node"), bound).await;
        Self::on(node, listener, name, slots, advertise)
    }

    /// One with one slot, whose node is started with other options than those of the place.
    pub(super) async fn start_with(
        place: &Place,
        name: &str,
        change: impl FnOnce(&mut NodeOptions),
    ) -> Self {
        let (listener, bound) = listen().await;
        let node = place
            .node_with(&format!("{name}-node"), bound, change)
            .await;
        Self::on(node, listener, name, 1, None)
    }

    fn on(
        node: Node,
        listener: TcpListener,
        name: &str,
        slots: u32,
        advertise: Option<&str>,
    ) -> Self {
        let bound = listener.local_addr().unwrap();
        let nonce = node.nonce();
        let liveness = LivenessServer::listen(LivenessServer::loopback(), None).unwrap();
        liveness.say(Some(Nonce::new(nonce.get())));
        let info = NodeInfo {
            name: name.to_owned(),
            pid: std::process::id(),
            advertise: advertise.map(str::to_owned),
            port: bound.port(),
            is_tls: false,
            slots,
            liveness: Some(LivenessAddress {
                address: liveness.address().address.clone(),
                scope: liveness.address().scope.clone(),
                nonce: nonce.to_string(),
            }),
            version: "test".to_owned(),
            common: node.common().clone(),
        };
        let shared = Arc::new(Shared {
            nonce,
            node: node.clone(),
            state: Mutex::default(),
            changed: Notify::new(),
        });
        let router = Router::new()
            .route(ORDERS, post(orders))
            .layer(DefaultBodyLimit::disable())
            .with_state(Arc::clone(&shared));
        let router = wire::prove(router, &node.cluster().secret, Form::Whole);
        let worker = nonce.to_string().parse().unwrap();
        Self {
            nonce,
            node,
            liveness: Some(liveness),
            serving: tokio::spawn(serve(listener, router, Some(worker))),
            reporting: tokio::spawn(report(Arc::clone(&shared), info)),
            shared,
        }
    }

    /// Waits until a leader has taken it in.
    pub(super) async fn is_registered(&self) {
        let registered = async || self.shared.state().registered.is_some();
        wait("it is registered", registered).await;
    }

    /// Waits until its report was refused, and says with what.
    pub(super) async fn refusal(&self) -> String {
        let refused = async || self.shared.state().refused.is_some();
        wait("its report is refused", refused).await;
        let state = self.shared.state();
        state.refused.clone().unwrap()
    }

    /// From now on each request with orders takes so long.
    pub(super) fn slow(&self, delay: Duration) {
        self.shared.state().delay = delay;
    }

    /// The tasks that run, with their process ids.
    pub(super) fn pids(&self, job: JobId) -> BTreeMap<TaskId, u32> {
        let state = self.shared.state();
        let tasks = state.tasks.values().filter(|task| task.task.job == job);
        let running = tasks.filter_map(|task| match task.state {
            TaskState::Running { pid, .. } => Some((task.task, pid)),
            _ => None,
        });
        running.collect()
    }

    /// All orders that came.
    pub(super) fn orders(&self) -> Vec<Order> {
        self.shared.state().orders.clone()
    }

    /// Deployments that no record said when they came.
    pub(super) fn early(&self) -> Vec<String> {
        self.shared.state().early.clone()
    }

    /// The acknowledgements that it got.
    pub(super) fn acknowledged(&self) -> Vec<Ack> {
        self.shared.state().acknowledged.clone()
    }

    /// A task of the job fails by itself.
    pub(super) fn fail(&self, job: JobId) {
        let mut state = self.shared.state();
        let task = state
            .tasks
            .values_mut()
            .find(|task| task.task.job == job && matches!(task.state, TaskState::Running { .. }));
        task.unwrap().state = ended(EndedHow::Exited { code: 3 });
        drop(state);
        self.shared.changed.notify_one();
    }

    /// Ends as a process does that is killed, with all its tasks.
    pub(super) fn kill(&mut self) {
        self.serving.abort();
        self.reporting.abort();
        self.liveness = None;
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, Known> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    /// Takes note of a term. False if it is older than what was seen.
    fn see(&mut self, seal: Seal) -> bool {
        let is_newer = self.seen.is_none_or(|seen| seen.epoch < seal.epoch);
        if is_newer {
            self.seen = Some(seal);
            self.newest_order = None;
        }
        self.seen == Some(seal)
    }

    fn obey(&mut self, order: &Order, nonce: NodeNonce) -> Option<Refused> {
        if order.to != nonce {
            return Some(Refused::SomebodyElse { here: nonce });
        }
        if !self.see(order.seal) {
            let newest = self.seen.unwrap();
            return Some(Refused::Older { newest });
        }
        let (seq, newest) = (order.seq, self.newest_order.unwrap_or_default());
        if seq <= newest {
            return Some(Refused::Overtaken { seq, newest });
        }
        self.newest_order = Some(seq);
        match &order.command {
            Command::Report { leader } => {
                self.leader = Some(leader.clone());
                self.registered = None;
            }
            Command::Deploy(deploy) => {
                self.next_pid += 1;
                let pid = 100_000 + self.next_pid;
                let since = "now".to_owned();
                let running = TaskReport {
                    task: deploy.task,
                    slot: deploy.slot,
                    state: TaskState::Running { pid, since },
                    contract: ContractReport {
                        is_ready: deploy.is_checkpointing,
                        ..ContractReport::default()
                    },
                    progress: None,
                };
                self.tasks.entry(deploy.task).or_insert(running);
            }
            Command::End { task, .. } => {
                let slot = self.tasks.get(task).map_or(0, |task| task.slot);
                let state = ended(match self.tasks.get(task) {
                    Some(_) => EndedHow::Ordered,
                    None => EndedHow::Unknown,
                });
                let (task, before) = (*task, self.tasks.get(task));
                let contract = before.map(|task| task.contract.clone());
                let ended = TaskReport {
                    task,
                    slot,
                    state,
                    contract: contract.unwrap_or_default(),
                    progress: None,
                };
                self.tasks.insert(task, ended);
            }
            Command::Forget { tasks } => self.tasks.retain(|task, _| !tasks.contains(task)),
            Command::Contract { gang, order } => self.tell(*gang, *order),
            Command::Drain => {}
        }
        None
    }
}

fn ended(how: EndedHow) -> TaskState {
    TaskState::Ended(TaskEnd {
        how,
        last_lines: vec!["the last line".to_owned()],
        at: "now".to_owned(),
    })
}

async fn orders(
    State(shared): State<Arc<Shared>>,
    Json(Orders { orders }): Json<Orders>,
) -> Json<Outcomes> {
    let delay = {
        let mut state = shared.state();
        state.orders.extend(orders.iter().cloned());
        state.delay
    };
    tokio::time::sleep(delay).await;
    for order in &orders {
        if let Command::Deploy(deploy) = &order.command {
            // At this moment, and not later: what does the record say?
            let said = is_said(&shared, deploy.task, deploy.slot, deploy.port).await;
            if let Err(why) = said {
                shared.state().early.push(why);
            }
        }
    }
    let mut asked = Vec::new();
    let refused = {
        let mut state = shared.state();
        let outcomes = orders.iter().map(|order| {
            let places = state.asked(order);
            let refused = state.obey(order, shared.nonce);
            if refused.is_none() {
                asked.extend(places);
            }
            refused
        });
        outcomes.collect()
    };
    shared.changed.notify_one();
    tokio::spawn(store(Arc::clone(&shared), asked));
    Json(Outcomes { refused })
}

/// Whether the record says that this task is to run here (R3).
async fn is_said(shared: &Shared, task: TaskId, slot: u32, port: u16) -> Result<(), String> {
    let name = task.job.record();
    let read = shared.node.group().read::<JobRecord>(&name);
    let found = read.await.map_err(|error| error.to_string())?;
    let record = found.ok_or("there is no record")?.data;
    let placement = record.placements.get(task.rank.0 as usize);
    let placement = placement.ok_or("the rank is not placed")?;
    let node = record.node_of(task.rank).ok_or("the rank has no node")?;
    let is_said = record.attempt == task.attempt
        && record.incarnation == task.incarnation
        && node.nonce == shared.nonce
        && placement.slot == slot
        && placement.port == port;
    is_said
        .then_some(())
        .ok_or_else(|| format!("{task} is not what the record says: {record:?}"))
}

/// Reports, at each change and each heartbeat, to whichever leader is known.
async fn report(shared: Arc<Shared>, info: NodeInfo) {
    let mut observer = shared.node.group().observe();
    let endpoint = ENDPOINT.parse().unwrap();
    loop {
        tokio::select! {
            view = observer.next() => if let Some(leader) = view.active() {
                let seal = Seal { epoch: leader.epoch, nonce: leader.nonce };
                let mut state = shared.state();
                if state.see(seal) {
                    state.leader = leader.endpoints.get(&endpoint).cloned();
                }
            },
            () = shared.changed.notified() => {}
            () = tokio::time::sleep(HEARTBEAT) => {}
        }
        let next = shared.state().report(shared.nonce, &info);
        let Some((leader, report)) = next else {
            continue;
        };
        let client = shared.node.client();
        let sent = client.post::<Ack>(&leader, REPORTS, &report, ACKNOWLEDGING);
        let answer = sent.await;
        let mut state = shared.state();
        match answer {
            Ok(ack) => {
                if state.see(ack.seal) {
                    state.registered = ack.is_registered.then_some(ack.seal);
                    state.tasks.retain(|task, _| !ack.forget.contains(task));
                }
                if let Some(why) = &ack.refused {
                    state.refused = Some(why.clone());
                }
                state.acknowledged.push(ack);
            }
            Err(error) => {
                state.registered = None;
                if !error.is_not_leading() && error.problem().is_some() {
                    state.refused = Some(error.to_string());
                }
            }
        }
    }
}

impl Known {
    fn report(&mut self, from: NodeNonce, info: &NodeInfo) -> Option<(String, Report)> {
        let seal = self.seen?;
        let leader = self.leader.clone()?;
        self.seq += 1;
        let is_full = self.registered != Some(seal);
        let ports = (0..info.slots).map(|slot| 20_000 + u16::try_from(slot).unwrap());
        let report = Report {
            seal,
            from,
            seq: self.seq,
            is_full,
            node: is_full.then(|| info.clone()),
            ports: is_full.then(|| ports.collect()),
            tasks: self.tasks.values().cloned().collect(),
            is_draining: false,
            has_blobs: true,
        };
        Some((leader, report))
    }
}

/// An address at which nobody listens.
pub(super) async fn nobody() -> SocketAddr {
    let (listener, bound) = listen().await;
    drop(listener);
    bound
}
