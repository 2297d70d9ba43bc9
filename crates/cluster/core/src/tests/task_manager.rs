//! R7: what changes what a TaskManager does, and what does not.

use std::time::{Duration, SystemTime};

use incumbent_core::{Epoch, Nonce, Now, Seal, Time};

use super::SECOND;
use super::world::spec;
use crate::message::{
    Ack, Command, Deploy, EndedHow, NodeInfo, Order, Refused, Report, TaskEnd, TaskState,
};
use crate::task_manager::{
    HEARTBEAT, PATIENCE, TaskManager, TaskManagerAction, TaskManagerConfig, TaskManagerEvent,
};
use crate::{Attempt, Incarnation, Isolation, JobId, NodeNonce, Rank, TaskId};

const HERE: NodeNonce = NodeNonce::new(7);

struct Alone {
    machine: TaskManager,
    at: Duration,
    order_seq: u64,
}

impl Alone {
    fn new() -> Self {
        let node = NodeInfo {
            name: "tm".to_owned(),
            pid: 1,
            advertise: None,
            port: 9000,
            is_tls: false,
            slots: 2,
            liveness: None,
            version: String::new(),
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
    fn registered() -> Self {
        let mut alone = Self::new();
        let report = alone.see(1).expect("a full report");
        assert!(report.is_full);
        alone.acknowledge(1, report.seq);
        alone
    }

    fn tell(&mut self, event: TaskManagerEvent) -> Vec<TaskManagerAction> {
        self.machine.step(now(self.at), event)
    }

    fn see(&mut self, epoch: u64) -> Option<Report> {
        let address = format!("http://leader-{epoch}");
        let seal = seal(epoch);
        sent(self.tell(TaskManagerEvent::LeaderSeen { seal, address }))
    }

    fn acknowledge(&mut self, epoch: u64, seq: u64) -> Vec<TaskManagerAction> {
        let sent_at = Time::from_origin(self.at);
        let ack = ack(epoch, seq);
        self.tell(TaskManagerEvent::Acknowledged { ack, sent_at })
    }

    fn order(&mut self, epoch: u64, command: Command) -> Vec<TaskManagerAction> {
        self.order_seq += 1;
        let order = Order {
            seal: seal(epoch),
            to: HERE,
            seq: self.order_seq,
            command,
        };
        self.tell(TaskManagerEvent::Ordered(Box::new(order)))
    }

    fn wait(&mut self, duration: Duration) -> Option<Report> {
        self.at += duration;
        sent(self.tell(TaskManagerEvent::Tick))
    }
}

fn now(at: Duration) -> Now {
    Now {
        time: Time::from_origin(at),
        wall: SystemTime::UNIX_EPOCH + at,
    }
}

fn seal(epoch: u64) -> Seal {
    Seal {
        epoch: Epoch::new(epoch),
        nonce: Nonce::new(u128::from(epoch)),
    }
}

fn ack(epoch: u64, seq: u64) -> Ack {
    Ack {
        seal: seal(epoch),
        seq,
        is_registered: true,
        forget: Vec::new(),
        refused: None,
    }
}

fn sent(actions: Vec<TaskManagerAction>) -> Option<Report> {
    let mut sent = actions.into_iter().filter_map(|action| match action {
        TaskManagerAction::Send { report, .. } => Some(*report),
        _ => None,
    });
    let report = sent.next();
    assert!(sent.next().is_none(), "one report at a time");
    report
}

fn task(attempt: u32) -> TaskId {
    TaskId {
        job: JobId::new(1),
        incarnation: Incarnation::new(1),
        attempt: Attempt(attempt),
        rank: Rank(0),
    }
}

fn deploy(attempt: u32, slot: u32) -> Command {
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

fn ended(how: EndedHow) -> TaskManagerEvent {
    TaskManagerEvent::Ended {
        task: task(1),
        how,
        last_lines: Vec::new(),
    }
}

fn refusal(actions: &[TaskManagerAction]) -> Option<&Refused> {
    match &actions[0] {
        TaskManagerAction::Refuse(why) => Some(why),
        TaskManagerAction::Accept => None,
        other => panic!("{other:?} comes before the answer"),
    }
}

fn starts(actions: &[TaskManagerAction]) -> bool {
    (actions.iter()).any(|action| matches!(action, TaskManagerAction::Start { .. }))
}

#[test]
fn the_epoch_is_raised_before_a_report_is_composed() {
    let mut alone = Alone::registered();
    let report = alone.see(5).expect("a report to the new term at once");
    assert_eq!((report.seal, report.is_full), (seal(5), true));
    let refused = alone.order(4, deploy(1, 0));
    assert!(matches!(refusal(&refused), Some(Refused::Older { newest }) if *newest == seal(5)));
    assert!(!starts(&refused));
}

#[test]
fn a_lower_seal_and_silence_change_nothing() {
    let mut alone = Alone::registered();
    alone.see(5);
    assert!(alone.see(3).is_none());
    assert_eq!(alone.machine.seen(), Some(seal(5)));
    assert!(alone.acknowledge(3, 99).is_empty());
}

#[test]
fn an_order_that_was_overtaken_is_refused() {
    let mut alone = Alone::registered();
    alone.order_seq = 5;
    let task = task(1);
    alone.order(1, Command::End { task, grace_ms: 1 });
    alone.order_seq = 2;
    let late = alone.order(1, deploy(1, 0));
    assert!(matches!(
        refusal(&late),
        Some(Refused::Overtaken { seq: 3, newest: 6 })
    ));
    // And what was said to be ended is not started by a newer order either.
    alone.order_seq = 7;
    let again = alone.order(1, deploy(1, 0));
    assert!(refusal(&again).is_none() && !starts(&again));
}

#[test]
fn a_task_is_started_once_however_often_it_is_ordered() {
    let mut alone = Alone::registered();
    assert!(starts(&alone.order(1, deploy(1, 0))));
    assert!(!starts(&alone.order(1, deploy(1, 0))));
    alone.tell(ended(EndedHow::Exited { code: 1 }));
    assert!(!starts(&alone.order(1, deploy(1, 0))));
    let state = alone.machine.state_of(task(1));
    assert!(matches!(
        state,
        Some(TaskState::Ended(TaskEnd {
            how: EndedHow::Exited { code: 1 },
            ..
        }))
    ));
}

#[test]
fn an_older_attempt_is_not_started_after_a_newer_one() {
    let mut alone = Alone::registered();
    assert!(starts(&alone.order(1, deploy(2, 0))));
    let older = alone.order(1, deploy(1, 1));
    assert!(refusal(&older).is_none() && !starts(&older));
    assert!(matches!(
        alone.machine.state_of(task(1)),
        Some(TaskState::Ended(_))
    ));
}

#[test]
fn a_newer_attempt_of_an_exclusive_job_is_refused_while_an_older_one_lives() {
    let mut alone = Alone::registered();
    alone.order(1, deploy(1, 0));
    let newer = alone.order(1, deploy(2, 1));
    assert!(matches!(
        refusal(&newer),
        Some(Refused::SlotTaken { slot: 0, .. })
    ));
}

#[test]
fn an_order_for_another_process_is_refused() {
    let mut alone = Alone::registered();
    let order = Order {
        seal: seal(9),
        to: NodeNonce::new(8),
        seq: 1,
        command: deploy(1, 0),
    };
    let refused = alone.tell(TaskManagerEvent::Ordered(Box::new(order)));
    assert!(matches!(
        refusal(&refused),
        Some(Refused::SomebodyElse { here: HERE })
    ));
    assert_eq!(alone.machine.seen(), Some(seal(1)), "it proves no term");
}

#[test]
fn one_report_is_under_way_and_a_lost_one_is_followed_by_another() {
    let mut alone = Alone::registered();
    let first = sent(alone.order(1, deploy(1, 0))).expect("a change is reported at once");
    assert_eq!(first.tasks.len(), 1);
    let pid = 5;
    let task = task(1);
    assert!(sent(alone.tell(TaskManagerEvent::Started { task, pid })).is_none());
    assert!(alone.wait(PATIENCE / 2).is_none());
    let second = alone.wait(PATIENCE).expect("patience is over");
    assert!(matches!(
        second.tasks[0].state,
        TaskState::Running { pid: 5, .. }
    ));
    assert!(sent(alone.acknowledge(1, second.seq)).is_none());
    let beat = alone.wait(HEARTBEAT).expect("a heartbeat");
    assert_eq!((beat.tasks.len(), beat.is_full), (0, false));
}

#[test]
fn an_accepted_order_is_no_acknowledgement() {
    let mut alone = Alone::registered();
    let deadline = |actions: &[TaskManagerAction]| {
        actions.iter().find_map(|action| match action {
            TaskManagerAction::Start { isolated_at, .. } => *isolated_at,
            _ => None,
        })
    };
    alone.at = 50 * SECOND;
    let started = alone.order(1, deploy(1, 0));
    assert_eq!(deadline(&started), Some(Time::from_origin(100 * SECOND)));
}

#[test]
fn nothing_is_started_after_its_isolation_timeout() {
    let mut alone = Alone::registered();
    alone.at = 100 * SECOND;
    let late = alone.order(1, deploy(1, 0));
    assert!(refusal(&late).is_none() && !starts(&late));
    let state = alone.machine.state_of(task(1));
    assert!(matches!(
        state,
        Some(TaskState::Ended(TaskEnd {
            how: EndedHow::Isolated,
            ..
        }))
    ));
}

#[test]
fn a_deadline_counts_from_sending_and_moves_with_acknowledgements_only() {
    let mut alone = Alone::registered();
    let report = sent(alone.order(1, deploy(1, 0))).unwrap();
    let sent_at = Time::from_origin(alone.at);
    // The answer took twenty seconds.
    alone.at += 20 * SECOND;
    let ack = ack(1, report.seq);
    let extended = alone.tell(TaskManagerEvent::Acknowledged { ack, sent_at });
    let is_extended = |actions: &[TaskManagerAction]| {
        actions
            .iter()
            .any(|action| matches!(action, TaskManagerAction::Extend { .. }))
    };
    assert!(
        !is_extended(&extended),
        "it was sent when the task was started"
    );
    let sent_at = Time::from_origin(alone.at);
    let report = sent(extended).expect("a heartbeat is due");
    alone.at += SECOND;
    let ack = self::ack(1, report.seq);
    let extended = alone.tell(TaskManagerEvent::Acknowledged { ack, sent_at });
    assert!(extended.iter().any(|action| matches!(
        action,
        TaskManagerAction::Extend { isolated_at, .. }
            if *isolated_at == Time::from_origin(120 * SECOND)
    )));
}

#[test]
fn an_ended_task_is_remembered_until_a_leader_has_written_it_down() {
    let mut alone = Alone::registered();
    alone.order(1, deploy(1, 0));
    alone.tell(ended(EndedHow::Exited { code: 3 }));
    alone.tell(TaskManagerEvent::Reserved {
        slot: 0,
        port: 7000,
    });
    for epoch in 2..5 {
        let report = alone.see(epoch).expect("a full report");
        assert_eq!(report.tasks.len(), 1);
        alone.acknowledge(epoch, report.seq);
    }
    alone.order_seq = 0;
    let tasks = vec![task(1)];
    alone.order(4, Command::Forget { tasks });
    assert_eq!(alone.machine.state_of(task(1)), None);
}

#[test]
fn a_leader_that_does_not_know_it_is_told_everything() {
    let mut alone = Alone::registered();
    let beat = alone.wait(HEARTBEAT).unwrap();
    let sent_at = Time::from_origin(alone.at);
    let ack = Ack {
        is_registered: false,
        ..ack(1, beat.seq)
    };
    let full = sent(alone.tell(TaskManagerEvent::Acknowledged { ack, sent_at }));
    assert!(full.expect("at once").is_full);
}

#[test]
fn a_drained_task_manager_refuses_tasks_and_exits_when_its_own_have_ended() {
    let mut alone = Alone::registered();
    alone.order(1, deploy(1, 0));
    alone.tell(TaskManagerEvent::Drain);
    let mut other = deploy(1, 1);
    if let Command::Deploy(deploy) = &mut other {
        deploy.task.job = JobId::new(2);
    }
    assert!(matches!(
        refusal(&alone.order(1, other)),
        Some(Refused::Draining)
    ));
    alone.tell(ended(EndedHow::Exited { code: 0 }));
    alone.at += 10 * SECOND;
    let actions = alone.tell(TaskManagerEvent::Tick);
    assert!(
        actions
            .iter()
            .any(|action| matches!(action, TaskManagerAction::Exit))
    );
}
