//! R3: write, then act.

use super::SECOND;
use super::world::{Fault, World, fenced, spec};
use crate::leader::{LeaderEvent, Question, Unwritten};
use crate::{JobState, NodeNonce};

#[test]
fn nothing_is_deployed_before_its_commit_took_effect() {
    let mut world = World::new(&[1]);
    world.faults.push_back(Fault::NotApplied);
    let job = world.submit(spec("a", 1));
    assert_eq!(world.take_trace(), ["commit Running attempt 1"]);
    assert!(world.alive(job).is_empty());
    world.run(SECOND);
    assert_eq!(
        world.take_trace(),
        ["commit Running attempt 1", "deploy 1 0"]
    );
}

#[test]
fn after_an_unknown_outcome_the_record_decides_what_is_done() {
    let mut world = World::new(&[1]);
    world.faults.push_back(Fault::UnknownWritten);
    let job = world.submit(spec("a", 1));
    assert_eq!(
        world.take_trace(),
        ["commit Running attempt 1", "deploy 1 0"]
    );
    world.faults.push_back(Fault::UnknownLost);
    world.ask(Question::Cancel(job));
    assert_eq!(
        world.take_trace(),
        [
            "commit Stopping attempt 1",
            "commit Stopping attempt 1",
            "end 1 0",
            "commit Canceled attempt 1"
        ]
    );
}

#[test]
fn nothing_is_ordered_while_the_outcome_of_a_commit_is_unknown() {
    let mut world = World::new(&[1, 1]);
    let cut = *world.nodes.keys().next().unwrap();
    world.nodes.get_mut(&cut).unwrap().loses_orders = true;
    let job = world.submit(spec("a", 2));
    assert_eq!(world.alive(job).len(), 1);
    world.holds_opening = true;
    world.faults.push_back(Fault::UnknownWritten);
    world.ask(Question::Cancel(job));
    world.take_trace();
    world.nodes.get_mut(&cut).unwrap().loses_orders = false;
    world.run(5 * SECOND);
    assert_eq!(world.take_trace(), Vec::<String>::new());
    world.open_held();
    world.run(SECOND);
    assert_eq!(world.view(job).state, JobState::Canceled);
}

#[test]
fn survivors_live_until_the_end_of_their_attempt_is_written_down() {
    let mut world = World::new(&[2]);
    let job = world.submit(spec("a", 2));
    world.is_store_up = false;
    world.take_trace();
    world.exit(world.task(job, 1, 0), 1, &[]);
    world.run(30 * SECOND);
    assert!(
        world
            .take_trace()
            .iter()
            .all(|line| line.starts_with("commit"))
    );
    assert_eq!(world.alive(job).len(), 1);
    world.is_store_up = true;
    world.run(5 * SECOND);
    let attempts: Vec<_> = world.alive(job).iter().map(|alive| alive.0).collect();
    assert_eq!(attempts, [2, 2]);
}

#[test]
fn a_leader_that_dies_before_its_swap_has_killed_nothing() {
    let mut world = World::new(&[2]);
    let job = world.submit(spec("a", 2));
    world.faults.push_back(Fault::LeaderDies);
    world.exit(world.task(job, 1, 0), 7, &["why"]);
    assert_eq!(world.alive(job).len(), 1);
    world.elect();
    // The TaskManager remembers how the rank ended.
    let cause = world.record(job).cause.clone().unwrap();
    assert_eq!(
        (cause.exit_code, cause.last_lines),
        (Some(7), vec!["why".to_owned()])
    );
    world.run(5 * SECOND);
    assert_eq!(world.view(job).state, JobState::Running);
}

#[test]
fn at_most_one_commit_of_a_job_is_under_way() {
    let mut world = World::new(&[2]);
    let job = world.submit(spec("a", 2));
    world.take_trace();
    // Nothing is told of this commit.
    world.faults.push_back(Fault::Silent);
    world.exit(world.task(job, 1, 0), 1, &[]);
    world.exit(world.task(job, 1, 1), 1, &[]);
    world.ask(Question::Cancel(job));
    world.run(5 * SECOND);
    assert_eq!(world.take_trace(), ["commit Restarting attempt 1"]);
    let why = Unwritten::NotApplied;
    world.tell_leader(LeaderEvent::NotCommitted { job, why });
    world.run(SECOND);
    assert_eq!(world.view(job).state, JobState::Canceled);
}

#[test]
fn an_order_that_does_not_arrive_is_given_again() {
    let mut world = World::new(&[1]);
    let node = *world.nodes.keys().next().unwrap();
    world.nodes.get_mut(&node).unwrap().loses_orders = true;
    let job = world.submit(spec("a", 1));
    world.run(3 * SECOND);
    assert_eq!(world.view(job).state, JobState::Waiting);
    world.nodes.get_mut(&node).unwrap().loses_orders = false;
    world.run(3 * SECOND);
    assert_eq!(world.view(job).state, JobState::Running);
}

/// A job whose only rank was placed where no order arrives, and which does not know that.
fn placed_in_vain(spec: crate::JobSpec) -> (World, crate::JobId) {
    let mut world = World::new(&[1]);
    let node = *world.nodes.keys().next().unwrap();
    world.nodes.get_mut(&node).unwrap().loses_orders = true;
    let job = world.submit(spec);
    world.add_node(1);
    world.run(30 * SECOND);
    (world, job)
}

#[test]
fn a_fenced_job_passes_over_a_task_manager_that_no_order_reaches() {
    let (mut world, job) = placed_in_vain(fenced("a", 1));
    let view = world.view(job);
    assert_eq!((view.attempt, view.state), (2, JobState::Running));
}

#[test]
fn an_exclusive_job_waits_for_what_may_yet_start_where_no_order_arrives() {
    let (mut world, job) = placed_in_vain(spec("a", 1));
    let view = world.view(job);
    assert_eq!((view.attempt, view.state), (1, JobState::Restarting));
    let why = view.why.join("\n");
    assert!(why.contains("orders do not reach it"), "{why}");
    let node = *world.nodes.keys().next().unwrap();
    world.nodes.get_mut(&node).unwrap().loses_orders = false;
    world.run(5 * SECOND);
    let view = world.view(job);
    assert_eq!((view.attempt, view.state), (2, JobState::Running));
}

#[test]
fn a_task_manager_that_has_seen_a_newer_term_ends_this_one() {
    let mut world = World::new(&[1]);
    let node = NodeNonce::new(1);
    let mut newer = world.seal();
    newer.epoch = newer.epoch.next();
    world.tell_node(
        node,
        crate::task_manager::TaskManagerEvent::LeaderSeen {
            seal: newer,
            address: "http://other".to_owned(),
        },
    );
    assert!(world.leader.is_none(), "it has stepped down");
}
