//! R8 and R9: two attempts of an exclusive job never run at the same time.

use std::time::Duration;

use super::SECOND;
use super::world::{HEARTBEAT, LEASE, World, fenced, spec};
use crate::leader::{LeaderEvent, Question};
use crate::message::Report;
use crate::{CauseKind, Isolation, JobSpec, JobState, NodeNonce};

const TIMEOUT: Duration = Duration::from_secs(100);

fn exclusive(name: &str, tasks: u32) -> JobSpec {
    JobSpec {
        isolation: Isolation::Exclusive {
            timeout_ms: Some(100_000),
        },
        ..spec(name, tasks)
    }
}

/// A TaskManager without which the job can run again, and the one that it runs on.
fn cut_off(world: &mut World, spec: JobSpec) -> (crate::JobId, NodeNonce) {
    let job = world.submit(spec);
    let task = world.task(job, 1, 0);
    let at = world.place_of(task).unwrap();
    world.run(5 * SECOND);
    world.nodes.get_mut(&at).unwrap().is_cut = true;
    (job, at)
}

#[test]
fn a_fenced_job_moves_after_ten_seconds_of_silence() {
    let mut world = World::new(&[1, 1]);
    let (job, _) = cut_off(&mut world, fenced("a", 1));
    world.run(7 * SECOND);
    assert_eq!(world.record(job).attempt.0, 1);
    world.run(4 * SECOND);
    let view = world.view(job);
    assert_eq!((view.attempt, view.state), (2, JobState::Running));
    assert_eq!(view.cause.unwrap().kind, CauseKind::NodeSilent);
    let attempts: Vec<_> = world.alive(job).iter().map(|alive| alive.0).collect();
    assert_eq!(attempts, [1, 2], "the old one runs, and can change nothing");
}

#[test]
fn an_exclusive_job_waits_until_its_old_task_was_isolated() {
    let mut world = World::new(&[1, 1]);
    let (job, _) = cut_off(&mut world, exclusive("a", 1));
    let cut_at = world.time;
    let wait = (TIMEOUT + LEASE) * 21 / 20;
    while world.record(job).attempt.0 == 1 {
        world.run(SECOND / 2);
        let attempts: Vec<_> = world.alive(job).iter().map(|alive| alive.0).collect();
        assert!(attempts.len() <= 1, "{attempts:?} at the same time");
    }
    let waited = world.time - cut_at;
    assert!(
        waited >= wait - HEARTBEAT && waited <= wait + SECOND,
        "{waited:?}"
    );
    assert_eq!(world.view(job).state, JobState::Running);
}

#[test]
fn the_isolation_timeout_counts_from_sending_the_last_report_that_was_acknowledged() {
    let mut world = World::new(&[1, 1]);
    let (job, at) = cut_off(&mut world, exclusive("a", 1));
    let cut_at = world.time;
    while !world.alive(job).is_empty() {
        world.run(SECOND / 10);
    }
    let lasted = world.time - cut_at;
    assert!(lasted <= TIMEOUT, "{lasted:?}");
    assert!(
        lasted >= TIMEOUT - HEARTBEAT - TIMEOUT / 50 - SECOND,
        "{lasted:?}"
    );
    assert!(world.nodes[&at].processes.is_empty());
}

#[test]
fn every_change_of_leader_counts_the_silence_anew() {
    let mut world = World::new(&[1, 1]);
    let (job, _) = cut_off(&mut world, exclusive("a", 1));
    for _ in 0..4 {
        world.run(TIMEOUT);
        world.elect();
        assert_eq!(
            world.record(job).attempt.0,
            1,
            "a deposed leader may have acknowledged"
        );
    }
    world.run((TIMEOUT + LEASE) * 21 / 20 + SECOND);
    assert_eq!(world.record(job).attempt.0, 2);
}

#[test]
fn a_report_that_came_before_the_record_was_open_counts() {
    let mut world = World::new(&[1, 1]);
    let (job, at) = cut_off(&mut world, exclusive("a", 1));
    world.holds_opening = true;
    let old = world.seal();
    world.elect();
    world.run(200 * SECOND);
    // It has not heard of the new term, and is acknowledged nevertheless.
    let report = Report {
        seal: old,
        from: at,
        seq: 1000,
        is_full: false,
        node: None,
        ports: None,
        tasks: Vec::new(),
        is_draining: false,
        has_blobs: true,
    };
    let report = Box::new(report);
    let address = None;
    world.tell_leader(LeaderEvent::Reported { report, address });
    world.open_held();
    world.run(TIMEOUT);
    assert_eq!(
        world.record(job).attempt.0,
        1,
        "its tasks may run until then"
    );
    world.run(TIMEOUT / 4);
    assert_eq!(world.record(job).attempt.0, 2);
}

#[test]
fn proof_of_death_begins_the_next_attempt_at_once() {
    let mut world = World::new(&[1, 1]);
    let (job, at) = cut_off(&mut world, exclusive("a", 1));
    world.nodes.get_mut(&at).unwrap().is_cut = false;
    world.kill(at);
    world.settle();
    let view = world.view(job);
    assert_eq!((view.attempt, view.state), (2, JobState::Running));
    assert_eq!(view.cause.unwrap().kind, CauseKind::NodeDied);
}

