//! Checkpoints: asked, acknowledged, committed by one swap, told (R12, R13, R14).

use incumbent_core::{Epoch, Nonce, Seal};

use super::SECOND;
use super::world::{Fault, World, checkpointing};
use crate::checkpoint::RankPart;
use crate::leader::{LeaderEvent, Question};
use crate::message::{
    Acked, Command, ContractReport, Order, Refused, Report, TaskReport, TaskState,
};
use crate::task_manager::Said;
use crate::{CauseKind, Checkpointing, JobId, JobSpec, JobState, SavepointId};

/// A job of two tasks on two TaskManagers that runs.
fn running() -> (World, JobId) {
    let mut world = World::new(&[2, 2]);
    let job = world.submit(checkpointing("a", 2));
    (world, job)
}

fn with(how: Checkpointing) -> JobSpec {
    JobSpec {
        checkpoints: Some(how),
        ..checkpointing("a", 2)
    }
}

#[test]
fn a_checkpoint_is_asked_for_acknowledged_committed_by_one_swap_and_told() {
    let (mut world, job) = running();
    world.take_trace();
    world.run(SECOND);
    assert_eq!(
        world.take_trace(),
        [
            "checkpoint 1",
            "checkpoint 1",
            "manifest 1",
            "commit Running attempt 1",
            "committed 1",
            "committed 1"
        ]
    );
    let view = world.view(job);
    let last = view.checkpoint.unwrap();
    assert_eq!((last.number, last.attempt, last.bytes), (1, 1, 200));
    world.check_output(job);
}

#[test]
fn the_gang_begins_when_all_are_ready() {
    let mut world = World::new(&[2, 2]);
    world.never_ready.insert(1);
    let job = world.submit(checkpointing("a", 2));
    world.run(SECOND * 5);
    assert!(!world.take_trace().iter().any(|line| line == "begin"));
    let view = world.view(job);
    let waits = "not yet: rank 1";
    assert!(view.why.iter().any(|line| line.contains(waits)), "{view:?}");
    world.say(world.task(job, 1, 1), Said::Ready);
    assert_eq!(world.take_trace(), ["begin", "begin"]);
    world.run(SECOND);
    assert_eq!(world.record(job).newest_checkpoint(), 1);
}

#[test]
fn the_next_attempt_starts_from_the_last_completed_checkpoint() {
    let (mut world, job) = running();
    world.run(SECOND * 3);
    let newest = world.record(job).newest_checkpoint();
    world.exit(world.task(job, 1, 0), 1, &[]);
    world.run(SECOND * 3);
    let record = world.record(job);
    assert_eq!(record.attempt.0, 2);
    assert!(
        record.newest_checkpoint() > newest,
        "numbers rise over attempts"
    );
    world.check_output(job);
}

#[test]
fn the_newest_are_kept_and_the_janitor_is_told_what_is_listed() {
    let (mut world, job) = running();
    world.run(SECOND * 10);
    let record = world.record(job);
    let numbers: Vec<u64> = record.checkpoints.iter().map(|c| c.number).collect();
    assert_eq!(numbers, [8, 9, 10]);
    let tidy = world.blobs.tidied.last().unwrap();
    let listed: Vec<u64> = tidy.listed.iter().map(|point| point.from.number).collect();
    assert_eq!(listed, numbers);
    assert_eq!(world.blobs.manifests.len(), 3);
}

#[test]
fn a_checkpoint_that_timed_out_is_aborted_and_its_output_belongs_to_the_next() {
    let (mut world, job) = running();
    world.run(SECOND * 2);
    world.late.insert(1);
    world.run(SECOND * 62);
    let view = world.view(job);
    let shown = view.checkpoints.unwrap();
    let aborted = shown.last_aborted.unwrap();
    assert_eq!((aborted.number, &aborted.late), (3, &vec![1]));
    assert!(
        aborted.why.contains("rank 1 had not acknowledged it"),
        "{aborted:?}"
    );
    assert_eq!(world.record(job).newest_checkpoint(), 2);
    assert!(world.take_trace().contains(&"aborted 3".to_owned()));
    world.late.clear();
    world.run(SECOND * 70);
    assert!(world.record(job).newest_checkpoint() > 4);
    assert_eq!(world.record(job).attempt.0, 1);
    world.check_output(job);
}

