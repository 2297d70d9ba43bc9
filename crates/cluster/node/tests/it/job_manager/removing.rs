//! Jobs that are removed, and their files.

use std::path::PathBuf;
use std::time::Duration;

use incumbent_cluster_core::JobId;
use incumbent_cluster_core::leader::{Answer, Question};
use incumbent_cluster_core::record::JobState;

use super::checkpoints::{completed, record};
use super::fake::Fake;
use super::harness::{Manager, Place, checkpointing, submit, wait};

/// A job that has ended, and where its files are.
async fn ended(place: &Place, manager: &Manager) -> (JobId, PathBuf) {
    let _fake = Fake::start(place, "tm-1", 1).await;
    let job = submit(&manager.node, checkpointing("a", 1)).await;
    completed(&manager.node, job, 1).await;
    manager.ask(Question::Cancel(job)).await;
    manager.until(job, JobState::Canceled).await;
    let incarnation = record(&manager.node, job).await.incarnation;
    let dir = place.blobs().join(format!("jobs/{job}/{incarnation}"));
    assert!(dir.exists());
    (job, dir)
}

#[tokio::test]
async fn the_files_of_a_removed_job_go_when_the_blobs_are_back() {
    let place = Place::memory();
    let manager = place.manager("jm-1").await;
    manager.leads().await;
    let (job, dir) = ended(&place, &manager).await;
    let away = place.blobs().with_extension("away");
    std::fs::rename(place.blobs(), &away).unwrap();
    assert_eq!(manager.ask(Question::Remove(job)).await, Answer::Done);
    wait("the blobs are back", async || {
        // Somebody who was late may have made the directory anew.
        let _ = std::fs::remove_dir_all(place.blobs());
        std::fs::rename(&away, place.blobs()).is_ok()
    })
    .await;
    wait("its files are gone", async || !dir.exists()).await;
}

#[tokio::test]
async fn the_files_of_a_removed_job_go_although_no_answer_said_that_it_is_removed() {
    let place = Place::memory();
    // It is to lead although its renewals are not answered for a while.
    let manager = place.manager_with("jm-1", Duration::from_secs(60)).await;
    manager.leads().await;
    let (job, dir) = ended(&place, &manager).await;
    let node = place.node("any", "127.0.0.1:1".parse().unwrap()).await;
    manager.lose_answers();
    let removing = manager.ask(Question::Remove(job));
    let heal = async {
        wait("it is removed", async || {
            let read = node.group().read::<serde_json::Value>(&job.record()).await;
            read.unwrap().is_none()
        })
        .await;
        // What was not answered is known as such by then, or it is asked for again.
        tokio::time::sleep(Duration::from_millis(300)).await;
        manager.rage(false);
    };
    let (answer, ()) = tokio::join!(removing, heal);
    assert!(
        matches!(answer, Answer::Done | Answer::NotFound(_)),
        "{answer:?}"
    );
    wait("its files are gone", async || !dir.exists()).await;
}
