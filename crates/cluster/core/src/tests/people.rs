//! What people wish: cancel, restart, remove; and what they are told.

use super::SECOND;
use super::world::{Fault, World, spec};
use crate::leader::{Answer, Question};
use crate::{CauseKind, Desired, JobId, JobState};

fn answer(world: &mut World, question: Question) -> Answer {
    let ticket = world.ask(question);
    world
        .answers
        .get(&ticket)
        .cloned()
        .expect("it is answered at once")
}

#[test]
fn canceling_a_waiting_job_needs_no_task_manager() {
    let mut world = World::new(&[]);
    let job = world.submit(spec("a", 1));
    let told = answer(&mut world, Question::Cancel(job));
    assert!(matches!(told, Answer::Job(view) if view.state == JobState::Canceled));
}

#[test]
fn a_wish_is_answered_after_it_is_written_down() {
    let mut world = World::new(&[1]);
    let job = world.submit(spec("a", 1));
    world.faults.push_back(Fault::Silent);
    let ticket = world.ask(Question::Cancel(job));
    assert!(!world.answers.contains_key(&ticket));
    world.commit_silent(job);
    assert!(
        matches!(&world.answers[&ticket], Answer::Job(view) if view.desired == Desired::Canceled)
    );
}

#[test]
fn a_wish_that_the_store_does_not_take_is_unknown() {
    let mut world = World::new(&[1]);
    let job = world.submit(spec("a", 1));
    world.is_store_up = false;
    let ticket = world.ask(Question::Cancel(job));
    world.run(25 * SECOND);
    assert!(matches!(world.answers[&ticket], Answer::Unknown(_)));
    world.is_store_up = true;
    world.run(5 * SECOND);
    assert_eq!(world.view(job).state, JobState::Canceled);
}

#[test]
fn a_person_restarts_a_job_at_once_and_it_costs_no_attempt() {
    let mut world = World::new(&[2]);
    let mut once = spec("a", 2);
    once.restart = crate::Restart::None;
    let job = world.submit(once);
    let told = answer(&mut world, Question::Restart(job));
    assert!(matches!(told, Answer::Job(_)));
    let view = world.view(job);
    assert_eq!((view.state, view.attempt), (JobState::Running, 2));
    assert_eq!(view.cause.unwrap().kind, CauseKind::Restarted);
}

#[test]
fn a_restart_skips_the_delay_of_a_restarting_job() {
    let mut world = World::new(&[1]);
    let job = world.submit(spec("a", 1));
    world.exit(world.task(job, 1, 0), 1, &[]);
    assert_eq!(world.view(job).state, JobState::Restarting);
    answer(&mut world, Question::Restart(job));
    let view = world.view(job);
    assert_eq!((view.state, view.attempt), (JobState::Running, 2));
}

#[test]
fn what_has_not_ended_is_not_removed() {
    let mut world = World::new(&[1]);
    let job = world.submit(spec("a", 1));
    let told = answer(&mut world, Question::Remove(job));
    assert!(matches!(told, Answer::Conflict(why) if why.contains("cancel it first")));
    answer(&mut world, Question::Cancel(job));
    assert_eq!(answer(&mut world, Question::Remove(job)), Answer::Done);
    let told = answer(&mut world, Question::Job(job));
    assert!(matches!(told, Answer::NotFound(_)));
    assert!(!world.store.contains_key(&job));
}

#[test]
fn a_job_whose_end_is_being_written_is_removed_when_it_is() {
    let mut world = World::new(&[1]);
    let job = world.submit(spec("a", 1));
    world.faults.push_back(Fault::Silent);
    world.exit(world.task(job, 1, 0), 0, &[]);
    // The store may say already that it is finished.
    let ticket = world.ask(Question::Remove(job));
    assert_eq!(world.answers.get(&ticket), None);
    world.commit_silent(job);
    assert_eq!(world.answers.get(&ticket), Some(&Answer::Done));
    assert!(!world.store.contains_key(&job));
}

#[test]
fn wishes_about_what_has_ended_say_so() {
    let mut world = World::new(&[1]);
    let job = world.submit(spec("a", 1));
    world.exit(world.task(job, 1, 0), 0, &[]);
    for question in [Question::Cancel(job), Question::Restart(job)] {
        let told = answer(&mut world, question);
        assert!(matches!(told, Answer::Conflict(why) if why.contains("finished")));
    }
}

#[test]
fn a_job_that_was_created_a_moment_ago_is_found_without_a_hint() {
    let mut world = World::new(&[1]);
    let hinted = world.submit(spec("a", 1));
    let mut record = world.record(hinted).clone();
    let job = JobId::new(77);
    record.id = job;
    record.spec.name = "b".to_owned();
    record.state = JobState::Waiting;
    world.put(record);
    assert_eq!(world.view(job).state, JobState::Waiting);
    let told = answer(&mut world, Question::Job(JobId::new(99)));
    assert!(matches!(told, Answer::NotFound(_)));
}

#[test]
fn of_more_than_the_most_terminal_jobs_the_oldest_are_archived() {
    let mut world = World::new(&[1]);
    world.config.most_terminal = 5;
    world.elect();
    let jobs: Vec<_> = (0..8)
        .map(|number| {
            let job = world.submit(spec(&format!("job-{number}"), 1));
            world.exit(world.task(job, 1, 0), 0, &[]);
            world.run(SECOND);
            job
        })
        .collect();
    assert_eq!(world.archived, jobs[..3]);
    assert_eq!(world.store.len(), 5);
}

#[test]
fn jobs_that_were_refused_make_room_for_those_that_ran() {
    let mut world = World::new(&[1]);
    world.config.most_terminal = 3;
    world.elect();
    let mut refused = Vec::new();
    for number in 0..5 {
        let name = format!("job-{number}");
        let job = world.submit(spec(&name, 1));
        world.run(SECOND);
        if number < 2 {
            refused.push(world.submit(spec(&name, 1)));
            world.run(SECOND);
        }
        world.exit(world.task(job, 1, 0), 0, &[]);
        world.run(SECOND);
        if number == 2 {
            assert_eq!(world.archived, refused, "all that ran are there yet");
        }
    }
    assert_eq!(world.store.len(), 3);
}

#[test]
fn two_task_managers_of_one_name_are_told_apart() {
    let mut world = World::new(&[1]);
    world.add_named("tm-0", 1);
    world.run(SECOND);
    let refused = |world: &World| {
        world
            .stories
            .iter()
            .any(|story| story.text.contains("start this one with another --name"))
    };
    assert!(refused(&world));
    let Answer::Cluster(view) = answer(&mut world, Question::Cluster) else {
        panic!("a cluster");
    };
    assert_eq!((view.slots, view.nodes.len()), (1, 1));
}
