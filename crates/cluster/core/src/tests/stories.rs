//! A change of leader, an adoption, a restart: five log lines or fewer each.

use super::SECOND;
use super::world::{World, checkpointing, spec};
use crate::SavepointId;
use crate::leader::Question;

fn take_stories(world: &mut World) -> Vec<String> {
    (std::mem::take(&mut world.stories).into_iter())
        .map(|story| story.text)
        .collect()
}

#[test]
fn checkpoints_are_no_lines_but_aborted_ones_and_intents_are() {
    let mut world = World::new(&[2, 2]);
    let job = world.submit(checkpointing("a", 2));
    world.run(SECOND);
    world.stories.clear();
    world.run(SECOND * 20);
    assert_eq!(world.stories, []);
    world.late.insert(1);
    world.run(SECOND * 61);
    world.late.clear();
    world.ask(Question::Rescale { job, tasks: 3 });
    world.run(SECOND * 62);
    let savepoint = SavepointId::new(7);
    world.ask(Question::Suspend { job, savepoint });
    world.run(SECOND);
    let told: Vec<&str> = world
        .stories
        .iter()
        .map(|story| story.text.as_str())
        .collect();
    let expected = [
        "is aborted: rank 1 had not acknowledged it",
        "is to have 3 tasks instead of 2: it makes a checkpoint first",
        "a person gave the job 3 tasks instead of 2",
        "3 tasks to be started from checkpoint",
        "is to be suspended: it makes savepoint",
        "is its last one; its tasks publish what they have staged, then it is suspended",
        "has savepoint 00000000000000000000000000000007",
        "is suspended: nothing of it is left to run",
    ];
    let mut left = told.iter();
    for text in expected {
        assert!(left.any(|line| line.contains(text)), "{text}: {told:#?}");
    }
    assert!(told.len() <= expected.len() + 1, "{told:#?}");
}

#[test]
fn an_adoption_of_a_thousand_jobs_is_told_in_five_lines() {
    let mut world = World::new(&[0; 50]);
    for node in 0..50 {
        let _ = node;
        world.add_node(20);
    }
    world.settle();
    let jobs: Vec<_> = (0..1000)
        .map(|n| world.submit(spec(&format!("job-{n}"), 1)))
        .collect();
    assert!(jobs.iter().all(|job| world.alive(*job).len() == 1));
    take_stories(&mut world);
    world.kill_leader();
    world.run(SECOND);
    world.elect();
    world.run(5 * SECOND);
    let told = take_stories(&mut world);
    assert!(told.len() <= 5, "{told:#?}");
    assert!(
        told.last().unwrap().contains("adopted 1000 jobs"),
        "{told:#?}"
    );
    assert_eq!(world.record(jobs[999]).attempt.0, 1);
}

#[test]
fn a_restart_is_told_in_five_lines() {
    let mut world = World::new(&[1, 1, 1]);
    let job = world.submit(spec("a", 2));
    world.run(SECOND);
    take_stories(&mut world);
    world.exit(world.task(job, 1, 0), 1, &[]);
    world.run(2 * SECOND);
    let told = take_stories(&mut world);
    assert!(told.len() <= 5 && told.len() >= 2, "{told:#?}");
    world.kill(world.place_of(world.task(job, 2, 0)).unwrap());
    world.run(2 * SECOND);
    let told = take_stories(&mut world);
    assert!(told.len() <= 5 && told.len() >= 3, "{told:#?}");
    assert!(told[0].contains("is gone: it is proven dead"), "{told:#?}");
}
