//! One job from submission to end.

use super::world::spec;
use super::{SECOND, World};
use crate::leader::{Answer, Question};
use crate::{CauseKind, JobState};

#[test]
fn a_job_is_placed_committed_deployed_and_runs() {
    let mut world = World::new(&[2, 2]);
    let job = world.submit(spec("a", 3));
    let view = world.view(job);
    assert_eq!(view.state, JobState::Running);
    assert!(view.tasks.iter().all(|task| task.pid.is_some()));
    assert_eq!(
        world.take_trace(),
        [
            "commit Running attempt 1",
            "deploy 1 0",
            "deploy 1 1",
            "deploy 1 2"
        ]
    );
}

#[test]
fn a_job_whose_ranks_all_exit_with_0_is_finished() {
    let mut world = World::new(&[2]);
    let job = world.submit(spec("a", 2));
    world.exit(world.task(job, 1, 0), 0, &[]);
    assert_eq!(world.view(job).state, JobState::Running);
    world.exit(world.task(job, 1, 1), 0, &[]);
    assert_eq!(world.view(job).state, JobState::Finished);
    assert_eq!(world.record(job).state, JobState::Finished);
}

#[test]
fn the_first_failure_ends_the_attempt_and_is_kept_as_the_cause() {
    let mut world = World::new(&[2, 2]);
    let job = world.submit(spec("a", 3));
    world.take_trace();
    world.exit(world.task(job, 1, 1), 3, &["one", "two"]);
    assert_eq!(
        world.take_trace(),
        ["commit Restarting attempt 1", "end 1 0", "end 1 2",]
    );
    let view = world.view(job);
    assert_eq!(view.state, JobState::Restarting);
    let cause = view.cause.unwrap();
    assert_eq!(cause.kind, CauseKind::TaskFailed);
    assert_eq!((cause.rank.unwrap().0, cause.exit_code), (1, Some(3)));
    assert_eq!(cause.last_lines, ["one", "two"]);
    world.run(SECOND);
    let view = world.view(job);
    assert_eq!(
        (view.state, view.attempt, view.restarts),
        (JobState::Running, 2, 1)
    );
    assert_eq!(view.attempts.len(), 1);
}

#[test]
fn a_canceled_job_ends_its_tasks_after_that_is_written_down() {
    let mut world = World::new(&[2]);
    let job = world.submit(spec("a", 2));
    world.take_trace();
    let ticket = world.ask(Question::Cancel(job));
    assert!(matches!(&world.answers[&ticket], Answer::Job(_)));
    assert_eq!(
        world.take_trace(),
        [
            "commit Stopping attempt 1",
            "end 1 0",
            "end 1 1",
            "commit Canceled attempt 1",
        ]
    );
    assert_eq!(world.view(job).state, JobState::Canceled);
    assert!(world.alive(job).is_empty());
}