#[test]
fn three_aborted_in_a_row_fail_the_attempt_and_name_who_was_late() {
    let (mut world, job) = running();
    world.late.insert(1);
    world.run(SECOND * 190);
    let record = world.record(job);
    let cause = &record.ended.first().expect("the attempt has ended").cause;
    assert_eq!(cause.kind, CauseKind::CheckpointsFailed);
    assert_eq!(cause.rank.unwrap().0, 1);
    assert!(
        cause.message.starts_with("3 checkpoints in a row"),
        "{cause:?}"
    );
}

#[test]
fn outages_of_blobs_do_not_count() {
    let mut world = World::new(&[2, 2]);
    let job = world.submit(with(Checkpointing {
        failures: 1,
        ..Checkpointing::default()
    }));
    world.blobs.refuses = Some(true);
    world.run(SECOND * 100);
    assert_eq!(world.record(job).attempt.0, 1);
    let shown = world.view(job).checkpoints.unwrap();
    assert_eq!(shown.aborted_in_row, 0);
    assert!(
        shown
            .last_aborted
            .unwrap()
            .why
            .contains("the bucket is gone")
    );
    world.blobs.refuses = None;
    world.run(SECOND * 3);
    assert!(world.record(job).newest_checkpoint() > 0);
    world.blobs.refuses = Some(false);
    world.run(SECOND * 2);
    let cause = world.record(job).ended[0].cause.clone();
    assert_eq!(cause.kind, CauseKind::CheckpointsFailed);
}

#[test]
fn none_begins_while_blobs_do_not_answer_a_task_manager() {
    let (mut world, job) = running();
    let nonce = *world.nodes.keys().next().unwrap();
    world.tell_node(nonce, crate::task_manager::TaskManagerEvent::Blobs(false));
    world.run(SECOND * 100);
    assert_eq!(world.record(job).newest_checkpoint(), 0);
    assert_eq!(world.record(job).attempt.0, 1);
    world.tell_node(nonce, crate::task_manager::TaskManagerEvent::Blobs(true));
    world.run(SECOND * 2);
    assert!(world.record(job).newest_checkpoint() > 0);
}

#[test]
fn an_unknown_outcome_is_settled_by_opening_the_record() {
    for fault in [Fault::UnknownWritten, Fault::UnknownLost, Fault::NotApplied] {
        let (mut world, job) = running();
        world.faults.push_back(fault);
        world.run(SECOND + SECOND / 2);
        let record = world.record(job);
        assert_eq!(record.newest_checkpoint(), 1, "{fault:?}");
        assert_eq!(world.blobs.manifests.len(), 1, "the same pointer again");
        world.check_output(job);
    }
}

#[test]
fn a_new_leader_drops_what_is_pending_and_says_what_stands_again() {
    let (mut world, job) = running();
    world.run(SECOND * 2);
    world.late.insert(1);
    world.run(SECOND);
    world.take_trace();
    world.late.clear();
    world.elect();
    let trace = world.take_trace();
    assert!(trace.contains(&"aborted 3".to_owned()), "{trace:?}");
    world.run(SECOND);
    assert_eq!(world.record(job).newest_checkpoint(), 4);
    world.check_output(job);
}

#[test]
fn the_first_checkpoint_of_an_adopted_job_comes_an_interval_after_the_grant() {
    let (mut world, job) = running();
    world.run(SECOND * 2);
    world.elect();
    world.take_trace();
    world.run(SECOND / 2);
    assert_eq!(world.take_trace(), [""; 0]);
    world.run(SECOND / 2);
    assert_eq!(world.record(job).newest_checkpoint(), 3);
}

