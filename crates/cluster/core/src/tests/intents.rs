//! Stop, resume, rescale, savepoint (R5): what is refused, what is written, and what becomes of it.

use super::SECOND;
use super::world::{World, checkpointing, fenced, spec};
use crate::checkpoint::{Intent, MOST_SAVEPOINTS};
use crate::leader::{Answer, Question};
use crate::task_manager::TaskManagerEvent;
use crate::{CauseKind, Desired, JobId, JobState, SavepointId};

pub(super) const SAVEPOINT: SavepointId = SavepointId::new(77);
const OTHER: SavepointId = SavepointId::new(78);

pub(super) fn running(slots: &[u32], tasks: u32) -> (World, JobId) {
    let mut world = World::new(slots);
    let job = world.submit(checkpointing("a", tasks));
    world.run(SECOND * 2 + SECOND / 2);
    world.take_trace();
    (world, job)
}

impl World {
    /// Asks, and says why it was refused.
    pub(super) fn refusal(&mut self, question: Question) -> String {
        let ticket = self.ask(question);
        match self.answers.get(&ticket) {
            Some(Answer::Conflict(why)) => why.clone(),
            other => panic!("{other:?} instead of a refusal"),
        }
    }

    pub(super) fn accepted(&mut self, question: Question) {
        let ticket = self.ask(question);
        let answer = self.answers.get(&ticket);
        let is_accepted = matches!(answer, Some(Answer::Job(_) | Answer::Done));
        assert!(is_accepted, "{answer:?}");
    }
}

pub(super) fn suspend(job: JobId) -> Question {
    let savepoint = SAVEPOINT;
    Question::Suspend { job, savepoint }
}

pub(super) fn rescale(job: JobId, tasks: u32) -> Question {
    Question::Rescale { job, tasks }
}

pub(super) fn save(job: JobId, savepoint: SavepointId) -> Question {
    Question::Savepoint { job, savepoint }
}

#[test]
fn a_stop_is_written_then_saved_then_published_and_only_then_suspended() {
    let (mut world, job) = running(&[2, 2], 2);
    world.accepted(suspend(job));
    world.run(SECOND);
    assert_eq!(
        world.take_trace(),
        [
            "commit Running attempt 1",
            "checkpoint 3",
            "checkpoint 3",
            "manifest 3",
            "commit Stopping attempt 1",
            "committed 3",
            "committed 3",
            "stop",
            "stop",
            "commit Suspended attempt 1"
        ]
    );
    let record = world.record(job);
    assert_eq!(record.savepoints[0].id, SAVEPOINT);
    assert_eq!((record.intent, record.closing), (None, None));
    assert_eq!(record.ended[0].cause.kind, CauseKind::Stopped);
    world.check_output(job);
    assert!(world.blobs.marked.contains_key(&SAVEPOINT));
    // It holds no slots, and keeps its name.
    let other = world.submit(fenced("b", 4));
    assert_eq!(world.view(other).state, JobState::Running);
    let taken = world.submit(fenced("a", 1));
    assert_eq!(world.record(taken).state, JobState::Failed);
}

#[test]
fn a_suspended_job_is_resumed_from_its_savepoint() {
    let (mut world, job) = running(&[2, 2], 2);
    world.accepted(suspend(job));
    world.run(SECOND);
    world.accepted(suspend(job));
    world.elect();
    world.accepted(Question::Resume(job));
    world.run(SECOND * 3);
    let record = world.record(job);
    assert_eq!((record.state, record.attempt.0), (JobState::Running, 2));
    assert_eq!((record.desired, record.restarts), (Desired::Running, 0));
    assert!(record.newest_checkpoint() > 3);
    world.check_output(job);
    world.accepted(Question::Resume(job));
}

#[test]
fn stopping_what_waits_or_has_no_checkpoints_needs_no_savepoint() {
    let mut world = World::new(&[1]);
    let job = world.submit(checkpointing("a", 2));
    world.accepted(suspend(job));
    assert_eq!(world.record(job).state, JobState::Suspended);
    let plain = world.submit(spec("b", 1));
    world.take_trace();
    world.accepted(suspend(plain));
    assert_eq!(
        world.take_trace(),
        [
            "commit Stopping attempt 1",
            "end 1 0",
            "commit Suspended attempt 1"
        ]
    );
    world.elect();
    world.accepted(Question::Resume(plain));
    world.run(SECOND);
    assert_eq!(world.record(plain).state, JobState::Running);
    assert_eq!(world.record(plain).attempt.0, 2);
    assert_eq!(world.alive(plain).len(), 1);
}

