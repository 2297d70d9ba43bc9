//! R7: what changes what a TaskManager does, and what does not.

use incumbent_core::Time;

use super::SECOND;
use super::alone::{Alone, HERE, ack, deploy, ended, refusal, seal, sent, starts, task};
use crate::message::{Ack, Command, EndedHow, Order, Refused, TaskEnd, TaskState};
use crate::task_manager::{HEARTBEAT, PATIENCE, TaskManagerAction, TaskManagerEvent};
use crate::{JobId, NodeNonce};

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
fn an_end_is_never_reported_without_saying_that_the_port_is_lost() {
    let mut alone = Alone::registered();
    let first = sent(alone.order(1, deploy(1, 0))).expect("a change is reported at once");
    alone.acknowledge(1, first.seq);
    alone.at += HEARTBEAT;
    // A heartbeat is due at the moment of the end, and the new port is not there yet.
    let how = EndedHow::Exited { code: 0 };
    let report = sent(alone.tell(ended(how))).expect("it is reported with the heartbeat");
    assert_eq!((report.tasks.len(), report.ports), (1, Some(vec![0, 7001])));
    alone.acknowledge(1, report.seq);
    let (slot, port) = (0, 7002);
    let report = sent(alone.tell(TaskManagerEvent::Reserved { slot, port }));
    assert_eq!(report.unwrap().ports, Some(vec![7002, 7001]));
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
