//! R1: names are unique among live jobs.

use super::World;
use super::world::spec;
use crate::leader::{Answer, Question};
use crate::{CauseKind, JobState};

#[test]
fn a_later_job_with_a_taken_name_fails_and_says_whose_it_is() {
    let mut world = World::new(&[2]);
    let first = world.submit(spec("a", 1));
    let second = world.submit(spec("a", 1));
    assert_eq!(world.view(first).state, JobState::Running);
    let view = world.view(second);
    assert_eq!(view.state, JobState::Failed);
    let cause = view.cause.unwrap();
    assert_eq!(cause.kind, CauseKind::Refused);
    assert!(
        cause.message.contains(&first.to_string()),
        "{}",
        cause.message
    );
    let advice = format!("job rm {second}");
    for words in ["nothing of this job has run", &advice[..]] {
        assert!(cause.message.contains(words), "{}", cause.message);
    }
    world.ask(Question::Cancel(first));
    let third = world.submit(spec("a", 1));
    assert_eq!(world.view(third).state, JobState::Running);
}

#[test]
fn of_two_jobs_submitted_while_nobody_leads_the_older_gets_the_name() {
    let mut world = World::new(&[2]);
    world.kill_leader();
    let first = world.submit(spec("a", 1));
    let second = world.submit(spec("a", 1));
    world.elect();
    assert_eq!(world.view(first).state, JobState::Running);
    assert_eq!(world.view(second).state, JobState::Failed);
}

#[test]
fn a_name_means_the_live_job_or_else_the_one_that_ended_last() {
    let mut world = World::new(&[2]);
    let first = world.submit(spec("a", 1));
    world.ask(Question::Cancel(first));
    let second = world.submit(spec("a", 1));
    let asked = |world: &mut World| {
        let ticket = world.ask(Question::JobNamed("a".to_owned()));
        match &world.answers[&ticket] {
            Answer::Job(view) => view.id.clone(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(asked(&mut world), second.to_string());
    world.run(super::SECOND);
    world.ask(Question::Cancel(second));
    assert_eq!(asked(&mut world), second.to_string());
}
