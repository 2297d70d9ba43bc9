//! [`TaskManagerProcess`]: the driver of a [`TaskManager`].

use std::collections::BTreeMap;
use std::time::Duration;

use incumbent_cluster_core::checkpoint::RankPart;
use incumbent_cluster_core::message::{Ack, Common, EndedHow, NodeInfo, Order, Refused};
use incumbent_cluster_core::record::LivenessAddress;
use incumbent_cluster_core::task_manager::{
    Said, TaskManager, TaskManagerAction, TaskManagerConfig, TaskManagerEvent,
};
use incumbent_cluster_core::{NodeNonce, SavepointId, TaskId};
use incumbent_core::{Now, Seal};

use super::mode::ClusterMutation;

use super::outbox::Outbox;
use super::plan::Plan;
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
    /// The copies of last files that are being made: only the newest of a task counts.
    copies: BTreeMap<TaskId, (u64, SavepointId, RankPart)>,
    pub(super) is_done: bool,
}

/// What an event came from, for what follows.
#[derive(Clone, Copy, Debug, Default)]
struct Origin {
    /// An order, whose answer goes to this request.
    order: Option<(u64, Seal)>,
    /// What a task said, which waits for an answer.
    said: Option<TaskId>,
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
    /// A task said something, or what it had stored was copied for it.
    Said {
        task: TaskId,
        said: Said,
        is_by_task: bool,
    },
    /// A copy was not made.
    CopyAgain {
        task: TaskId,
        number: u64,
        savepoint: SavepointId,
    },
    Blobs(bool),
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
                common: Common::default(),
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
            copies: BTreeMap::new(),
            is_done: false,
        };
        started.step(TaskManagerEvent::Tick, Origin::default(), out);
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
                self.step(TaskManagerEvent::Tick, Origin::default(), out);
            }
            TaskManagerMail::LeaderSeen { seal, address } => {
                self.step(
                    TaskManagerEvent::LeaderSeen { seal, address },
                    Origin::default(),
                    out,
                );
            }
            TaskManagerMail::Ordered { order, request } => {
                let origin = Origin {
                    order: Some((request, order.seal)),
                    said: None,
                };
                self.step(TaskManagerEvent::Ordered(order), origin, out);
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
                self.step(
                    TaskManagerEvent::Acknowledged { ack, sent_at },
                    Origin::default(),
                    out,
                );
            }
            TaskManagerMail::TimedOut { seq } => {
                if self.sent.remove(&seq).is_some() {
                    self.step(
                        TaskManagerEvent::Unacknowledged { seq },
                        Origin::default(),
                        out,
                    );
                }
            }
            TaskManagerMail::Started { task, pid } => {
                self.step(
                    TaskManagerEvent::Started { task, pid },
                    Origin::default(),
                    out,
                );
            }
            TaskManagerMail::Ended { task, how } => {
                let last_lines = Vec::new();
                self.step(
                    TaskManagerEvent::Ended {
                        task,
                        how,
                        last_lines,
                    },
                    Origin::default(),
                    out,
                );
            }
            TaskManagerMail::Reserved { slot, port } => {
                self.step(
                    TaskManagerEvent::Reserved { slot, port },
                    Origin::default(),
                    out,
                );
            }
            TaskManagerMail::Said {
                task,
                said,
                is_by_task,
            } => {
                let origin = Origin {
                    order: None,
                    said: is_by_task.then_some(task),
                };
                self.step(TaskManagerEvent::Said { task, said }, origin, out);
            }
            TaskManagerMail::CopyAgain {
                task,
                number,
                savepoint,
            } => {
                let copy = self.copies.get(&task);
                if let Some((_, _, part)) = copy.filter(|copy| copy.0 == number) {
                    let of = (number, savepoint);
                    out.copy_last(self.host, self.process, task, of, part.clone());
                }
            }
            TaskManagerMail::Blobs(has_blobs) => {
                self.step(TaskManagerEvent::Blobs(has_blobs), Origin::default(), out);
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

    fn step(&mut self, event: TaskManagerEvent, origin: Origin, out: &mut Outbox<'_>) {
        let now = self.now(out);
        out.trace(|| format!("  tm-{} gets {event:?}", self.host));
        for action in self.machine.step(now, event) {
            self.perform(action, origin, out);
        }
    }

    fn perform(&mut self, action: TaskManagerAction, origin: Origin, out: &mut Outbox<'_>) {
        let (host, process) = (self.host, self.process);
        match action {
            TaskManagerAction::Accept => answer(origin, None, out),
            TaskManagerAction::Refuse(why) => answer(origin, Some(why), out),
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
            TaskManagerAction::Heard => heard(process, origin, true, out),
            TaskManagerAction::NotHeard(_) => heard(process, origin, false, out),
            TaskManagerAction::TellTask { task, what } => {
                let seal = origin.order.map(|(_, seal)| seal);
                out.tell_task(process, task, what, seal);
            }
            TaskManagerAction::CopyLast {
                task,
                number,
                savepoint,
                part,
            } => {
                let copy = (number, savepoint, part.clone());
                self.copies.insert(task, copy);
                out.copy_last(host, process, task, (number, savepoint), part);
            }
            TaskManagerAction::Exit => self.is_done = true,
            TaskManagerAction::Tell(story) => {
                out.trace(|| format!("  tm-{host} says: {}", story.text))
            }
        }
    }
}

fn answer(origin: Origin, refused: Option<Refused>, out: &mut Outbox<'_>) {
    let (request, _) = origin.order.expect("only an order is accepted or refused");
    out.order_answered(request, refused);
}

fn heard(process: Process, origin: Origin, is_taken: bool, out: &mut Outbox<'_>) {
    if let Some(task) = origin.said {
        out.task_heard(process, task, is_taken);
    }
}
