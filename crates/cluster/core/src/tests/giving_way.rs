//! Intents that meet each other, wait for long or cannot be carried out: none holds up the job.

use super::SECOND;
use super::intents::{SAVEPOINT, rescale, running, save, suspend, waiting_for_slots};
use super::world::{Fault, World, checkpointing};
use crate::checkpoint::Intent;
use crate::leader::{Answer, Question};
use crate::{CauseKind, JobSpec, JobState, Restart, SavepointId};

#[test]
fn a_rescale_that_waits_for_slots_is_withdrawn_by_the_number_that_the_job_has() {
    let (mut world, job) = waiting_for_slots();
    world.run(SECOND * 15);
    world.accepted(rescale(job, 2));
    assert_eq!(world.record(job).intent, None);
    world.accepted(save(job, SAVEPOINT));
    world.add_node(2);
    world.run(SECOND * 5);
    let record = world.record(job);
    assert_eq!((record.tasks(), record.savepoints.len()), (2, 1));
    world.check_output(job);
}

#[test]
fn a_stop_takes_the_place_of_a_rescale_that_waits_for_slots() {
    let (mut world, job) = waiting_for_slots();
    world.run(SECOND * 15);
    world.accepted(suspend(job));
    world.run(SECOND * 5);
    let record = world.record(job);
    assert_eq!((record.state, record.tasks()), (JobState::Suspended, 2));
    assert_eq!(record.savepoints.len(), 1);
    world.check_output(job);
}

#[test]
fn a_rescale_that_lacks_slots_does_not_hold_up_the_end_of_the_input() {
    let (mut world, job) = waiting_for_slots();
    world.lengths.insert(job, 0);
    world.run(SECOND * 20);
    let record = world.record(job);
    assert_eq!((record.state, record.intent), (JobState::Finished, None));
    world.check_output(job);
}

#[test]
fn two_jobs_never_make_the_same_savepoint() {
    let (mut world, job) = running(&[4, 4], 2);
    let other = world.submit(checkpointing("b", 2));
    world.run(SECOND * 2);
    world.late.insert(0);
    world.faults.push_back(Fault::Silent);
    world.ask(suspend(job));
    let is_made = "is making a savepoint of that id";
    assert!(world.refusal(save(other, SAVEPOINT)).contains(is_made));
    world.commit_silent(job);
    assert!(world.refusal(save(other, SAVEPOINT)).contains(is_made));
    world.late.clear();
    world.run(SECOND * 70);
    assert_eq!(world.record(job).state, JobState::Suspended);
    let is_owned = "another one's";
    assert!(world.refusal(save(other, SAVEPOINT)).contains(is_owned));
}

#[test]
fn an_id_makes_no_savepoint_while_files_under_it_are_being_removed() {
    let (mut world, job) = running(&[2, 2], 2);
    world.accepted(save(job, SAVEPOINT));
    world.run(SECOND * 2);
    world.blobs.holds = true;
    let ticket = world.ask(Question::RemoveSavepoint(SAVEPOINT));
    assert!(world.record(job).savepoints.is_empty());
    let why = world.refusal(save(job, SAVEPOINT));
    assert!(why.contains("is being removed"), "{why}");
    world.answer_held();
    assert_eq!(world.answers.get(&ticket), Some(&Answer::Done));
    world.accepted(save(job, SAVEPOINT));
}

#[test]
fn a_rank_that_hangs_while_it_publishes_is_restarted_by_a_person() {
    let (mut world, job) = running(&[2, 2, 2], 2);
    world.never_stops.insert(1);
    world.accepted(suspend(job));
    world.run(SECOND * 3);
    assert_eq!(world.record(job).state, JobState::Stopping);
    world.never_stops.clear();
    world.accepted(Question::Restart(job));
    world.run(SECOND * 5);
    let record = world.record(job);
    assert_eq!((record.state, record.attempt.0), (JobState::Suspended, 2));
    assert_eq!(record.ended[0].cause.kind, CauseKind::Restarted);
    world.check_output(job);
}

