//! [`Alone`]: the machine of one TaskManager, and what it is told.

use std::time::{Duration, SystemTime};

use incumbent_core::{Epoch, Nonce, Now, Seal, Time};

use super::world::spec;
use crate::message::{Ack, Command, Common, Deploy, EndedHow, NodeInfo, Order, Refused, Report};
use crate::task_manager::{
    HEARTBEAT, PATIENCE, TaskManager, TaskManagerAction, TaskManagerConfig, TaskManagerEvent,
};
use crate::{Attempt, Incarnation, Isolation, JobId, NodeNonce, Rank, TaskId};

pub(super) const HERE: NodeNonce = NodeNonce::new(7);

/// A TaskManager that nobody but the test talks to.
pub(super) struct Alone {
    pub(super) machine: TaskManager,
    pub(super) at: Duration,
    pub(super) order_seq: u64,
}

impl Alone {
    pub(super) fn new() -> Self {
        let node = NodeInfo {
            name: "tm".to_owned(),
            pid: 1,
            advertise: None,
            port: 9000,
            is_tls: false,
            slots: 2,
            liveness: None,
            version: String::new(),
            common: Common::default(),
        };
        let config = TaskManagerConfig {
            nonce: HERE,
            node,
            heartbeat: HEARTBEAT,
            patience: PATIENCE,
        };
        let mut alone = Self {
            machine: TaskManager::new(config, now(Duration::ZERO)),
            at: Duration::ZERO,
            order_seq: 0,
        };
        alone.tell(TaskManagerEvent::Tick);
        for slot in 0..2 {
            let port = 7000 + u16::try_from(slot).unwrap();
            alone.tell(TaskManagerEvent::Reserved { slot, port });
        }
        alone
    }

    /// One that a leader of epoch 1 knows.
    pub(super) fn registered() -> Self {
        let mut alone = Self::new();
        let report = alone.see(1).expect("a full report");
        assert!(report.is_full);
        alone.acknowledge(1, report.seq);
        alone
    }

    pub(super) fn tell(&mut self, event: TaskManagerEvent) -> Vec<TaskManagerAction> {
        self.machine.step(now(self.at), event)
    }

    pub(super) fn see(&mut self, epoch: u64) -> Option<Report> {
        let address = format!("http://leader-{epoch}");
        let seal = seal(epoch);
        sent(self.tell(TaskManagerEvent::LeaderSeen { seal, address }))
    }

    pub(super) fn acknowledge(&mut self, epoch: u64, seq: u64) -> Vec<TaskManagerAction> {
        let sent_at = Time::from_origin(self.at);
        let ack = ack(epoch, seq);
        self.tell(TaskManagerEvent::Acknowledged { ack, sent_at })
    }

    pub(super) fn order(&mut self, epoch: u64, command: Command) -> Vec<TaskManagerAction> {
        self.order_seq += 1;
        let order = Order {
            seal: seal(epoch),
            to: HERE,
            seq: self.order_seq,
            command,
        };
        self.tell(TaskManagerEvent::Ordered(Box::new(order)))
    }

    pub(super) fn wait(&mut self, duration: Duration) -> Option<Report> {
        self.at += duration;
        sent(self.tell(TaskManagerEvent::Tick))
    }
}

pub(super) fn now(at: Duration) -> Now {
    Now {
        time: Time::from_origin(at),
        wall: SystemTime::UNIX_EPOCH + at,
    }
}

pub(super) fn seal(epoch: u64) -> Seal {
    Seal {
        epoch: Epoch::new(epoch),
        nonce: Nonce::new(u128::from(epoch)),
    }
}

pub(super) fn ack(epoch: u64, seq: u64) -> Ack {
    Ack {
        seal: seal(epoch),
        seq,
        is_registered: true,
        forget: Vec::new(),
        refused: None,
    }
}

pub(super) fn sent(actions: Vec<TaskManagerAction>) -> Option<Report> {
    let mut sent = actions.into_iter().filter_map(|action| match action {
        TaskManagerAction::Send { report, .. } => Some(*report),
        _ => None,
    });
    let report = sent.next();
    assert!(sent.next().is_none(), "one report at a time");
    report
}

pub(super) fn task(attempt: u32) -> TaskId {
    TaskId {
        job: JobId::new(1),
        incarnation: Incarnation::new(1),
        attempt: Attempt(attempt),
        rank: Rank(0),
    }
}

pub(super) fn deploy(attempt: u32, slot: u32) -> Command {
    let spec = spec("a", 1);
    Command::Deploy(Box::new(Deploy {
        task: task(attempt),
        slot,
        port: 7000 + u16::try_from(slot).unwrap(),
        name: spec.name,
        tasks: 1,
        peers: Vec::new(),
        command: spec.command,
        env: Vec::new(),
        env_files: Vec::new(),
        artifact: None,
        is_checkpointing: false,
        restore: None,
        isolation: Isolation::Exclusive {
            timeout_ms: Some(100_000),
        },
        grace_ms: 1000,
    }))
}

pub(super) fn ended(how: EndedHow) -> TaskManagerEvent {
    TaskManagerEvent::Ended {
        task: task(1),
        how,
        last_lines: Vec::new(),
    }
}

pub(super) fn refusal(actions: &[TaskManagerAction]) -> Option<&Refused> {
    match &actions[0] {
        TaskManagerAction::Refuse(why) => Some(why),
        TaskManagerAction::Accept => None,
        other => panic!("{other:?} comes before the answer"),
    }
}

pub(super) fn starts(actions: &[TaskManagerAction]) -> bool {
    (actions.iter()).any(|action| matches!(action, TaskManagerAction::Start { .. }))
}
