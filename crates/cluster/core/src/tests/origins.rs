//! What a job starts from that names another job or a savepoint, and what that pins (R15).

use super::SECOND;
use super::world::{Fault, World, checkpointing};
use crate::checkpoint::RestoreFrom;
use crate::leader::{Answer, Question};
use crate::{CauseKind, JobId, JobSpec, JobState, SavepointId};

const SAVEPOINT: SavepointId = SavepointId::new(77);

fn from_job(name: &str, job: JobId, checkpoint: Option<u64>) -> JobSpec {
    JobSpec {
        restore: Some(RestoreFrom::Job { job, checkpoint }),
        ..checkpointing(name, 2)
    }
}

fn from_savepoint(name: &str) -> JobSpec {
    let savepoint = SAVEPOINT;
    JobSpec {
        restore: Some(RestoreFrom::Savepoint { savepoint }),
        ..checkpointing(name, 2)
    }
}

fn running() -> (World, JobId) {
    let mut world = World::new(&[4, 4]);
    let job = world.submit(checkpointing("a", 2));
    world.run(SECOND * 3 + SECOND / 2);
    (world, job)
}

impl World {
    fn conflict(&mut self, question: Question) -> String {
        let ticket = self.ask(question);
        match self.answers.get(&ticket) {
            Some(Answer::Conflict(why)) => why.clone(),
            other => panic!("{other:?} instead of a refusal"),
        }
    }

    fn done(&mut self, question: Question) {
        let ticket = self.ask(question);
        let answer = self.answers.get(&ticket);
        assert!(
            matches!(answer, Some(Answer::Job(_) | Answer::Done)),
            "{answer:?}"
        );
    }

    fn refused(&self, job: JobId) -> &str {
        let record = self.record(job);
        assert_eq!(record.state, JobState::Failed);
        let cause = record.cause.as_ref().unwrap();
        assert_eq!(cause.kind, CauseKind::Refused);
        &cause.message
    }
}

#[test]
fn what_a_job_starts_from_is_written_down_before_anything_is_placed() {
    let (mut world, other) = running();
    world.take_trace();
    let job = world.submit(from_job("b", other, None));
    assert_eq!(
        world.take_trace(),
        [
            "commit Waiting attempt 0",
            "commit Running attempt 1",
            "deploy 1 0",
            "deploy 1 1",
            "begin",
            "begin"
        ]
    );
    let origin = world.record(job).origin.clone().unwrap();
    assert_eq!((origin.from.job, origin.from.number), (other, 3));
    world.run(SECOND * 2);
    let record = world.record(job);
    assert!(
        record.newest_checkpoint() > 3,
        "numbers rise above those of the origin"
    );
    let shown = world.view(job).checkpoints.unwrap();
    let text = format!("checkpoint 3 of job {other}");
    assert_eq!(shown.restored_from, Some(text));
}

#[test]
fn a_checkpoint_that_is_not_there_refuses_the_job_with_words() {
    let (mut world, other) = running();
    let old = world.submit(from_job("b", other, Some(9)));
    assert!(world.refused(old).ends_with("it has 1, 2, 3"));
    let none = world.submit(from_job("c", JobId::new(99), None));
    world.run(SECOND * 2);
    assert!(world.refused(none).contains("there is no such job"));
    let fresh = world.submit(checkpointing("fresh", 1));
    let empty = world.submit(from_job("d", fresh, None));
    assert!(world.refused(empty).contains("no completed checkpoint"));
    let unsaved = world.submit(from_savepoint("e"));
    assert!(world.refused(unsaved).contains("there is none"));
}

#[test]
fn what_a_job_starts_from_stays_until_it_has_a_checkpoint_of_its_own() {
    let (mut world, other) = running();
    world.never_ready.insert(1);
    let job = world.submit(from_job("b", other, Some(3)));
    world.run(SECOND * 10);
    let is_there = |world: &World| {
        let mut all = world.blobs.manifests.values();
        all.any(|manifest| manifest.id.job == other && manifest.id.number == 3)
    };
    assert!(world.record(other).checkpoints[0].number > 3);
    assert!(is_there(&world), "it is pinned");
    world.elect();
    world.run(SECOND * 10);
    assert!(is_there(&world), "also by the next leader");
    world.done(Question::Cancel(other));
    let why = world.conflict(Question::Remove(other));
    assert!(why.contains("starts from a checkpoint"), "{why}");
    // Another attempt of the job starts from it again.
    world.never_ready.clear();
    world.exit(world.task(job, 1, 0), 1, &[]);
    world.run(SECOND * 10);
    assert!(world.record(job).newest_checkpoint() > 3);
    assert!(!is_there(&world), "it is pinned no more");
    world.done(Question::Remove(other));
}

