//! The leader is killed between every two of its steps, and the next one goes on (R5, R6, R12).

use super::SECOND;
use super::world::{World, checkpointing};
use crate::leader::Question;
use crate::{Checkpointing, JobId, JobRecord, JobSpec, JobState, SavepointId};

const SAVEPOINT: SavepointId = SavepointId::new(77);

/// More steps than any of the scenarios has.
const MOST_STEPS: usize = 400;

struct Scenario {
    slots: &'static [u32],
    spec: JobSpec,
    length: Option<u64>,
    /// What is wanted again and again until it is so.
    wish: fn(&JobRecord) -> Option<Question>,
    goal: fn(&JobRecord) -> bool,
}

fn usual() -> JobSpec {
    JobSpec {
        checkpoints: Some(Checkpointing {
            keep: 2,
            ..Checkpointing::default()
        }),
        ..checkpointing("a", 2)
    }
}

/// Runs a scenario with a leader that dies after each number of steps in turn, until it needs no
/// more.
fn at_every_step(scenario: Scenario) {
    for steps in 0..MOST_STEPS {
        let mut world = World::new(scenario.slots);
        let job = world.submit(scenario.spec.clone());
        if let Some(length) = scenario.length {
            world.lengths.insert(job, length);
        }
        world.run(SECOND * 2 + SECOND / 2);
        let mut newest = world.record(job).newest_checkpoint();
        world.dies_after = Some(steps);
        let mut rounds = 0;
        while !(scenario.goal)(world.record(job)) {
            rounds += 1;
            assert!(rounds < 60, "after {steps} steps: {:#?}", world.record(job));
            if world.leader.is_none() {
                world.elect();
            }
            if let Some(question) = (scenario.wish)(world.record(job)) {
                world.ask(question);
            }
            world.run(SECOND);
            let now = world.record(job).newest_checkpoint();
            assert!(now >= newest, "numbers rise");
            newest = now;
        }
        let has_died = world.dies_after.take().is_none();
        world.elect();
        world.run(SECOND * 3);
        world.check_output(job);
        let restarts = world.record(job).restarts;
        assert_eq!(restarts, 0, "a dead leader costs no attempt; {steps} steps");
        if !has_died {
            assert!(steps > 10, "it died at every step");
            return;
        }
    }
    panic!("it takes more than {MOST_STEPS} steps");
}

#[test]
fn a_leader_killed_between_any_two_steps_of_a_checkpoint_costs_nothing() {
    at_every_step(Scenario {
        slots: &[2, 2],
        spec: usual(),
        length: None,
        wish: |_| None,
        goal: |record| record.newest_checkpoint() >= 5,
    });
}

#[test]
fn a_leader_killed_between_any_two_steps_of_a_stop_loses_no_output() {
    at_every_step(Scenario {
        slots: &[2, 2],
        spec: usual(),
        length: None,
        wish: |record| Some(suspend(record.id)),
        goal: |record| record.state == JobState::Suspended && record.savepoints.len() == 1,
    });
}

#[test]
fn a_leader_killed_between_any_two_steps_of_rescaling_up_loses_no_output() {
    at_every_step(Scenario {
        slots: &[2, 2],
        spec: usual(),
        length: None,
        wish: |record| Some(rescale(record.id, 3)),
        goal: |record| record.attempt.0 == 2 && record.placements.len() == 3,
    });
}

#[test]
fn a_leader_killed_between_any_two_steps_of_rescaling_down_loses_no_output() {
    at_every_step(Scenario {
        slots: &[2],
        spec: usual(),
        length: None,
        wish: |record| Some(rescale(record.id, 1)),
        goal: |record| record.attempt.0 == 2 && record.placements.len() == 1,
    });
}

#[test]
fn a_leader_killed_between_any_two_steps_of_a_savepoint_makes_it_once() {
    at_every_step(Scenario {
        slots: &[2, 2],
        spec: usual(),
        length: None,
        wish: |record| {
            let (job, savepoint) = (record.id, SAVEPOINT);
            Some(Question::Savepoint { job, savepoint })
        },
        goal: |record| {
            assert!(
                record.savepoints.len() <= 1,
                "the same wish is one savepoint"
            );
            record.savepoints.len() == 1 && record.checkpoints.len() == 2
        },
    });
}

#[test]
fn a_leader_killed_between_any_two_steps_of_the_end_keeps_the_tail() {
    at_every_step(Scenario {
        slots: &[2, 2],
        spec: usual(),
        length: Some(4),
        wish: |_| None,
        goal: |record| record.state == JobState::Finished,
    });
}

#[test]
fn a_leader_killed_between_any_two_steps_of_stop_and_resume_loses_no_output() {
    at_every_step(Scenario {
        slots: &[2],
        spec: usual(),
        length: Some(8),
        wish: |record| match record.state {
            JobState::Suspended => Some(Question::Resume(record.id)),
            _ if record.savepoints.is_empty() => Some(suspend(record.id)),
            _ => None,
        },
        goal: |record| record.state == JobState::Finished,
    });
}

/// A rank dies while the job closes: the leader is killed between any two steps of what follows.
#[test]
fn a_leader_killed_while_another_attempt_publishes_loses_no_output() {
    for steps in 0..60 {
        let mut world = World::new(&[2, 2]);
        let job = world.submit(usual());
        world.run(SECOND * 2 + SECOND / 2);
        world.never_stops.extend([0, 1]);
        world.ask(suspend(job));
        world.run(SECOND);
        assert_eq!(world.record(job).state, JobState::Stopping);
        world.never_stops.clear();
        world.dies_after = Some(steps);
        world.exit(world.task(job, 1, 1), 9, &[]);
        for _ in 0..30 {
            if world.leader.is_none() {
                world.elect();
            }
            world.run(SECOND);
        }
        let record = world.record(job);
        assert_eq!(record.state, JobState::Suspended, "after {steps} steps");
        assert_eq!(record.attempt.0, 2);
        world.check_output(job);
    }
}

fn suspend(job: JobId) -> Question {
    let savepoint = SAVEPOINT;
    Question::Suspend { job, savepoint }
}

fn rescale(job: JobId, tasks: u32) -> Question {
    Question::Rescale { job, tasks }
}