#[test]
fn acknowledgements_of_wrong_numbers_and_twice_change_nothing() {
    let (mut world, job) = running();
    world.late.insert(1);
    world.run(SECOND);
    let part = world.part();
    for number in [0, 2, 7] {
        let part = part.clone();
        world.say(world.task(job, 1, 1), Said::Acked(Acked { number, part }));
    }
    assert_eq!(world.record(job).newest_checkpoint(), 0);
    world.late.clear();
    for _ in 0..2 {
        let part = part.clone();
        world.say(
            world.task(job, 1, 1),
            Said::Acked(Acked { number: 1, part }),
        );
    }
    assert_eq!(world.record(job).newest_checkpoint(), 1);
    let part = RankPart::default();
    world.say(
        world.task(job, 1, 1),
        Said::Acked(Acked { number: 1, part }),
    );
    assert_eq!(world.record(job).checkpoints.len(), 1);
}

#[test]
fn a_manifest_that_comes_late_commits_nothing() {
    let (mut world, job) = running();
    world.blobs.holds = true;
    world.run(SECOND * 61);
    assert_eq!(world.record(job).newest_checkpoint(), 0);
    world.answer_held();
    assert_eq!(world.record(job).newest_checkpoint(), 0, "it was aborted");
    world.run(SECOND * 2);
    assert!(world.record(job).newest_checkpoint() > 1);
    world.check_output(job);
}

#[test]
fn orders_that_were_lost_are_given_again() {
    let (mut world, job) = running();
    let nonce = *world.nodes.keys().next().unwrap();
    world.nodes.get_mut(&nonce).unwrap().loses_orders = true;
    world.run(SECOND * 5);
    world.nodes.get_mut(&nonce).unwrap().loses_orders = false;
    world.run(SECOND * 5);
    assert!(world.record(job).newest_checkpoint() > 0);
    assert_eq!(world.record(job).attempt.0, 1);
    world.check_output(job);
}

#[test]
fn a_rank_that_exits_with_0_unasked_fails_the_attempt_and_is_told_what_to_do() {
    let (mut world, job) = running();
    world.exit(world.task(job, 1, 1), 0, &[]);
    let record = world.record(job);
    assert_eq!(record.state, JobState::Restarting);
    let cause = record.cause.as_ref().unwrap();
    assert_eq!(cause.kind, CauseKind::TaskFailed);
    assert!(cause.message.contains("POST /v1/finish"), "{cause:?}");
}

#[test]
fn a_job_whose_ranks_have_all_finished_commits_a_last_checkpoint_and_publishes_it() {
    let mut world = World::new(&[2, 2]);
    let job = world.submit(checkpointing("a", 2));
    world.lengths.insert(job, 3);
    world.run(SECOND * 10);
    assert_eq!(world.record(job).state, JobState::Finished);
    assert!(world.alive(job).is_empty());
    world.check_output(job);
    assert_eq!(world.blobs.output[&job].len(), 3 + 6);
}

#[test]
fn the_last_files_of_a_rank_that_has_finished_count_in_later_checkpoints() {
    let mut world = World::new(&[2, 2]);
    let job = world.submit(checkpointing("a", 3));
    world.lengths.insert(job, 1);
    world.run(SECOND * 3 + SECOND / 2);
    let finished: Vec<bool> = {
        let last = world.record(job).checkpoints.last().unwrap();
        let manifest = &world.blobs.manifests[&last.manifest.object];
        manifest.ranks.iter().map(|part| part.is_finished).collect()
    };
    assert_eq!(finished, [true, false, false]);
    // Also of a savepoint, and in the next attempt.
    let savepoint = SavepointId::new(7);
    world.ask(Question::Savepoint { job, savepoint });
    world.exit(world.task(job, 1, 2), 1, &[]);
    world.run(SECOND * 20);
    assert_eq!(world.record(job).state, JobState::Finished);
    world.check_output(job);
    assert_eq!(world.blobs.output[&job].len(), 1 + 4 + 7);
}

