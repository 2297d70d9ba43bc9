//! R4: restart strategies.

use super::SECOND;
use super::world::{World, spec};
use crate::task_manager::TaskManagerEvent;
use crate::{CauseKind, JobSpec, JobState, Restart, exit};

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

#[test]
fn the_cause_is_the_rank_that_failed_and_not_one_that_lost_it() {
    let mut world = World::new(&[1, 1, 1]);
    let spec = JobSpec {
        restart: Restart::None,
        ..spec("a", 3)
    };
    let job = world.submit(spec);
    world.exit(world.task(job, 1, 0), exit::PEER_LOST, &["rank 2 has gone"]);
    assert_eq!(world.record(job).state, JobState::Running, "it is waited");
    world.exit(world.task(job, 1, 2), 101, &["panicked at main.rs"]);
    let cause = world.view(job).cause.unwrap();
    assert_eq!(
        (cause.rank, cause.exit_code),
        (Some(crate::Rank(2)), Some(101))
    );
    assert_eq!(cause.last_lines, ["panicked at main.rs"]);
}

#[test]
fn ranks_that_lost_each_other_are_a_cause_after_a_second_or_when_all_have_ended() {
    let mut world = World::new(&[1, 1, 1]);
    let job = world.submit(spec("a", 2));
    world.exit(world.task(job, 1, 1), exit::PEER_LOST, &[]);
    world.run(SECOND * 9 / 10);
    assert_eq!(world.record(job).ended.len(), 0);
    world.run(SECOND / 5);
    let ended = world.record(job).ended.clone();
    assert_eq!(ended[0].cause.rank, Some(crate::Rank(1)));

    world.run(60 * SECOND);
    for rank in [1, 0] {
        assert_eq!(world.record(job).ended.len(), 1);
        world.exit(world.task(job, 2, rank), exit::PEER_LOST, &[]);
    }
    assert_eq!(world.record(job).ended.len(), 2, "nothing better comes");
}

#[test]
fn a_dead_task_manager_is_the_cause_of_what_lost_its_rank() {
    let mut world = World::new(&[1, 1, 1]);
    let job = world.submit(spec("a", 2));
    let lost = world.place_of(world.task(job, 1, 0)).unwrap();
    world.exit(world.task(job, 1, 1), exit::PEER_LOST, &[]);
    world.kill(lost);
    world.settle();
    let ended = world.record(job).ended.clone();
    assert_eq!(ended[0].cause.kind, CauseKind::NodeDied);
    assert_eq!(
        world.record(job).restarts_in_row,
        0,
        "the job did not do it"
    );
}

#[test]
fn a_task_that_says_that_retrying_is_of_no_use_fails_its_job() {
    let mut world = World::new(&[1]);
    let job = world.submit(spec("a", 1));
    let lines = ["the checkpoint does not fit this job"];
    world.exit(world.task(job, 1, 0), exit::OF_NO_USE, &lines);
    let view = world.view(job);
    assert_eq!((view.state, view.attempt), (JobState::Failed, 1));
    let cause = view.cause.unwrap();
    assert!(
        cause.message.ends_with("would fail in the same way"),
        "{}",
        cause.message
    );
    assert_eq!(cause.last_lines, lines);
}
