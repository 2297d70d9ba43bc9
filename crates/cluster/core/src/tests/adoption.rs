//! R10: the next leader takes over what runs.

use super::SECOND;
use super::world::{World, fenced, spec};
use crate::leader::{Answer, Question};
use crate::message::EndedHow;
use crate::{CauseKind, JobState};

#[test]
fn a_change_of_leader_costs_a_running_job_nothing() {
    let mut world = World::new(&[2, 2]);
    let job = world.submit(spec("a", 4));
    let before = world.alive(job);
    world.take_trace();
    for _ in 0..50 {
        world.kill_leader();
        world.run(2 * SECOND);
        world.elect();
    }
    assert_eq!(world.alive(job), before);
    let view = world.view(job);
    assert_eq!(
        (view.state, view.attempt, view.restarts),
        (JobState::Running, 1, 0)
    );
    assert_eq!(world.take_trace(), Vec::<String>::new());
}

#[test]
fn takeovers_that_are_faster_than_a_slow_task_manager_restart_nothing() {
    let mut world = World::new(&[1, 1]);
    let job = world.submit(fenced("a", 2));
    let slow = world.place_of(world.task(job, 1, 1)).unwrap();
    world.nodes.get_mut(&slow).unwrap().is_cut = true;
    for _ in 0..50 {
        world.run(2 * SECOND);
        world.elect();
    }
    world.run(5 * SECOND);
    world.nodes.get_mut(&slow).unwrap().is_cut = false;
    world.see_leaders();
    world.run(20 * SECOND);
    assert_eq!(world.record(job).attempt.0, 1);
    assert_eq!(world.view(job).state, JobState::Running);
}

#[test]
fn a_rank_that_was_placed_and_never_started_is_started_in_the_same_attempt() {
    let mut world = World::new(&[1, 1]);
    for node in world.nodes.values_mut() {
        node.loses_orders = true;
    }
    let job = world.submit(spec("a", 2));
    assert_eq!(world.record(job).attempt.0, 1);
    world.kill_leader();
    for node in world.nodes.values_mut() {
        node.loses_orders = false;
    }
    world.elect();
    let view = world.view(job);
    assert_eq!((view.state, view.attempt), (JobState::Running, 1));
}

#[test]
fn no_gang_is_placed_before_it_is_known_which_slots_records_hold() {
    let mut world = World::new(&[1]);
    let moving = world.submit(spec("moving", 1));
    let gone = world.place_of(world.task(moving, 1, 0)).unwrap();
    let node = world.add_node(1);
    world.settle();
    world.nodes.get_mut(&node).unwrap().loses_orders = true;
    let placed = world.submit(spec("placed", 1));
    world.kill_leader();
    world.kill(gone);
    world.nodes.get_mut(&node).unwrap().loses_orders = false;
    world.holds_opening = true;
    world.elect();
    world.open_one(moving);
    world.run(5 * SECOND);
    let record = world.record(moving);
    assert_eq!(
        (record.state, record.attempt.0),
        (JobState::Restarting, 1),
        "the slot of {node} only looks free"
    );
    world.open_held();
    assert_eq!(world.view(placed).state, JobState::Running);
    assert_eq!(world.view(placed).attempt, 1);
    assert_eq!(world.view(moving).state, JobState::Restarting);
}

#[test]
fn a_rank_that_ended_while_nobody_led_is_not_started_again() {
    let mut world = World::new(&[2]);
    let job = world.submit(spec("a", 2));
    world.kill_leader();
    world.exit(world.task(job, 1, 0), 0, &[]);
    world.elect();
    assert_eq!(world.alive(job).len(), 1);
    assert_eq!(world.record(job).attempt.0, 1);
    world.exit(world.task(job, 1, 1), 0, &[]);
    assert_eq!(world.view(job).state, JobState::Finished);
}

#[test]
fn heartbeats_are_acknowledged_before_the_records_are_open() {
    let mut world = World::new(&[1]);
    let job = world.submit(spec("a", 1));
    world.holds_opening = true;
    world.elect();
    let pid = world.alive(job);
    // Longer than the isolation timeout.
    world.run(400 * SECOND);
    assert_eq!(world.alive(job), pid);
    let ticket = world.ask(Question::Job(job));
    assert!(!world.answers.contains_key(&ticket), "it is held");
    world.open_held();
    assert!(
        matches!(&world.answers[&ticket], Answer::Job(view) if view.state == JobState::Running)
    );
}

#[test]
fn a_question_is_not_held_for_ever() {
    let mut world = World::new(&[1]);
    let job = world.submit(spec("a", 1));
    world.holds_opening = true;
    world.elect();
    let ticket = world.ask(Question::Job(job));
    world.run(25 * SECOND);
    assert!(matches!(world.answers[&ticket], Answer::Unknown(_)));
}

