//! What a leader orders, and when.

use std::time::Duration;

use incumbent_cluster_core::leader::{Answer, Question};
use incumbent_cluster_core::message::Command;
use incumbent_cluster_core::record::JobState;
use tokio::time::Instant;

use super::fake::Fake;
use super::harness::{Place, record, spec, submit, wait};
use incumbent_cluster_core::JobId;

async fn runs(place: Place, store_takes: Option<Duration>) {
    let manager = place.manager("jm-1").await;
    if let Some(delay) = store_takes {
        // Long enough for an order to overtake the write that it repeats.
        manager.slow_store(delay);
    }
    let fakes = [
        Fake::start(&place, "tm-1", 2).await,
        Fake::start(&place, "tm-2", 2).await,
    ];
    let job = submit(&manager.node, spec("a", 4)).await;
    manager.leads().await;
    let view = manager.until(job, JobState::Running).await;
    assert_eq!(view.attempt, 1);
    assert_eq!(view.tasks.len(), 4);
    for fake in &fakes {
        assert_eq!(fake.early(), Vec::<String>::new());
        assert_eq!(fake.pids(job).len(), 2);
    }
}

#[tokio::test]
async fn a_task_is_deployed_after_its_record_says_so_and_not_before() {
    runs(Place::memory(), Some(Duration::from_millis(300))).await;
}

#[tokio::test]
async fn a_task_is_deployed_after_its_record_says_so_on_a_directory() {
    runs(Place::directory(), None).await;
}

#[tokio::test]
async fn a_task_that_fails_ends_the_attempt_and_another_begins() {
    let place = Place::memory();
    let manager = place.manager("jm-1").await;
    manager.leads().await;
    let fake = Fake::start(&place, "tm-1", 2).await;
    let job = submit(&manager.node, spec("a", 2)).await;
    manager.until(job, JobState::Running).await;
    fake.fail(job);
    wait("the second attempt runs", async || {
        let view = manager.job(job).await;
        view.attempt == 2 && view.state == JobState::Running
    })
    .await;
    assert_eq!(fake.early(), Vec::<String>::new());
    let cause = manager.job(job).await.cause.unwrap();
    assert_eq!(cause.exit_code, Some(3));
    assert_eq!(cause.last_lines, ["the last line"]);
}

#[tokio::test]
async fn a_job_is_canceled_and_then_removed() {
    let place = Place::memory();
    let manager = place.manager("jm-1").await;
    manager.leads().await;
    let fake = Fake::start(&place, "tm-1", 1).await;
    let job = submit(&manager.node, spec("a", 1)).await;
    manager.until(job, JobState::Running).await;
    assert!(matches!(
        manager.ask(Question::Remove(job)).await,
        Answer::Conflict(_)
    ));
    assert!(matches!(
        manager.ask(Question::Cancel(job)).await,
        Answer::Job(_)
    ));
    manager.until(job, JobState::Canceled).await;
    assert!(fake.pids(job).is_empty());
    assert_eq!(manager.ask(Question::Remove(job)).await, Answer::Done);
    assert!(matches!(
        manager.ask(Question::Job(job)).await,
        Answer::NotFound(_)
    ));
    // A submission that is repeated late does not bring it back.
    let again = record(job, spec("a", 1));
    let created = manager.node.group().create(&job.record(), &again).await;
    assert!(matches!(created, Ok(incumbent::Creation::Deleted(_))));
}

/// Asking for a job that nobody submitted leaves nothing in the store: its owner may be about to.
#[tokio::test]
async fn a_question_for_an_unknown_job_does_not_take_its_id() {
    let place = Place::memory();
    let manager = place.manager("jm-1").await;
    manager.leads().await;
    let job = JobId::new(rand::random());
    assert!(matches!(
        manager.ask(Question::Job(job)).await,
        Answer::NotFound(_)
    ));
    let (name, body) = (job.record(), record(job, spec("a", 1)));
    let created = manager.node.group().create(&name, &body).await;
    assert!(matches!(created, Ok(incumbent::Creation::Created(_))));
}

#[tokio::test]
async fn a_task_manager_that_is_slow_delays_nobody_else() {
    let place = Place::memory();
    let manager = place.manager("jm-1").await;
    manager.leads().await;
    let slow = Fake::start(&place, "tm-slow", 1).await;
    slow.is_registered().await;
    slow.slow(Duration::from_secs(5));
    let stuck = submit(&manager.node, spec("stuck", 1)).await;
    wait("it is placed on the slow one", async || {
        manager.job(stuck).await.attempt == 1
    })
    .await;
    let quick = Fake::start(&place, "tm-quick", 1).await;
    quick.is_registered().await;
    let began = Instant::now();
    let job = submit(&manager.node, spec("quick", 1)).await;
    manager.until(job, JobState::Running).await;
    assert!(
        began.elapsed() < Duration::from_secs(4),
        "{:?}",
        began.elapsed()
    );
    manager.until(stuck, JobState::Running).await;
    let of_slow = slow.orders();
    let deployed = of_slow
        .iter()
        .filter(|order| matches!(order.command, Command::Deploy(_)));
    assert!(deployed.count() >= 1);
}
