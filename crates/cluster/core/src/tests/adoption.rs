//! R10: the next leader takes over what runs.

use super::World;
use super::world::spec;
use crate::JobState;

#[test]
fn a_change_of_leader_costs_a_running_job_nothing() {
    let mut world = World::new(&[2, 2]);
    let job = world.submit(spec("a", 4));
    let before = world.alive(job);
    world.take_trace();
    world.elect();
    assert_eq!(world.alive(job), before);
    assert_eq!(world.view(job).state, JobState::Running);
    assert_eq!(world.take_trace(), Vec::<String>::new());
}