#[test]
fn a_task_is_ended_as_unknown_only_when_its_own_record_is_open() {
    let mut world = World::new(&[2]);
    let known = world.submit(spec("known", 1));
    let lost = world.submit(spec("lost", 1));
    world.kill_leader();
    world.store.remove(&lost);
    world.holds_opening = true;
    world.elect();
    world.run(5 * SECOND);
    assert_eq!((world.alive(known).len(), world.alive(lost).len()), (1, 1));
    world.open_held();
    world.run(SECOND);
    assert_eq!((world.alive(known).len(), world.alive(lost).len()), (1, 0));
}

#[test]
fn a_task_of_another_incarnation_is_ended() {
    let mut world = World::new(&[2]);
    let job = world.submit(spec("a", 1));
    world.kill_leader();
    let record = &mut world.store.get_mut(&job).unwrap().record;
    let id = record.incarnation;
    record.incarnation = crate::Incarnation::new(id.get() + 1);
    record.state = JobState::Waiting;
    record.attempt = crate::Attempt(0);
    record.placements.clear();
    record.nodes.clear();
    world.elect();
    world.run(SECOND);
    let running: Vec<_> = (world.nodes.values())
        .flat_map(|node| node.processes.keys())
        .map(|task| task.incarnation.get())
        .collect();
    assert_eq!(running, [id.get() + 1]);
}

#[test]
fn a_damaged_record_leaves_its_tasks_alone_and_its_slots_taken() {
    let mut world = World::new(&[1]);
    let job = world.submit(spec("a", 1));
    world.store.get_mut(&job).unwrap().damage = Some("it is no JSON".to_owned());
    world.elect();
    world.run(60 * SECOND);
    assert_eq!(world.alive(job).len(), 1);
    let ticket = world.ask(Question::Job(job));
    let answer = format!("{:?}", world.answers[&ticket]);
    assert!(
        answer.contains("it is no JSON") && answer.contains("Damaged"),
        "{answer}"
    );
    let other = world.submit(spec("b", 1));
    assert_eq!(world.view(other).state, JobState::Waiting);
    // A person has repaired it.
    world.store.get_mut(&job).unwrap().damage = None;
    world.tell_leader(crate::leader::LeaderEvent::Hinted(job));
    assert_eq!(world.view(job).state, JobState::Running);
}

#[test]
fn a_rank_of_a_fenced_job_is_waited_for_ten_seconds_and_not_three() {
    let mut world = World::new(&[1, 1]);
    let job = world.submit(fenced("a", 1));
    let at = world.place_of(world.task(job, 1, 0)).unwrap();
    world.nodes.get_mut(&at).unwrap().is_cut = true;
    world.elect();
    world.run(9 * SECOND);
    let view = world.view(job);
    assert_eq!((view.attempt, view.tasks[0].pid), (1, None));
    assert!(
        view.why[0].contains("has been silent since"),
        "{:?}",
        view.why
    );
    world.run(2 * SECOND);
    assert_eq!(world.view(job).attempt, 2);
}

#[test]
fn a_job_that_was_restarting_goes_on_restarting() {
    let mut world = World::new(&[2]);
    let job = world.submit(spec("a", 2));
    world.exit(world.task(job, 1, 0), 1, &[]);
    world.kill_leader();
    world.run(SECOND);
    world.elect();
    world.run(2 * SECOND);
    let view = world.view(job);
    assert_eq!((view.state, view.attempt), (JobState::Running, 2));
}

#[test]
fn tasks_that_were_isolated_while_nobody_led_are_restarted() {
    let mut world = World::new(&[1]);
    let job = world.submit(spec("a", 1));
    world.kill_leader();
    world.run(400 * SECOND);
    assert!(world.alive(job).is_empty());
    world.elect();
    let view = world.view(job);
    assert_eq!((view.state, view.attempt), (JobState::Running, 2));
    assert_eq!(view.cause.unwrap().kind, CauseKind::Isolated);
    assert_ne!(EndedHow::Isolated, EndedHow::Ordered);
}

#[test]
fn a_fenced_job_outlives_any_absence_of_a_leader() {
    let mut world = World::new(&[1]);
    let job = world.submit(fenced("a", 1));
    let before = world.alive(job);
    world.kill_leader();
    world.run(10_000 * SECOND);
    world.elect();
    assert_eq!(world.alive(job), before);
    assert_eq!(world.view(job).state, JobState::Running);
}

#[test]
fn records_are_opened_sixty_four_at_a_time() {
    let mut world = World::new(&[1]);
    for number in 0..200 {
        world.submit(spec(&format!("job-{number}"), 5));
    }
    world.holds_opening = true;
    world.elect();
    assert_eq!(world.held_count(), 64);
    world.open_held();
    let ticket = world.ask(Question::Jobs);
    assert!(matches!(&world.answers[&ticket], Answer::Jobs(jobs) if jobs.len() == 200));
}

#[test]
fn a_store_that_does_not_answer_is_asked_again() {
    let mut world = World::new(&[1]);
    let job = world.submit(spec("a", 1));
    world.is_store_up = false;
    world.elect();
    world.run(60 * SECOND);
    assert_eq!(world.alive(job).len(), 1);
    world.is_store_up = true;
    world.run(10 * SECOND);
    assert_eq!(world.view(job).state, JobState::Running);
}
