//! [`TaskManagerProcess`]: the driver of a [`TaskManager`].

use std::collections::BTreeMap;
use std::time::Duration;

use incumbent_cluster_core::message::{Ack, EndedHow, NodeInfo, Order, Refused};
use incumbent_cluster_core::record::LivenessAddress;
use incumbent_cluster_core::task_manager::{
    TaskManager, TaskManagerAction, TaskManagerConfig, TaskManagerEvent,
};
use incumbent_cluster_core::{NodeNonce, TaskId};
use incumbent_core::{Now, Seal};

use super::outbox::Outbox;
use super::plan::{ClusterMutation, Plan};
use super::world::Process;
use crate::clock::{Clock, Instant};
use crate::faults::nanos;

/// One life of one TaskManager.
pub(super) struct TaskManagerProcess {
    pub(super) process: Process,
    pub(super) nonce: NodeNonce,
    host: usize,
    pub(super) clock: Clock,
    machine: TaskManager,
    tick_at: Option<Instant>,
    /// When each report that waits for its acknowledgement was sent.
    sent: BTreeMap<u64, Instant>,
    pub(super) is_done: bool,
}

/// What reaches a TaskManager.
#[derive(Clone, Debug)]
pub(super) enum TaskManagerMail {
    Tick {
        at: Instant,
    },
    LeaderSeen {
        seal: Seal,
        address: String,
    },
    /// An order, and the request that its answer goes to.
    Ordered {
        order: Box<Order>,
        request: u64,
    },
    Acknowledged(Ack),
    TimedOut {
        seq: u64,
    },
    Started {
        task: TaskId,
        pid: u32,
    },
    Ended {
        task: TaskId,
        how: EndedHow,
    },
    Reserved {
        slot: u32,
        port: u16,
    },
}

impl TaskManagerProcess {
    pub(super) fn start(
        process: Process,
        nonce: NodeNonce,
        host: usize,
        plan: &Plan,
        clock: Clock,
        out: &mut Outbox<'_>,
    ) -> Self {
        let config = TaskManagerConfig {
            nonce,
            node: NodeInfo {
                name: format!("tm-{host}-{process}"),
                pid: process,
                advertise: None,
                port: 1,
                is_tls: false,
                slots: plan.slots,
                liveness: Some(LivenessAddress {
                    address: format!("tm-{host}:2"),
                    scope: None,
                    nonce: nonce.to_string(),
                }),
                version: String::new(),
            },
            heartbeat: plan.heartbeat,
            patience: plan.patience,
        };
        let mut started = Self {
            process,
            nonce,
            host,
            clock,
            machine: TaskManager::new(config, clock.now(out.now)),
            tick_at: None,
            sent: BTreeMap::new(),
            is_done: false,
        };
        started.step(TaskManagerEvent::Tick, None, out);
        started.sleep(out);
        started
    }

    pub(super) fn handle(&mut self, mail: TaskManagerMail, out: &mut Outbox<'_>) {
        match mail {
            TaskManagerMail::Tick { at } => {
                if self.tick_at != Some(at) {
                    return;
                }
                self.tick_at = None;
                self.step(TaskManagerEvent::Tick, None, out);
            }
            TaskManagerMail::LeaderSeen { seal, address } => {
                self.step(TaskManagerEvent::LeaderSeen { seal, address }, None, out);
            }
            TaskManagerMail::Ordered { order, request } => {
                self.step(TaskManagerEvent::Ordered(order), Some(request), out);
            }
            TaskManagerMail::Acknowledged(ack) => {
                let Some(sent) = self.sent.remove(&ack.seq) else {
                    return; // It was given up before.
                };
                let counted = match out.plan.mutation {
                    ClusterMutation::CountFromReceipt => out.now,
                    _ => sent,
                };
                let sent_at = self.clock.now(counted).time;
                self.step(TaskManagerEvent::Acknowledged { ack, sent_at }, None, out);
            }
            TaskManagerMail::TimedOut { seq } => {
                if self.sent.remove(&seq).is_some() {
                    self.step(TaskManagerEvent::Unacknowledged { seq }, None, out);
                }
            }
            TaskManagerMail::Started { task, pid } => {
                self.step(TaskManagerEvent::Started { task, pid }, None, out);
            }
            TaskManagerMail::Ended { task, how } => {
                let last_lines = Vec::new();
                self.step(
                    TaskManagerEvent::Ended {
                        task,
                        how,
                        last_lines,
                    },
                    None,
                    out,
                );
            }
            TaskManagerMail::Reserved { slot, port } => {
                self.step(TaskManagerEvent::Reserved { slot, port }, None, out);
            }
        }
        self.sleep(out);
    }

    fn now(&self, out: &Outbox<'_>) -> Now {
        self.clock.now(out.now)
    }

    fn sleep(&mut self, out: &mut Outbox<'_>) {
        let Some(at) = self.machine.next_wake().and_then(|at| self.clock.when(at)) else {
            return;
        };
        let at = at.max(out.now);
        if self.tick_at.is_none_or(|tick| at < tick) {
            self.tick_at = Some(at);
            out.wake_task_manager(self.host, self.process, at, TaskManagerMail::Tick { at });
        }
    }

    fn step(&mut self, event: TaskManagerEvent, request: Option<u64>, out: &mut Outbox<'_>) {
        let now = self.now(out);
        out.trace(|| format!("  tm-{} gets {event:?}", self.host));
        for action in self.machine.step(now, event) {
            self.perform(action, request, out);
        }
    }

    fn perform(&mut self, action: TaskManagerAction, request: Option<u64>, out: &mut Outbox<'_>) {
        let (host, process) = (self.host, self.process);
        match action {
            TaskManagerAction::Accept => self.answer(request, None, out),
            TaskManagerAction::Refuse(why) => self.answer(request, Some(why), out),
            TaskManagerAction::Start {
                deploy,
                isolated_at,
            } => {
                let ends_at = isolated_at.map(|at| self.clock.when(at).unwrap_or(u64::MAX));
                out.start_task(host, process, self.nonce, *deploy, ends_at);
            }
            TaskManagerAction::Extend { task, isolated_at } => {
                let ends_at = self.clock.when(isolated_at).unwrap_or(u64::MAX);
                out.extend_task(process, task, ends_at);
            }
            TaskManagerAction::End { task, grace } => out.end_task(process, task, nanos(grace)),
            TaskManagerAction::Send { to, report } => {
                let seq = report.seq;
                self.sent.insert(seq, out.now);
                out.report(host, process, &to, *report);
                let patience = self.clock.truly(nanos(out.plan.patience));
                let at = out.now + patience;
                out.wake_task_manager(host, process, at, TaskManagerMail::TimedOut { seq });
            }
            TaskManagerAction::Reserve { slot } => {
                let port = u16::try_from(out.dice.range(1024, 65_000)).expect("in range");
                let at = out.now + nanos(Duration::from_micros(100));
                out.wake_task_manager(host, process, at, TaskManagerMail::Reserved { slot, port });
            }
            TaskManagerAction::Heard
            | TaskManagerAction::NotHeard(_)
            | TaskManagerAction::TellTask { .. }
            | TaskManagerAction::CopyLast { .. } => {}
            TaskManagerAction::Exit => self.is_done = true,
            TaskManagerAction::Tell(story) => {
                out.trace(|| format!("  tm-{host} says: {}", story.text))
            }
        }
    }

    fn answer(&self, request: Option<u64>, refused: Option<Refused>, out: &mut Outbox<'_>) {
        let request = request.expect("only an order is accepted or refused");
        out.order_answered(request, refused);
    }
}
