//! Savepoints under real leaders: made, found, started from, and removed.

use std::time::Duration;

use incumbent_cluster_core::checkpoint::{RestoreFrom, RestorePoint};
use incumbent_cluster_core::leader::{Answer, Question};
use incumbent_cluster_core::message::Command;
use incumbent_cluster_core::record::JobState;
use incumbent_cluster_core::{JobId, JobSpec, SavepointId};

use super::checkpoints::{completed, record};
use super::fake::Fake;
use super::harness::{Manager, Place, checkpointing, submit, wait};

/// What the attempts of a job were to start from, by the orders.
pub(super) fn restores(fake: &Fake, job: JobId) -> Vec<Option<RestorePoint>> {
    let orders = fake.orders();
    let deploys = orders.iter().filter_map(|order| match &order.command {
        Command::Deploy(deploy) if deploy.task.job == job => Some(deploy.restore.clone()),
        _ => None,
    });
    deploys.collect()
}

async fn savepoint(manager: &Manager, job: JobId) -> SavepointId {
    let savepoint = SavepointId::new(rand::random());
    let answer = manager.ask(Question::Savepoint { job, savepoint }).await;
    assert!(matches!(answer, Answer::Job(_)), "{answer:?}");
    wait("the record has the savepoint", async || {
        let record = record(&manager.node, job).await;
        record.savepoints.iter().any(|found| found.id == savepoint)
    })
    .await;
    savepoint
}

/// A job that has ended, and whose savepoint remains.
async fn left_behind(manager: &Manager) -> (JobId, SavepointId) {
    let job = submit(&manager.node, checkpointing("a", 1)).await;
    completed(&manager.node, job, 1).await;
    let savepoint = savepoint(manager, job).await;
    manager.ask(Question::Cancel(job)).await;
    manager.until(job, JobState::Canceled).await;
    (job, savepoint)
}

#[tokio::test]
async fn a_savepoint_outlives_the_record_of_its_job() {
    let place = Place::memory();
    let manager = place.manager("jm-1").await;
    manager.leads().await;
    let fake = Fake::start(&place, "tm-1", 2).await;
    let (job, savepoint) = left_behind(&manager).await;
    let dir = place.blobs().join(format!("savepoints/{savepoint}"));
    let mark = dir.join("savepoint.json");
    wait("it is marked", async || mark.exists()).await;
    let point = {
        let record = record(&manager.node, job).await;
        let checkpoint = &record.savepoints[0].checkpoint;
        checkpoint.restore_point(job, record.incarnation)
    };
    // As if the mark had not been written: then the record may not go before it is.
    std::fs::remove_file(&mark).unwrap();
    assert_eq!(manager.ask(Question::Remove(job)).await, Answer::Done);
    assert!(mark.exists());
    let spec = JobSpec {
        restore: Some(RestoreFrom::Savepoint { savepoint }),
        ..checkpointing("b", 1)
    };
    fake.hold_above(Some(0));
    let next = submit(&manager.node, spec).await;
    manager.until(next, JobState::Running).await;
    assert_eq!(restores(&fake, next), [Some(point.clone())]);
    // It has no checkpoint of its own yet.
    let answer = manager.ask(Question::RemoveSavepoint(savepoint)).await;
    assert!(matches!(answer, Answer::Conflict(_)), "{answer:?}");
    manager.node.blobs().manifest(&point).await.unwrap();
    fake.hold_above(None);
    completed(&manager.node, next, 1).await;
    let answer = manager.ask(Question::RemoveSavepoint(savepoint)).await;
    assert_eq!(answer, Answer::Done);
    assert!(!dir.exists());
}

#[tokio::test]
async fn a_record_stays_while_its_savepoints_cannot_be_marked() {
    let place = Place::memory();
    let manager = place.manager("jm-1").await;
    manager.leads().await;
    let _fake = Fake::start(&place, "tm-1", 1).await;
    let (job, savepoint) = left_behind(&manager).await;
    let dir = place.blobs().join(format!("savepoints/{savepoint}"));
    let mark = dir.join("savepoint.json");
    wait("it is marked", async || mark.exists()).await;
    std::fs::remove_file(&mark).unwrap();
    // Where its directory was, nothing can be written.
    let away = place.blobs().with_extension("away");
    std::fs::rename(&dir, &away).unwrap();
    std::fs::write(&dir, "").unwrap();
    let removing = manager.handle.ask(Question::Remove(job));
    if let Ok(answer) = tokio::time::timeout(Duration::from_secs(1), removing).await {
        assert_ne!(answer, Ok(Answer::Done));
    }
    record(&manager.node, job).await;
    std::fs::remove_file(&dir).unwrap();
    std::fs::rename(&away, &dir).unwrap();
    wait("it is removed", async || {
        let answer = manager.ask(Question::Remove(job)).await;
        matches!(answer, Answer::Done | Answer::NotFound(_))
    })
    .await;
    assert!(mark.exists());
}

#[tokio::test]
async fn a_job_that_was_stopped_goes_on_from_its_savepoint() {
    let place = Place::memory();
    let first = place.manager("jm-1").await;
    first.leads().await;
    let fake = Fake::start(&place, "tm-1", 2).await;
    let job = submit(&first.node, checkpointing("a", 2)).await;
    completed(&first.node, job, 1).await;
    let savepoint = SavepointId::new(rand::random());
    let answer = first.ask(Question::Suspend { job, savepoint }).await;
    assert!(matches!(answer, Answer::Job(_)), "{answer:?}");
    first.until(job, JobState::Suspended).await;
    let stopped = record(&first.node, job).await;
    let last = stopped.checkpoints.last().unwrap();
    assert_eq!(last.savepoint, Some(savepoint));
    let second = place.manager("jm-2").await;
    first.crash().await;
    second.leads().await;
    second.ask(Question::Resume(job)).await;
    second.until(job, JobState::Running).await;
    let point = last.restore_point(job, stopped.incarnation);
    let restores = restores(&fake, job);
    let again = restores.iter().filter(|from| **from == Some(point.clone()));
    assert_eq!(again.count(), 2);
    completed(&second.node, job, last.number + 1).await;
}
