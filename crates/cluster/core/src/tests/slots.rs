//! R2: all slots or none, the oldest gang first.

use super::SECOND;
use super::world::{World, fenced, spec};
use crate::leader::{Answer, Question};
use crate::message::TaskState;
use crate::task_manager::TaskManagerEvent;
use crate::view::{NodeView, NodeViewState};
use crate::{Artifact, JobState};

#[test]
fn a_gang_gets_all_its_slots_or_none() {
    let mut world = World::new(&[2]);
    let job = world.submit(spec("a", 3));
    let view = world.view(job);
    assert_eq!(view.state, JobState::Waiting);
    assert!(
        view.why[0].contains("start TaskManagers with 1 more"),
        "{:?}",
        view.why
    );
    assert!(world.alive(job).is_empty());
    world.add_node(1);
    world.settle();
    assert_eq!(world.view(job).state, JobState::Running);
}

#[test]
fn small_jobs_pass_a_gang_until_it_has_waited_for_thirty_seconds() {
    let mut world = World::new(&[4]);
    let first = world.submit(spec("first", 3));
    let big = world.submit(spec("big", 4));
    let small = world.submit(spec("small", 1));
    assert_eq!(
        world.view(small).state,
        JobState::Running,
        "its slot is of no use to the gang"
    );
    let why = world.view(big).why.join("\n");
    assert!(why.contains("0 of 4 are free, 4 are missing"), "{why}");
    world.run(31 * SECOND);
    world.ask(Question::Cancel(small));
    let late = world.submit(spec("late", 1));
    assert_eq!(
        world.view(late).state,
        JobState::Waiting,
        "the slot is reserved"
    );
    world.ask(Question::Cancel(first));
    assert_eq!(world.view(big).state, JobState::Running);
    assert_eq!(world.view(late).state, JobState::Waiting);
}

#[test]
fn a_gang_that_can_never_fit_starves_nobody() {
    let mut world = World::new(&[2]);
    let huge = world.submit(spec("huge", 100));
    world.run(100 * SECOND);
    let small = world.submit(spec("small", 2));
    assert_eq!(world.view(small).state, JobState::Running);
    assert_eq!(world.view(huge).state, JobState::Waiting);
}

#[test]
fn the_oldest_waiting_job_comes_first() {
    let mut world = World::new(&[]);
    let old = world.submit(spec("old", 2));
    let young = world.submit(spec("young", 2));
    world.add_node(2);
    world.settle();
    assert_eq!(world.view(old).state, JobState::Running);
    assert_eq!(world.view(young).state, JobState::Waiting);
}

#[test]
fn a_restarting_job_keeps_its_slots() {
    let mut world = World::new(&[2]);
    let job = world.submit(spec("a", 2));
    let waiting = world.submit(spec("b", 1));
    world.exit(world.task(job, 1, 0), 1, &[]);
    world.run(SECOND / 2);
    assert_eq!(world.view(waiting).state, JobState::Waiting);
    world.run(SECOND);
    let view = world.view(job);
    assert_eq!((view.state, view.attempt), (JobState::Running, 2));
}

#[test]
fn peers_and_ports_are_those_of_the_record() {
    let mut world = World::new(&[2, 1]);
    let job = world.submit(spec("a", 3));
    let view = world.view(job);
    let addresses: std::collections::BTreeSet<_> = view
        .tasks
        .iter()
        .map(|task| task.address.clone().unwrap())
        .collect();
    assert_eq!(addresses.len(), 3, "{addresses:?}");
    assert!(addresses.iter().all(|address| address.starts_with("tm-")));
}

#[test]
fn a_job_with_an_artifact_waits_for_blobs_and_others_do_not() {
    let mut world = World::new(&[2]);
    let node = *world.nodes.keys().next().unwrap();
    world.tell_node(node, TaskManagerEvent::Blobs(false));
    let mut with = spec("with", 1);
    with.artifact = Some(Artifact {
        digest: "0".repeat(64),
        name: "x".to_owned(),
        size: 1,
    });
    let with = world.submit(with);
    let without = world.submit(spec("without", 1));
    assert_eq!(world.view(without).state, JobState::Running);
    let why = world.view(with).why.join("\n");
    assert!(why.contains("the blobs do not answer there"), "{why}");
    world.tell_node(node, TaskManagerEvent::Blobs(true));
    assert_eq!(world.view(with).state, JobState::Running);
}

#[test]
fn a_drained_task_manager_gets_no_tasks_and_exits_when_its_own_have_moved() {
    let mut world = World::new(&[2, 1]);
    let job = world.submit(fenced("a", 2));
    let from = world.place_of(world.task(job, 1, 0)).unwrap();
    let name = world.nodes[&from].machine.nonce();
    let ticket = world.ask(Question::Drain(name.to_string()));
    assert!(world.answers.contains_key(&ticket));
    world.run(20 * SECOND);
    let view = world.view(job);
    let moves = "moves when there are slots elsewhere";
    assert!(
        view.why.iter().any(|line| line.contains(moves)),
        "{:?}",
        view.why
    );
    assert_eq!(
        world.alive(job).len(),
        2,
        "there are no slots elsewhere yet"
    );
    world.add_node(2);
    world.run(5 * SECOND);
    let view = world.view(job);
    assert_eq!((view.state, view.attempt), (JobState::Running, 2));
    assert!(world.nodes[&from].has_exited);
    let gone = from.to_string();
    let shown = task_managers(&mut world);
    assert!(shown.iter().all(|node| node.nonce != gone), "{shown:?}");
}

#[test]
fn a_dead_task_manager_is_shown_until_another_has_its_name() {
    let mut world = World::new(&[]);
    let first = world.add_named("tm", 1);
    world.settle();
    world.kill(first);
    let waits = world.submit(spec("a", 2));
    let shown = task_managers(&mut world);
    let [dead] = &shown[..] else {
        panic!("{shown:?}");
    };
    assert_eq!((dead.state, dead.slots), (NodeViewState::Dead, 0));
    assert_ne!(dead.pid, 0);
    let second = world.add_named("tm", 1);
    world.settle();
    let shown = task_managers(&mut world);
    let nonces: Vec<_> = shown.iter().map(|node| &node.nonce[..]).collect();
    assert_eq!(nonces, [second.to_string()]);
    // The job never ran there.
    let why = world.view(waits).why.join("\n");
    assert!(!why.contains("is dead"), "{why}");
}

fn task_managers(world: &mut World) -> Vec<NodeView> {
    let ticket = world.ask(Question::Cluster);
    match &world.answers[&ticket] {
        Answer::Cluster(view) => view.nodes.clone(),
        other => panic!("{other:?} instead of a view"),
    }
}

#[test]
fn a_port_that_has_changed_is_known_to_the_next_leader() {
    let mut world = World::new(&[1]);
    let node = *world.nodes.keys().next().unwrap();
    world.kill_leader();
    world.tell_node(
        node,
        TaskManagerEvent::Reserved {
            slot: 0,
            port: 7777,
        },
    );
    world.elect();
    let job = world.submit(spec("a", 1));
    assert!(
        world.view(job).tasks[0]
            .address
            .as_ref()
            .unwrap()
            .ends_with(":7777")
    );
    assert!(matches!(
        world.nodes[&node].machine.state_of(world.task(job, 1, 0)),
        Some(TaskState::Running { .. })
    ));
}