#[test]
fn a_stop_that_has_no_savepoint_yet_is_withdrawn_by_resuming() {
    let (mut world, job) = running(&[2, 2], 2);
    world.late.insert(0);
    world.accepted(suspend(job));
    world.accepted(suspend(job));
    let other = Question::Suspend {
        job,
        savepoint: OTHER,
    };
    assert!(world.refusal(other).contains("is being stopped"));
    world.run(SECOND);
    assert!(world.view(job).why.join("\n").contains("is being stopped"));
    world.accepted(Question::Resume(job));
    let record = world.record(job);
    assert_eq!((record.intent, record.desired), (None, Desired::Running));
    world.late.clear();
    world.run(SECOND * 5);
    let record = world.record(job);
    assert_eq!(record.state, JobState::Running);
    assert!(record.savepoints.is_empty() && record.newest_checkpoint() > 3);
    world.check_output(job);
}

#[test]
fn suspended_comes_only_after_everything_is_published_whoever_dies_meanwhile() {
    let (mut world, job) = running(&[2, 2, 2], 2);
    world.never_stops.insert(1);
    world.accepted(suspend(job));
    world.run(SECOND * 3);
    assert_eq!(world.record(job).state, JobState::Stopping);
    let why = world.view(job).why.join("\n");
    assert!(why.contains("rank 1 publishes"), "{why}");
    // Rank 0 has published and ended; rank 1 dies.
    world.exit(world.task(job, 1, 1), 9, &[]);
    assert_eq!(world.record(job).state, JobState::Restarting);
    world.run(SECOND * 3);
    assert_eq!(world.record(job).state, JobState::Stopping);
    assert_eq!(world.record(job).attempt.0, 2);
    world.never_stops.clear();
    world.exit(world.task(job, 2, 1), 9, &[]);
    world.run(SECOND * 5);
    assert_eq!(world.record(job).state, JobState::Suspended);
    world.check_output(job);
}

#[test]
fn a_rank_that_leaves_before_it_knows_what_is_committed_has_not_published_it() {
    let (mut world, job) = running(&[2, 2, 2], 2);
    world.blobs.holds = true;
    world.accepted(suspend(job));
    world.run(SECOND / 10);
    let rank = world.task(job, 1, 1);
    let nonce = world.place_of(rank).unwrap();
    world.nodes.get_mut(&nonce).unwrap().loses_orders = true;
    world.answer_held();
    assert_eq!(world.record(job).state, JobState::Stopping);
    world.exit(rank, 0, &[]);
    let record = world.record(job);
    assert_eq!(record.state, JobState::Restarting);
    assert!(
        record
            .cause
            .as_ref()
            .unwrap()
            .message
            .contains("without being told to stop")
    );
    world.nodes.get_mut(&nonce).unwrap().loses_orders = false;
    world.run(SECOND * 10);
    assert_eq!(world.record(job).state, JobState::Suspended);
    world.check_output(job);
}

#[test]
fn a_job_that_is_closing_is_canceled_all_the_same() {
    let (mut world, job) = running(&[2, 2], 2);
    world.never_stops.insert(1);
    world.accepted(suspend(job));
    world.run(SECOND);
    assert!(world.refusal(rescale(job, 1)).contains("is being stopped"));
    assert!(world.refusal(save(job, OTHER)).contains("is being stopped"));
    assert!(world.refusal(Question::Resume(job)).contains("publish"));
    world.accepted(Question::Cancel(job));
    world.run(SECOND);
    assert_eq!(world.record(job).state, JobState::Canceled);
    assert!(world.alive(job).is_empty());
    // Its savepoint stays one.
    world.accepted(save(job, SAVEPOINT));
}

#[test]
fn a_savepoint_is_made_while_the_job_goes_on() {
    let (mut world, job) = running(&[2, 2], 2);
    world.accepted(save(job, SAVEPOINT));
    world.run(SECOND * 5);
    world.accepted(save(job, SAVEPOINT));
    let record = world.record(job);
    assert_eq!(record.state, JobState::Running);
    assert_eq!(record.savepoints.len(), 1);
    let number = record.savepoints[0].checkpoint.number;
    assert!(record.checkpoints.iter().all(|kept| kept.number > number));
    let ticket = world.ask(Question::Savepoints);
    let Some(Answer::Savepoints(all)) = world.answers.get(&ticket) else {
        panic!("no list of savepoints");
    };
    assert_eq!((all.len(), all[0].name.as_str()), (1, "a"));
    world.check_output(job);
}

