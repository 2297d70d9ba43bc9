//! What a TaskManager makes of checkpoints: orders of a leader, what tasks say, reports of both
//! (R5, R6, R12).

use super::alone::{Alone, deploy, ended, sent, task};
use crate::checkpoint::{RankPart, StoredFile};
use crate::message::{
    Acked, Command, ContractOrder, ContractReport, EndedHow, Gang, Report, TaskState,
};
use crate::task_manager::{HEARTBEAT, NotHeard, Said, TaskManagerAction, TaskManagerEvent};
use crate::{Rank, SavepointId, TaskId};

const SAVEPOINT: SavepointId = SavepointId::new(5);

/// One with a task of a job that checkpoints, which runs and of which the leader knows.
fn running() -> Alone {
    let mut alone = Alone::registered();
    alone.order(1, checkpointing(0));
    let (task, pid) = (task(1), 5);
    alone.tell(TaskManagerEvent::Started { task, pid });
    acknowledge_all(&mut alone);
    alone
}

fn checkpointing(rank: u32) -> Command {
    let mut command = deploy(1, rank);
    if let Command::Deploy(deploy) = &mut command {
        deploy.task.rank = Rank(rank);
        deploy.is_checkpointing = true;
    }
    command
}

fn rank(rank: u32) -> TaskId {
    TaskId {
        rank: Rank(rank),
        ..task(1)
    }
}

/// Acknowledges reports until there is none any more, and returns how often.
fn acknowledge_all(alone: &mut Alone) -> usize {
    let epoch = alone.machine.seen().unwrap().epoch.get();
    let mut rounds = 0;
    // What is under way is lost; the next report has it.
    while let Some(report) = alone.wait(HEARTBEAT * 4) {
        rounds += 1;
        let is_empty = report.tasks.is_empty();
        assert!(rounds < 100, "it reports for ever");
        let next = sent(alone.acknowledge(epoch, report.seq));
        if next.is_none() && is_empty {
            break;
        }
    }
    rounds
}

fn contract(order: ContractOrder) -> Command {
    let TaskId {
        job,
        incarnation,
        attempt,
        ..
    } = task(1);
    let gang = Gang {
        job,
        incarnation,
        attempt,
    };
    Command::Contract { gang, order }
}

fn trigger(number: u64) -> ContractOrder {
    let savepoint = None;
    ContractOrder::Checkpoint { number, savepoint }
}

fn committed(number: u64) -> ContractOrder {
    ContractOrder::Committed { number }
}

fn aborted(number: u64) -> ContractOrder {
    ContractOrder::Aborted { number }
}

fn part(name: &str) -> RankPart {
    let file = StoredFile {
        name: name.to_owned(),
        object: format!("0/{name}"),
        size: 1,
        sha256: "0".repeat(64),
    };
    RankPart {
        is_finished: false,
        files: vec![file],
    }
}

fn acked(number: u64, name: &str) -> Said {
    let part = part(name);
    Said::Acked(Acked { number, part })
}

/// What the tasks are told by the leader of this epoch.
fn order(alone: &mut Alone, epoch: u64, order: ContractOrder) -> Vec<ContractOrder> {
    let actions = alone.order(epoch, contract(order));
    assert!(matches!(actions[0], TaskManagerAction::Accept));
    told(&actions)
}

fn told(actions: &[TaskManagerAction]) -> Vec<ContractOrder> {
    let told = actions.iter().filter_map(|action| match action {
        TaskManagerAction::TellTask { what, .. } => Some(*what),
        _ => None,
    });
    told.collect()
}

fn say(alone: &mut Alone, said: Said) -> (Result<(), NotHeard>, Vec<TaskManagerAction>) {
    let task = task(1);
    let mut actions = alone.tell(TaskManagerEvent::Said { task, said });
    let answer = match actions.remove(0) {
        TaskManagerAction::Heard => Ok(()),
        TaskManagerAction::NotHeard(why) => Err(why),
        other => panic!("{other:?} comes before the answer"),
    };
    (answer, actions)
}

fn report(alone: &Alone) -> ContractReport {
    alone.machine.contract_of(task(1)).unwrap().clone()
}

fn reported(report: &Report) -> &ContractReport {
    &report.tasks[0].contract
}

#[test]
fn what_a_task_says_is_reported_at_once() {
    let mut alone = running();
    let (heard, then) = say(&mut alone, Said::Ready);
    assert_eq!(heard, Ok(()));
    let first = sent(then).expect("at once");
    assert!(reported(&first).is_ready);
    alone.acknowledge(1, first.seq);
    assert_eq!(
        order(&mut alone, 1, ContractOrder::Begin),
        [ContractOrder::Begin]
    );
    assert!(report(&alone).has_begun);
    acknowledge_all(&mut alone);
    order(&mut alone, 1, trigger(7));
    acknowledge_all(&mut alone);
    let (heard, then) = say(&mut alone, acked(7, "state"));
    assert_eq!(heard, Ok(()));
    let acked = sent(then).expect("at once");
    let acked = reported(&acked).acked.as_ref().unwrap();
    assert_eq!((acked.number, &acked.part), (7, &part("state")));
}