#[test]
fn what_is_committed_is_told_again_if_that_was_lost() {
    let (mut world, job) = running();
    world.blobs.holds = true;
    world.run(SECOND);
    let nonce = world.record(job).nodes[0].nonce;
    world.nodes.get_mut(&nonce).unwrap().loses_orders = true;
    world.answer_held();
    assert_eq!(world.record(job).newest_checkpoint(), 1);
    world.late.extend([0, 1]);
    world.run(SECOND * 2);
    world.nodes.get_mut(&nonce).unwrap().loses_orders = false;
    world.run(SECOND * 5);
    assert_eq!(world.record(job).newest_checkpoint(), 1);
    world.check_output(job);
}

#[test]
fn a_number_that_was_given_out_is_not_used_again_by_the_next_attempt() {
    let (mut world, job) = running();
    world.late.insert(1);
    world.run(SECOND);
    world.exit(world.task(job, 1, 0), 1, &[]);
    world.late.clear();
    world.run(SECOND * 4);
    let record = world.record(job);
    let first = &record.checkpoints[0];
    assert_eq!((first.number, first.attempt.0), (2, 2), "1 was given out");
}

#[test]
fn a_report_of_another_number_completes_nothing() {
    let (mut world, job) = running();
    world.late.extend([0, 1]);
    world.run(SECOND);
    for (rank, nonce) in [0, 1].map(|rank| (rank, world.record(job).nodes[rank as usize].nonce)) {
        let task = world.task(job, 1, rank);
        let at = world.place_of(task).unwrap();
        assert_eq!(at, nonce);
        let part = world.part();
        let contract = ContractReport {
            is_ready: true,
            has_begun: true,
            seen: 1,
            acked: Some(Acked { number: 2, part }),
            ..ContractReport::default()
        };
        let report = Report {
            seal: world.seal(),
            from: nonce,
            seq: 1_000_000,
            is_full: false,
            node: None,
            ports: None,
            tasks: vec![TaskReport {
                task,
                slot: 0,
                state: TaskState::Running {
                    pid: 1,
                    since: String::new(),
                },
                contract,
                progress: None,
            }],
            is_draining: false,
            has_blobs: true,
        };
        world.take_trace();
        world.tell_leader(LeaderEvent::Reported {
            report: Box::new(report),
            address: None,
        });
        assert_eq!(world.take_trace(), [""; 0]);
    }
    assert_eq!(world.record(job).newest_checkpoint(), 0);
}

#[test]
fn a_deposed_leader_commits_nothing_more() {
    let (mut world, job) = running();
    world.blobs.holds = true;
    world.run(SECOND);
    let older = Refused::Older {
        newest: Seal {
            epoch: Epoch::new(99),
            nonce: Nonce::new(1),
        },
    };
    let task = world.task(job, 1, 0);
    let order = Order {
        seal: world.seal(),
        to: world.record(job).nodes[0].nonce,
        seq: 1,
        command: Command::End { task, grace_ms: 0 },
    };
    world.take_trace();
    world.tell_leader(LeaderEvent::OrderRefused {
        by: order.to,
        order: Box::new(order),
        why: older,
    });
    world.answer_held();
    assert_eq!(world.take_trace(), ["step down"]);
    assert_eq!(world.record(job).newest_checkpoint(), 0);
}

#[test]
fn an_input_that_is_shorter_than_an_interval_keeps_its_output() {
    let mut world = World::new(&[2, 2]);
    world.lengths.insert(JobId::new(1), 0);
    let job = world.submit(checkpointing("a", 1));
    world.run(SECOND / 10);
    assert_eq!(world.record(job).state, JobState::Finished);
    assert_eq!(world.record(job).newest_checkpoint(), 1);
}