#[test]
fn what_cannot_be_saved_is_refused_with_words() {
    let mut world = World::new(&[2, 2]);
    let plain = world.submit(spec("b", 1));
    assert!(
        world
            .refusal(save(plain, SAVEPOINT))
            .contains("[checkpoints]")
    );
    let waiting = world.submit(checkpointing("w", 4));
    assert!(world.refusal(save(waiting, SAVEPOINT)).contains("waiting"));
    let job = world.submit(checkpointing("a", 2));
    world.run(SECOND);
    for number in 0..MOST_SAVEPOINTS as u128 {
        world.accepted(save(job, SavepointId::new(1000 + number)));
        world.run(SECOND);
    }
    assert_eq!(world.record(job).savepoints.len(), MOST_SAVEPOINTS);
    assert!(world.refusal(save(job, SAVEPOINT)).contains("savepoint rm"));
    assert!(world.refusal(suspend(job)).contains("savepoint rm"));
    world.accepted(Question::RemoveSavepoint(SavepointId::new(1000)));
    world.accepted(suspend(job));
    world.accepted(Question::Cancel(waiting));
    let taken = world.submit(checkpointing("c", 1));
    world.run(SECOND * 3);
    assert!(
        world
            .refusal(save(taken, SAVEPOINT))
            .contains("another one's")
    );
}

#[test]
fn a_job_gets_another_number_of_tasks_and_its_output_stays_right() {
    let (mut world, job) = running(&[2, 2], 2);
    world.accepted(rescale(job, 4));
    world.run(SECOND * 3);
    let record = world.record(job);
    assert_eq!((record.tasks(), record.placements.len()), (4, 4));
    assert_eq!((record.attempt.0, record.restarts), (2, 0));
    assert_eq!(record.ended[0].cause.kind, CauseKind::Rescaled);
    assert_eq!(world.alive(job).len(), 4);
    world.accepted(rescale(job, 4));
    world.accepted(rescale(job, 1));
    world.run(SECOND * 3);
    assert_eq!(world.alive(job).len(), 1);
    assert!(world.record(job).newest_checkpoint() > 4);
    world.check_output(job);
    // The slots that it does not need are free again.
    let other = world.submit(fenced("b", 3));
    assert_eq!(world.view(other).state, JobState::Running);
    world.elect();
    assert_eq!(world.view(job).tasks.len(), 1);
    assert!(world.view(job).why.is_empty());
}

#[test]
fn a_job_that_waits_for_slots_shows_how_many_tasks_it_is_to_have() {
    let mut world = World::new(&[2]);
    let job = world.submit(fenced("a", 9));
    let view = world.view(job);
    assert_eq!((view.tasks.len(), view.task_count()), (0, 9));
}

#[test]
fn rescaling_without_slots_is_refused_and_stops_nothing() {
    let (mut world, job) = running(&[2, 2], 2);
    // A new leader waits for the reports of TaskManagers before it refuses.
    world.run(SECOND * 6);
    world.take_trace();
    let why = world.refusal(rescale(job, 5));
    assert!(why.contains("holds 2 slots, and 2 more are free"), "{why}");
    assert!(world.refusal(rescale(job, 0)).contains("1 to 1000"));
    assert_eq!(world.take_trace(), [""; 0]);
    let mut named = checkpointing("named", 2);
    named.command.push("{peer1.host}".to_owned());
    let named = world.submit(named);
    assert!(world.refusal(rescale(named, 1)).contains("command"));
}

#[test]
fn an_attempt_that_fails_under_an_intent_to_rescale_begins_again_with_that_number() {
    let (mut world, job) = running(&[2, 2], 2);
    world.late.insert(0);
    world.accepted(rescale(job, 3));
    assert!(
        world
            .refusal(save(job, SAVEPOINT))
            .contains("is being given 3 tasks")
    );
    world.exit(world.task(job, 1, 1), 1, &[]);
    world.late.clear();
    world.run(SECOND * 4);
    let record = world.record(job);
    assert_eq!((record.tasks(), record.intent), (3, None));
    assert_eq!(world.alive(job).len(), 3);
    world.check_output(job);
}

/// A job of two tasks that is to have four, of whose slots two were lost.
pub(super) fn waiting_for_slots() -> (World, JobId) {
    let (mut world, job) = running(&[2, 2], 2);
    world.late.insert(0);
    world.accepted(rescale(job, 4));
    let record = world.record(job).clone();
    let lost = record.nodes[1].nonce;
    world.late.clear();
    world.kill(lost);
    (world, job)
}