#[test]
fn orders_that_come_twice_are_told_once() {
    let mut alone = running();
    for new in [
        ContractOrder::Begin,
        trigger(3),
        committed(3),
        trigger(4),
        aborted(4),
        ContractOrder::Stop,
    ] {
        assert_eq!(order(&mut alone, 1, new), [new]);
        assert_eq!(order(&mut alone, 1, new), [], "{new:?} again");
    }
    acknowledge_all(&mut alone);
    let before = report(&alone);
    order(&mut alone, 1, committed(2));
    order(&mut alone, 1, trigger(4));
    order(&mut alone, 1, aborted(3));
    assert_eq!(report(&alone), before, "old numbers change nothing");
}

#[test]
fn a_trigger_that_is_not_above_all_that_were_seen_is_ignored() {
    let mut alone = running();
    order(&mut alone, 1, committed(9));
    for number in [1, 8, 9] {
        assert_eq!(order(&mut alone, 1, trigger(number)), []);
    }
    assert_eq!(order(&mut alone, 1, aborted(12)), [aborted(12)]);
    assert_eq!(order(&mut alone, 1, trigger(12)), []);
    assert_eq!(order(&mut alone, 1, trigger(13)), [trigger(13)]);
    assert_eq!((report(&alone).seen, report(&alone).committed), (13, 9));
}

#[test]
fn a_higher_trigger_replaces_a_lower_one() {
    let mut alone = running();
    order(&mut alone, 1, trigger(1));
    let told = order(&mut alone, 1, trigger(2));
    assert_eq!(told, [aborted(1), trigger(2)]);
    let late = say(&mut alone, acked(1, "state")).0;
    let pending = Some(2);
    assert_eq!(late, Err(NotHeard::NotPending { number: 1, pending }));
    // One that it has acknowledged may be committed, so nothing is said about that yet.
    say(&mut alone, acked(2, "state")).0.unwrap();
    assert_eq!(order(&mut alone, 1, trigger(3)), [trigger(3)]);
    assert_eq!(report(&alone).acked, None);
    assert_eq!(order(&mut alone, 1, committed(2)), [committed(2)]);
    say(&mut alone, acked(3, "state")).0.unwrap();
}

#[test]
fn an_acknowledgement_is_kept_until_it_is_committed_or_aborted() {
    for (decision, is_decided) in [
        (committed(6), false),
        (aborted(6), false),
        (committed(7), true),
        (aborted(7), true),
        (committed(8), true),
        (aborted(8), true),
    ] {
        let mut alone = running();
        order(&mut alone, 1, trigger(7));
        say(&mut alone, acked(7, "state")).0.unwrap();
        // Also under another leader.
        let full = alone.see(5).expect("a full report to the new term");
        assert_eq!(reported(&full).acked.as_ref().unwrap().number, 7);
        alone.order_seq = 0;
        order(&mut alone, 5, decision);
        assert_eq!(report(&alone).acked.is_none(), is_decided, "{decision:?}");
    }
}

#[test]
fn an_acknowledgement_may_come_twice_and_not_with_other_files() {
    let mut alone = running();
    order(&mut alone, 1, trigger(7));
    say(&mut alone, acked(7, "a")).0.unwrap();
    acknowledge_all(&mut alone);
    let (again, then) = say(&mut alone, acked(7, "a"));
    assert_eq!(again, Ok(()));
    assert!(sent(then).is_none(), "nothing has changed");
    let number = 7;
    let other = Err(NotHeard::OtherFiles { number });
    assert_eq!(say(&mut alone, acked(7, "b")).0, other);
    // Its answer may have been lost, and the commit may have been faster.
    order(&mut alone, 1, committed(7));
    assert_eq!(say(&mut alone, acked(7, "a")).0, Ok(()));
    assert_eq!(say(&mut alone, acked(7, "b")).0, other);
    assert_eq!(report(&alone).acked, None);
}

#[test]
fn what_was_never_asked_for_or_was_aborted_is_not_acknowledged() {
    let mut alone = running();
    let not_pending = |number| {
        let pending = None;
        Err(NotHeard::NotPending { number, pending })
    };
    assert_eq!(say(&mut alone, acked(1, "a")).0, not_pending(1));
    order(&mut alone, 1, trigger(1));
    say(&mut alone, acked(1, "a")).0.unwrap();
    order(&mut alone, 1, aborted(1));
    assert_eq!(say(&mut alone, acked(1, "a")).0, not_pending(1));
    assert_eq!(report(&alone).acked, None);
}

