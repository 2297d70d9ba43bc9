//! R4: restart strategies.

use super::SECOND;
use super::world::{World, spec};
use crate::task_manager::TaskManagerEvent;
use crate::{CauseKind, JobSpec, JobState, Restart};

fn with(restart: Restart) -> JobSpec {
    JobSpec {
        restart,
        ..spec("a", 1)
    }
}

/// How long it takes from the failure of this attempt to the next one.
fn fail(world: &mut World, job: crate::JobId, attempt: u32) -> std::time::Duration {
    world.exit(world.task(job, attempt, 0), 1, &[]);
    let from = world.time;
    while world.record(job).attempt.0 == attempt {
        world.run(SECOND / 10);
        assert!(world.time - from < 1000 * SECOND);
    }
    world.time - from
}

#[test]
fn the_exponential_delay_doubles_and_begins_anew_after_a_healthy_while() {
    let mut world = World::new(&[1]);
    let job = world.submit(with(Restart::ExponentialDelay {
        initial_ms: 1000,
        max_ms: 3000,
        reset_after_ms: 60_000,
        attempts: None,
    }));
    let delays: Vec<_> = (1..=4)
        .map(|n| fail(&mut world, job, n).as_secs())
        .collect();
    assert_eq!(delays, [1, 2, 3, 3]);
    world.run(61 * SECOND);
    assert_eq!(fail(&mut world, job, 5).as_secs(), 1);
    assert_eq!(world.record(job).restarts, 5);
}

#[test]
fn a_fixed_delay_ends_after_its_attempts() {
    let mut world = World::new(&[1]);
    let job = world.submit(with(Restart::FixedDelay {
        delay_ms: 2000,
        attempts: 1,
    }));
    assert_eq!(fail(&mut world, job, 1).as_secs(), 2);
    world.exit(world.task(job, 2, 0), 1, &["no"]);
    let view = world.view(job);
    assert_eq!(view.state, JobState::Failed);
    assert!(
        view.why.iter().any(|line| line.ends_with("no")),
        "{:?}",
        view.why
    );
}

#[test]
fn without_a_strategy_the_first_failure_fails_the_job() {
    let mut world = World::new(&[1, 1]);
    let job = world.submit(with(Restart::None));
    world.kill(world.place_of(world.task(job, 1, 0)).unwrap());
    world.settle();
    let view = world.view(job);
    assert_eq!(view.state, JobState::Failed);
    assert_eq!(view.cause.unwrap().kind, CauseKind::NodeDied);
}

#[test]
fn a_job_that_is_never_restarted_is_not_moved_by_a_drain() {
    let mut world = World::new(&[1, 1]);
    let job = world.submit(with(Restart::None));
    let at = world.place_of(world.task(job, 1, 0)).unwrap();
    world.tell_node(at, TaskManagerEvent::Drain);
    world.run(60 * SECOND);
    let view = world.view(job);
    assert_eq!((view.state, view.attempt), (JobState::Running, 1));
    assert!(view.why[0].contains("is never restarted"), "{:?}", view.why);
    world.exit(world.task(job, 1, 0), 0, &[]);
    world.run(5 * SECOND);
    assert_eq!(world.view(job).state, JobState::Finished);
    assert!(world.nodes[&at].has_exited);
}

#[test]
fn a_lost_task_manager_costs_no_attempt_and_no_delay() {
    let mut world = World::new(&[1, 1, 1]);
    let job = world.submit(with(Restart::FixedDelay {
        delay_ms: 60_000,
        attempts: 1,
    }));
    for attempt in 1..=2 {
        world.kill(world.place_of(world.task(job, attempt, 0)).unwrap());
        world.settle();
        let view = world.view(job);
        assert_eq!((view.attempt, view.state), (attempt + 1, JobState::Running));
    }
}

#[test]
fn ended_attempts_are_kept_up_to_a_limit() {
    let mut world = World::new(&[1]);
    let job = world.submit(with(Restart::FixedDelay {
        delay_ms: 0,
        attempts: 100,
    }));
    for attempt in 1..=30 {
        fail(&mut world, job, attempt);
    }
    let ended = &world.record(job).ended;
    assert_eq!(ended.len(), crate::record::MOST_ENDED_ATTEMPTS);
    assert_eq!(ended.last().unwrap().attempt.0, 30);
}