#[test]
fn an_intent_to_rescale_waits_for_slots_that_were_lost_and_goes_on_without_them() {
    let (mut world, job) = waiting_for_slots();
    world.run(SECOND * 15);
    let record = world.record(job);
    assert_eq!(record.intent, Some(Intent::Rescale { tasks: 4 }));
    assert_eq!((record.state, record.tasks()), (JobState::Running, 2));
    let why = world.view(job).why.join("\n");
    assert!(
        why.contains("is to have 4 tasks and waits for slots"),
        "{why}"
    );
    world.add_node(2);
    world.run(SECOND * 4);
    assert_eq!(world.record(job).tasks(), 4);
    assert_eq!(world.alive(job).len(), 4);
    world.check_output(job);
}

#[test]
fn a_job_without_checkpoints_is_rescaled_by_a_restart() {
    let mut world = World::new(&[2, 2]);
    let job = world.submit(spec("a", 2));
    world.take_trace();
    world.accepted(rescale(job, 3));
    assert_eq!(
        world.take_trace()[..3],
        ["commit Restarting attempt 1", "end 1 0", "end 1 1"]
    );
    world.run(SECOND);
    assert_eq!(world.alive(job).len(), 3);
    assert_eq!(world.record(job).restarts, 0);
    let waiting = world.submit(spec("b", 4));
    world.accepted(rescale(waiting, 1));
    world.run(SECOND);
    assert_eq!(world.alive(waiting).len(), 1);
}

#[test]
fn a_stop_of_a_restarting_job_lets_an_attempt_start_and_stops_that() {
    let (mut world, job) = running(&[2, 2], 2);
    world.exit(world.task(job, 1, 1), 1, &[]);
    world.accepted(suspend(job));
    world.run(SECOND * 4);
    let record = world.record(job);
    assert_eq!((record.state, record.attempt.0), (JobState::Suspended, 2));
    assert_eq!(record.savepoints.len(), 1);
    world.check_output(job);
}

#[test]
fn a_stop_of_a_job_whose_input_has_ended_suspends_it() {
    let (mut world, job) = running(&[2, 2], 2);
    world.late.insert(0);
    world.accepted(suspend(job));
    world.lengths.insert(job, 0);
    world.late.clear();
    world.elect();
    world.run(SECOND * 5);
    assert_eq!(world.record(job).state, JobState::Suspended);
    world.accepted(Question::Resume(job));
    world.run(SECOND * 5);
    assert_eq!(world.record(job).state, JobState::Finished);
    world.check_output(job);
}

#[test]
fn a_savepoint_is_removed_from_its_record_before_its_files_go() {
    let (mut world, job) = running(&[2, 2], 2);
    world.accepted(save(job, SAVEPOINT));
    let why = world.refusal(Question::RemoveSavepoint(SAVEPOINT));
    assert!(why.contains("starts from next"), "{why}");
    world.run(SECOND * 2);
    world.take_trace();
    world.accepted(Question::RemoveSavepoint(SAVEPOINT));
    assert_eq!(world.take_trace()[0], "commit Running attempt 1");
    let record = world.record(job);
    assert!(record.savepoints.is_empty());
    assert!(record.checkpoints.iter().all(|c| c.savepoint.is_none()));
    assert_eq!(world.blobs.removed, [SAVEPOINT]);
    // Also one that no record has.
    world.accepted(Question::RemoveSavepoint(OTHER));
}

#[test]
fn a_savepoint_of_a_job_that_has_ended_is_removed_too() {
    let (mut world, job) = running(&[2, 2], 2);
    world.accepted(suspend(job));
    world.run(SECOND);
    assert!(
        world
            .refusal(Question::RemoveSavepoint(SAVEPOINT))
            .contains("next")
    );
    world.accepted(Question::Cancel(job));
    world.elect();
    world.accepted(Question::RemoveSavepoint(SAVEPOINT));
    assert!(world.record(job).savepoints.is_empty());
}

#[test]
fn a_drained_task_manager_does_not_hold_up_a_stop() {
    let (mut world, job) = running(&[2, 2], 2);
    let nonce = world.record(job).nodes[0].nonce;
    world.accepted(suspend(job));
    world.tell_node(nonce, TaskManagerEvent::Drain);
    world.run(SECOND * 3);
    assert_eq!(world.record(job).state, JobState::Suspended);
    world.check_output(job);
}