#[test]
fn an_abort_says_the_number_that_the_task_was_asked_for_first() {
    let mut alone = running();
    order(&mut alone, 1, trigger(3));
    // Another TaskManager has seen number 5.
    assert_eq!(order(&mut alone, 1, aborted(5)), [aborted(3), aborted(5)]);
    assert_eq!(report(&alone).seen, 5);
}

#[test]
fn a_rank_hears_once_that_a_number_is_aborted_that_it_was_never_asked_for() {
    let mut alone = running();
    assert_eq!(order(&mut alone, 1, aborted(5)), [aborted(5)]);
    // The next leader says so as well, and it says less than what is known.
    alone.see(2);
    alone.order_seq = 0;
    for number in [5, 4] {
        assert_eq!(order(&mut alone, 2, aborted(number)), [], "{number}");
    }
    assert_eq!(order(&mut alone, 2, trigger(5)), []);
    assert_eq!(order(&mut alone, 2, trigger(6)), [trigger(6)]);
}

#[test]
fn a_rank_that_has_finished_hears_of_no_abort_but_its_own() {
    let mut alone = running();
    order(&mut alone, 1, trigger(1));
    say(&mut alone, Said::Finished(part("last"))).0.unwrap();
    assert_eq!(order(&mut alone, 1, aborted(1)), [aborted(1)]);
    assert_eq!(order(&mut alone, 1, aborted(3)), []);
    assert_eq!(report(&alone).seen, 3);
}

#[test]
fn a_deposed_leader_triggers_nothing() {
    let mut alone = running();
    alone.see(5);
    let refused = alone.order(4, contract(trigger(9)));
    assert!(matches!(refused[0], TaskManagerAction::Refuse(_)));
    assert_eq!(told(&refused), []);
    assert_eq!(report(&alone).seen, 0, "the number is still free");
}

#[test]
fn a_finished_rank_is_not_asked_and_answers_with_its_last_files() {
    let mut alone = running();
    order(&mut alone, 1, trigger(1));
    say(&mut alone, acked(1, "state")).0.unwrap();
    say(&mut alone, Said::Finished(part("last"))).0.unwrap();
    let own = report(&alone).acked.unwrap();
    assert_eq!(own.part, part("state"), "it was acknowledged before");
    order(&mut alone, 1, committed(1));
    assert_eq!(order(&mut alone, 1, trigger(2)), []);
    let last = RankPart {
        is_finished: true,
        ..part("last")
    };
    assert_eq!(report(&alone).acked.unwrap().part, last);
    assert_eq!(order(&mut alone, 1, committed(2)), [committed(2)]);
    // Said again, and something else.
    say(&mut alone, Said::Finished(part("last"))).0.unwrap();
    let other = say(&mut alone, Said::Finished(part("other"))).0;
    assert_eq!(other, Err(NotHeard::Finished));
    order(&mut alone, 1, trigger(3));
    let late = say(&mut alone, acked(3, "state")).0;
    assert!(late.is_err(), "{late:?}");
}

#[test]
fn what_is_pending_when_a_rank_finishes_is_answered_with_its_last_files() {
    let mut alone = running();
    order(&mut alone, 1, trigger(1));
    say(&mut alone, Said::Finished(part("last"))).0.unwrap();
    let acked = report(&alone).acked.unwrap();
    assert!(acked.part.is_finished && acked.number == 1);
}

#[test]
fn a_savepoint_of_a_finished_rank_has_copies_of_its_last_files() {
    let mut alone = running();
    say(&mut alone, Said::Finished(part("last"))).0.unwrap();
    let savepoint = Some(SAVEPOINT);
    let number = 4;
    let trigger = ContractOrder::Checkpoint { number, savepoint };
    let actions = alone.order(1, contract(trigger));
    let copied = actions.iter().find_map(|action| match action {
        TaskManagerAction::CopyLast { number, part, .. } => Some((*number, part.clone())),
        _ => None,
    });
    let (number, last) = copied.expect("they are copied first");
    assert_eq!((number, last.files.len(), last.is_finished), (4, 1, true));
    assert_eq!(report(&alone).acked, None);
    let copy = RankPart {
        files: part("copy").files,
        ..last
    };
    let said = Said::Acked(Acked {
        number,
        part: copy.clone(),
    });
    say(&mut alone, said).0.unwrap();
    assert_eq!(report(&alone).acked.unwrap().part, copy);
}

#[test]
fn a_rank_that_finishes_with_no_files_needs_no_copies() {
    let mut alone = running();
    say(&mut alone, Said::Finished(RankPart::default()))
        .0
        .unwrap();
    let savepoint = Some(SAVEPOINT);
    let number = 4;
    order(
        &mut alone,
        1,
        ContractOrder::Checkpoint { number, savepoint },
    );
    assert!(report(&alone).acked.unwrap().part.files.is_empty());
}

