//! A change of leader, an adoption, a restart: five log lines or fewer each.

use super::SECOND;
use super::world::{World, spec};

fn take_stories(world: &mut World) -> Vec<String> {
    (std::mem::take(&mut world.stories).into_iter())
        .map(|story| story.text)
        .collect()
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