#[test]
fn a_savepoint_from_which_a_job_starts_is_not_removed() {
    let (mut world, other) = running();
    let savepoint = SAVEPOINT;
    world.done(Question::Suspend {
        job: other,
        savepoint,
    });
    world.run(SECOND);
    world.done(Question::Cancel(other));
    world.never_ready.insert(1);
    let job = world.submit(from_savepoint("b"));
    let why = world.conflict(Question::RemoveSavepoint(SAVEPOINT));
    assert!(why.contains("starts from savepoint"), "{why}");
    world.done(Question::Cancel(job));
    world.done(Question::RemoveSavepoint(SAVEPOINT));
}

#[test]
fn nothing_starts_from_a_savepoint_that_is_being_removed() {
    let (mut world, other) = running();
    let savepoint = SAVEPOINT;
    world.done(Question::Savepoint {
        job: other,
        savepoint,
    });
    world.run(SECOND * 5);
    world.faults.push_back(Fault::Silent);
    let ticket = world.ask(Question::RemoveSavepoint(SAVEPOINT));
    let job = world.submit(from_savepoint("b"));
    world.commit_silent(other);
    assert_eq!(world.answers.get(&ticket), Some(&Answer::Done));
    world.run(SECOND * 5);
    assert!(world.refused(job).contains("there is none"));
}

#[test]
fn a_savepoint_is_found_when_the_record_of_its_job_is_gone() {
    let (mut world, other) = running();
    world.done(Question::Savepoint {
        job: other,
        savepoint: SAVEPOINT,
    });
    world.run(SECOND);
    world.done(Question::Cancel(other));
    world.done(Question::Remove(other));
    world.blobs.is_out = true;
    let job = world.submit(from_savepoint("b"));
    world.run(SECOND * 5);
    let view = world.view(job);
    assert_eq!(view.state, JobState::Waiting);
    assert!(view.why[0].contains("which is looked for"), "{view:?}");
    let why = world.conflict(Question::RemoveSavepoint(SAVEPOINT));
    assert!(why.contains("starts from savepoint"), "{why}");
    world.done(Question::Cancel(job));
    world.done(Question::RemoveSavepoint(SavepointId::new(99)));
    let job = world.submit(from_savepoint("c"));
    world.blobs.is_out = false;
    world.run(SECOND * 5);
    let record = world.record(job);
    assert_eq!(record.state, JobState::Running);
    assert_eq!(record.origin.as_ref().unwrap().from.job, other);
}

#[test]
fn an_old_job_from_which_another_starts_is_not_archived() {
    let (mut world, other) = running();
    world.config.most_terminal = 1;
    world.never_ready.insert(1);
    let job = world.submit(from_job("b", other, None));
    world.done(Question::Cancel(other));
    world.elect();
    for name in ["x", "y"] {
        let ended = world.submit(checkpointing(name, 1));
        world.done(Question::Cancel(ended));
        world.run(SECOND);
    }
    assert!(!world.archived.contains(&other), "{:?}", world.archived);
    assert_eq!(world.archived.len(), 2);
    world.done(Question::Cancel(job));
    world.run(SECOND);
    assert!(world.archived.contains(&other));
}

#[test]
fn a_new_leader_goes_on_looking_for_an_origin() {
    let (mut world, other) = running();
    for steps in 0..12 {
        world.dies_after = Some(steps);
        let job = world.submit(from_job(&format!("b{steps}"), other, None));
        for _ in 0..5 {
            if world.leader.is_none() {
                world.elect();
            }
            world.run(SECOND);
        }
        world.dies_after = None;
        let record = world.record(job);
        assert_eq!(record.state, JobState::Running, "{steps}");
        assert!(record.origin.is_some());
        world.done(Question::Cancel(job));
        world.run(SECOND);
    }
}

#[test]
fn a_removal_that_is_tried_again_spares_what_another_job_has_begun_to_start_from() {
    let (mut world, other) = running();
    world.done(Question::Cancel(other));
    world.never_ready.insert(1);
    world.never_erases = true;
    let ticket = world.ask(Question::Remove(other));
    let job = world.submit(from_job("b", other, None));
    assert!(world.record(job).origin.is_some());
    world.never_erases = false;
    world.run(SECOND * 5);
    let why = match world.answers.get(&ticket) {
        Some(Answer::Conflict(why)) => why.clone(),
        answer => panic!("{answer:?} instead of a refusal"),
    };
    assert!(why.contains("starts from a checkpoint"), "{why}");
    assert!(world.store.contains_key(&other));
    world.done(Question::Cancel(job));
    world.done(Question::Remove(other));
}