#[test]
fn what_a_task_said_is_reported_after_its_end_too() {
    let mut alone = running();
    order(&mut alone, 1, trigger(7));
    say(&mut alone, acked(7, "state")).0.unwrap();
    order(&mut alone, 1, ContractOrder::Stop);
    alone.tell(ended(EndedHow::Exited { code: 0 }));
    // What it was not told while it lived, it was not told.
    assert_eq!(order(&mut alone, 1, committed(7)), []);
    let said = say(&mut alone, Said::Ready).0;
    assert_eq!(said, Err(NotHeard::NoSuchTask));
    alone.tell(TaskManagerEvent::Reserved {
        slot: 0,
        port: 7000,
    });
    let full = alone.see(5).expect("a full report");
    assert!(matches!(full.tasks[0].state, TaskState::Ended(_)));
    let contract = reported(&full);
    assert!(contract.was_stopped && contract.committed == 0);
    assert_eq!(contract.acked.as_ref().unwrap().number, 7);
}

#[test]
fn all_ranks_of_the_attempt_here_are_told_and_no_others() {
    let mut alone = Alone::registered();
    alone.order(1, checkpointing(0));
    alone.order(1, checkpointing(1));
    let actions = alone.order(1, contract(trigger(1)));
    let tasks = actions.iter().filter_map(|action| match action {
        TaskManagerAction::TellTask { task, .. } => Some(*task),
        _ => None,
    });
    assert_eq!(tasks.collect::<Vec<_>>(), [rank(0), rank(1)]);
    let mut other = contract(trigger(2));
    if let Command::Contract { gang, .. } = &mut other {
        gang.attempt = gang.attempt.next();
    }
    assert_eq!(told(&alone.order(1, other)), []);
}

#[test]
fn a_job_without_checkpoints_is_asked_for_none() {
    let mut alone = Alone::registered();
    alone.order(1, deploy(1, 0));
    assert_eq!(told(&alone.order(1, contract(trigger(1)))), []);
    let said = say(&mut alone, Said::Ready).0;
    assert_eq!(said, Err(NotHeard::NotCheckpointing));
    assert_eq!(say(&mut alone, Said::Progress("half".to_owned())).0, Ok(()));
}

#[test]
fn progress_goes_with_the_next_heartbeat_and_causes_no_report() {
    let mut alone = running();
    for line in ["1 %", "2 %", "3 %"] {
        let (heard, then) = say(&mut alone, Said::Progress(line.to_owned()));
        assert_eq!((heard, sent(then).is_none()), (Ok(()), true));
    }
    let beat = alone.wait(HEARTBEAT).expect("a heartbeat");
    assert_eq!(beat.tasks.len(), 1);
    assert_eq!(beat.tasks[0].progress.as_deref(), Some("3 %"));
    alone.acknowledge(1, beat.seq);
    let beat = alone.wait(HEARTBEAT).expect("a heartbeat");
    assert_eq!(beat.tasks.len(), 0, "it is known");
    alone.acknowledge(1, beat.seq);
    alone.tell(ended(EndedHow::Exited { code: 0 }));
    alone.tell(TaskManagerEvent::Reserved {
        slot: 0,
        port: 7000,
    });
    let full = alone.see(5).expect("a full report");
    assert_eq!(full.tasks[0].progress.as_deref(), Some("3 %"));
}

#[test]
fn parts_that_do_not_fit_into_one_report_come_in_the_next() {
    let many = |name: &str| {
        let files = (0..1000).map(|number| StoredFile {
            name: format!("{name}{}{number}", "x".repeat(100)),
            object: "y".repeat(4000),
            size: 1,
            sha256: "0".repeat(64),
        });
        RankPart {
            is_finished: false,
            files: files.collect(),
        }
    };
    let mut alone = Alone::registered();
    alone.order(1, checkpointing(0));
    alone.order(1, checkpointing(1));
    alone.order(1, contract(trigger(1)));
    for number in 0..2 {
        let part = many("a");
        let said = Said::Acked(Acked { number: 1, part });
        let task = rank(number);
        alone.tell(TaskManagerEvent::Said { task, said });
    }
    let full = alone.see(5).expect("a full report");
    let parts = |report: &Report| -> Vec<u32> {
        let with = report.tasks.iter();
        let with = with.filter(|task| task.contract.acked.is_some());
        with.map(|task| task.task.rank.0).collect()
    };
    assert_eq!((full.tasks.len(), parts(&full)), (2, vec![0]));
    let next = sent(alone.acknowledge(5, full.seq)).expect("at once");
    assert_eq!(parts(&next), [1]);
    assert!(sent(alone.acknowledge(5, next.seq)).is_none());
}