#[test]
fn a_stop_outlives_the_task_manager_that_publishes_for_it_though_nothing_restarts_the_job() {
    let mut world = World::new(&[2, 2, 2]);
    let job = world.submit(JobSpec {
        restart: Restart::None,
        ..checkpointing("a", 2)
    });
    world.run(SECOND * 2);
    world.never_stops.insert(1);
    world.accepted(suspend(job));
    world.run(SECOND);
    assert_eq!(world.record(job).state, JobState::Stopping);
    let lost = world.place_of(world.task(job, 1, 1)).unwrap();
    world.kill(lost);
    world.never_stops.clear();
    world.run(SECOND * 10);
    assert_eq!(world.record(job).state, JobState::Suspended);
    world.check_output(job);
}

#[test]
fn a_savepoint_that_cannot_be_stored_is_given_up_and_other_checkpoints_go_on() {
    let (mut world, job) = running(&[2, 2], 2);
    world.blobs.refuses_savepoints = true;
    world.accepted(save(job, SAVEPOINT));
    world.run(SECOND / 2);
    assert!(world.record(job).intent.is_some(), "it is tried again");
    world.run(SECOND * 10);
    let record = world.record(job);
    assert_eq!((record.intent, record.savepoints.len()), (None, 0));
    assert!(record.newest_checkpoint() > 6, "{record:?}");
    assert_eq!((record.state, record.attempt.0), (JobState::Running, 1));
    let why = world.refusal(save(job, SAVEPOINT));
    assert!(why.contains("was given up"), "{why}");
    assert!(why.contains("the bucket is gone"), "{why}");
    world.blobs.refuses_savepoints = false;
    world.accepted(save(job, SavepointId::new(78)));
    world.run(SECOND);
    assert_eq!(world.record(job).savepoints.len(), 1);
    world.check_output(job);
}

#[test]
fn checkpoints_go_on_while_a_stop_cannot_store_its_savepoint() {
    let (mut world, job) = running(&[2, 2], 2);
    world.blobs.refuses_savepoints = true;
    let savepoint = SAVEPOINT;
    world.accepted(suspend(job));
    world.run(SECOND * 10);
    let record = world.record(job);
    assert_eq!(record.intent, Some(Intent::Stop { savepoint }));
    assert!(record.newest_checkpoint() > 6, "{record:?}");
    world.blobs.refuses_savepoints = false;
    world.run(SECOND * 3);
    assert_eq!(world.record(job).state, JobState::Suspended);
    world.check_output(job);
}

#[test]
fn ranks_that_acknowledge_nothing_fail_the_attempt_also_while_a_savepoint_is_wanted() {
    let (mut world, job) = running(&[2, 2], 2);
    world.late.insert(0);
    world.accepted(save(job, SAVEPOINT));
    world.run(SECOND * 260);
    let record = world.record(job);
    assert_eq!(record.ended[0].cause.kind, CauseKind::CheckpointsFailed);
}

#[test]
fn a_savepoint_at_which_attempts_fail_is_given_up() {
    let (mut world, job) = running(&[2, 2], 2);
    world.late.insert(0);
    world.accepted(save(job, SAVEPOINT));
    for attempt in 1..=3 {
        assert!(world.record(job).intent.is_some());
        world.exit(world.task(job, attempt, 1), 1, &[]);
        world.run(SECOND * 6);
    }
    assert_eq!(world.record(job).intent, None);
    world.late.clear();
    world.run(SECOND * 70);
    assert!(world.record(job).newest_checkpoint() > 3);
    world.check_output(job);
}

#[test]
fn a_savepoint_that_no_record_names_stays_while_a_record_cannot_be_read() {
    let (mut world, job) = running(&[2, 2], 2);
    world.accepted(save(job, SAVEPOINT));
    world.run(SECOND);
    world.accepted(Question::Cancel(job));
    world.run(SECOND);
    world.store.get_mut(&job).unwrap().damage = Some("it is no JSON".to_owned());
    world.elect();
    let why = world.refusal(Question::RemoveSavepoint(SAVEPOINT));
    assert!(why.contains("cannot be read"), "{why}");
    assert!(world.blobs.removed.is_empty());
    world.store.get_mut(&job).unwrap().damage = None;
    world.elect();
    world.accepted(Question::RemoveSavepoint(SAVEPOINT));
}