#[test]
fn another_process_of_the_same_name_proves_nothing_about_the_tasks_of_the_first() {
    let mut world = World::new(&[1]);
    let (job, at) = cut_off(&mut world, exclusive("a", 1));
    world.run(11 * SECOND);
    world.add_named("tm-0", 1);
    world.run(TIMEOUT / 2);
    assert_eq!(world.record(job).attempt.0, 1);
    assert_eq!(world.alive(job).len(), 1, "it runs at {at}");
}

#[test]
fn a_job_without_a_timeout_waits_for_a_person() {
    let mut world = World::new(&[1, 1]);
    let spec = JobSpec {
        isolation: Isolation::Exclusive { timeout_ms: None },
        ..spec("a", 1)
    };
    let (job, _) = cut_off(&mut world, spec);
    world.run(10_000 * SECOND);
    let view = world.view(job);
    assert_eq!((view.state, view.attempt), (JobState::Running, 1));
    assert!(
        view.why[0].contains("incumbent node forget tm-"),
        "{:?}",
        view.why
    );
    let name = view.tasks[0].node.clone().unwrap();
    world.ask(Question::Forget(name));
    assert_eq!(world.record(job).attempt.0, 2);
}

#[test]
fn a_task_manager_that_lives_cannot_be_forgotten() {
    let mut world = World::new(&[1]);
    let job = world.submit(spec("a", 1));
    let ticket = world.ask(Question::Forget("tm-0".to_owned()));
    let answer = format!("{:?}", world.answers[&ticket]);
    assert!(answer.contains("drain it instead"), "{answer}");
    assert_eq!(world.alive(job).len(), 1);
}

#[test]
fn a_leader_that_has_just_begun_forgets_nobody() {
    let mut world = World::new(&[1, 1]);
    let (job, at) = cut_off(&mut world, spec("a", 1));
    let name = world.view(job).tasks[0].node.clone().unwrap();
    world.kill_leader();
    world.elect();
    world.settle();
    let ticket = world.ask(Question::Forget(name));
    let answer = format!("{:?}", world.answers[&ticket]);
    assert!(answer.contains("ask again"), "{answer}");
    assert!(!world.nodes[&at].is_dead);
    assert_eq!(world.record(job).attempt.0, 1);
}

#[test]
fn what_was_ordered_before_a_wrong_verdict_is_ordered_again() {
    let mut world = World::new(&[1]);
    let (job, at) = cut_off(&mut world, spec("a", 1));
    world.ask(Question::Cancel(job));
    let name = world.view(job).tasks[0].node.clone().unwrap();
    world.run(12 * SECOND);
    world.ask(Question::Forget(name));
    assert_eq!(world.alive(job).len(), 1, "it runs, cut off");
    world.nodes.get_mut(&at).unwrap().is_cut = false;
    world.run(5 * SECOND);
    assert!(world.alive(job).is_empty(), "it is ended");
}

#[test]
fn a_fenced_task_that_comes_back_after_its_successor_began_is_ended() {
    let mut world = World::new(&[1, 1]);
    let (job, at) = cut_off(&mut world, fenced("a", 1));
    world.run(12 * SECOND);
    assert_eq!(world.alive(job).len(), 2);
    world.nodes.get_mut(&at).unwrap().is_cut = false;
    world.run(5 * SECOND);
    let attempts: Vec<_> = world.alive(job).iter().map(|alive| alive.0).collect();
    assert_eq!(attempts, [2]);
    let other = world.submit(spec("b", 1));
    assert_eq!(
        world.view(other).state,
        JobState::Running,
        "its slot is free again"
    );
}

#[test]
fn an_old_rank_that_does_not_end_keeps_the_next_attempt_waiting() {
    let mut world = World::new(&[1, 1, 2]);
    let job = world.submit(spec("a", 2));
    let stubborn = world.place_of(world.task(job, 1, 0)).unwrap();
    for node in world.nodes.values_mut() {
        node.is_stubborn = true;
    }
    world.exit(world.task(job, 1, 1), 1, &[]);
    world.run(1000 * SECOND);
    assert_eq!(world.record(job).attempt.0, 1);
    let why = world.view(job).why.join("\n");
    assert!(
        why.contains("rank 0 of attempt 1 is being ended on"),
        "{why}"
    );
    world.kill(stubborn);
    world.settle();
    assert_eq!(world.record(job).attempt.0, 2);
}

#[test]
fn a_leader_that_slept_does_not_take_its_own_sleep_for_silence() {
    let mut world = World::new(&[1, 1]);
    let job = world.submit(fenced("a", 1));
    world.run(5 * SECOND);
    // Reports wait in its sockets while nothing is looked at.
    world.time += 60 * SECOND;
    world.tell_leader(LeaderEvent::Tick);
    world.run(5 * SECOND);
    assert_eq!(world.record(job).attempt.0, 1);
}
