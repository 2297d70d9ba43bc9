//! Checkpoints under real leaders. The tasks are made up, their files are not (R12, R15).

use std::path::{Path, PathBuf};
use std::sync::Arc;

use incumbent::Store;
use incumbent::backend::Backend;
use incumbent_cluster_core::JobId;
use incumbent_cluster_core::message::{Command, ContractOrder};
use incumbent_cluster_core::record::{JobRecord, JobState};
use incumbent_cluster_node::{Node, NodeOptions};
use incumbent_conformance::{Faults, Unreliable};

use super::fake::Fake;
use super::harness::{Manager, Place, checkpointing, spec, submit, wait};

/// What the store has of a job.
pub(super) async fn record(node: &Node, job: JobId) -> JobRecord {
    let read = node.group().read::<JobRecord>(&job.record()).await;
    read.unwrap().unwrap().data
}

/// Waits until the record has a completed checkpoint of this number or a higher one.
pub(super) async fn completed(node: &Node, job: JobId, number: u64) -> JobRecord {
    let newest = async || {
        let record = record(node, job).await;
        record.checkpoints.last().map_or(0, |last| last.number)
    };
    let what = format!("checkpoint {number} is completed");
    wait(&what, async || newest().await >= number).await;
    record(node, job).await
}

/// Where the checkpoints of the first attempt of a job are.
pub(super) fn directory(place: &Place, record: &JobRecord) -> PathBuf {
    let (id, incarnation) = (record.id, record.incarnation);
    place
        .blobs()
        .join(format!("jobs/{id}/{incarnation}/checkpoints/1"))
}

/// Whether there is a manifest in this directory.
fn has_manifest(dir: &Path) -> bool {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let mut names = entries.map(|entry| entry.file_name());
    names.any(|name| name.to_string_lossy().starts_with("manifest-"))
}

/// Lets the tasks of a job store another checkpoint and not acknowledge it. Returns its number,
/// when nothing of an earlier one is under way any more.
pub(super) async fn hold(fakes: &[&Fake], job: JobId, tasks: usize) -> u64 {
    for fake in fakes {
        fake.hold_above(Some(0));
    }
    // One of them may have been asked before it was told to hold.
    let seen = fakes.iter().map(|fake| fake.seen(job)).max().unwrap();
    for fake in fakes {
        fake.hold_above(Some(seen));
    }
    let parts = || {
        fakes
            .iter()
            .flat_map(|fake| fake.held())
            .collect::<Vec<_>>()
    };
    wait("all parts are stored", async || parts().len() == tasks).await;
    parts()[0]
}

fn release(fakes: &[&Fake]) {
    for fake in fakes {
        fake.hold_above(None);
    }
}

#[tokio::test]
async fn a_completed_checkpoint_is_durable_is_told_and_is_kept_while_it_is_listed() {
    let place = Place::memory();
    let manager = place.manager("jm-1").await;
    manager.leads().await;
    let fakes = [
        Fake::start(&place, "tm-1", 2).await,
        Fake::start(&place, "tm-2", 2).await,
    ];
    let job = submit(&manager.node, checkpointing("a", 4)).await;
    let after = completed(&manager.node, job, 4).await;
    assert_eq!(after.checkpoints.len(), 3);
    // Until the next one is completed, its files are there.
    hold(&fakes.each_ref(), job, 4).await;
    let after = record(&manager.node, job).await;
    for checkpoint in &after.checkpoints {
        let point = checkpoint.restore_point(job, after.incarnation);
        let manifest = manager.node.blobs().manifest(&point).await.unwrap();
        assert_eq!(manifest.ranks.len(), 4);
        assert_eq!(manifest.bytes(), checkpoint.bytes);
    }
    let newest = after.checkpoints.last().unwrap().number;
    for fake in &fakes {
        wait("it is told", async || {
            fake.committed(job).iter().all(|told| *told == newest)
        })
        .await;
    }
    let dir = directory(&place, &after);
    wait("what is not listed is gone", async || {
        let kept = after.checkpoints.iter().map(|kept| kept.number.to_string());
        let mut kept: Vec<_> = kept.chain([(newest + 1).to_string()]).collect();
        let mut found: Vec<_> = std::fs::read_dir(&dir)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        kept.sort();
        found.sort();
        found == kept
    })
    .await;
}

#[tokio::test]
async fn a_checkpoint_is_one_write_of_the_record() {
    let place = Place::memory();
    let manager = place.manager("jm-1").await;
    manager.leads().await;
    let fake = Fake::start(&place, "tm-1", 4).await;
    let job = submit(&manager.node, checkpointing("a", 4)).await;
    completed(&manager.node, job, 1).await;
    let first = hold(&[&fake], job, 4).await;
    let before = place.writes(job);
    release(&[&fake]);
    completed(&manager.node, job, first + 9).await;
    let next = hold(&[&fake], job, 4).await;
    let completed = usize::try_from(next - first).unwrap();
    assert_eq!(place.writes(job) - before, completed);
}

/// The leader is cut off from the store when all parts are stored, and then learns of them. So it
/// writes a manifest and cannot commit it. What the next leader makes of it does not depend on
/// whether the first one ends, or goes on as a process.
async fn takes_over_between_manifest_and_swap(end: impl AsyncFnOnce(Manager) -> Option<Manager>) {
    let place = Place::memory();
    let first = place.manager("jm-1").await;
    first.leads().await;
    let second = place.manager("jm-2").await;
    let fakes = [
        Fake::start(&place, "tm-1", 2).await,
        Fake::start(&place, "tm-2", 2).await,
    ];
    let job = submit(&first.node, checkpointing("a", 4)).await;
    completed(&first.node, job, 1).await;
    let number = hold(&fakes.each_ref(), job, 4).await;
    let dir = directory(&place, &record(&second.node, job).await).join(number.to_string());
    let guard = first.node.role().guard().unwrap();
    first.cut();
    release(&fakes.each_ref());
    // On a machine that is too slow for that, its term is over before.
    tokio::select! {
        () = wait("there is a manifest", async || has_manifest(&dir)) => {}
        () = guard.ended() => {}
    }
    let first = end(first).await;
    second.leads().await;
    if let Some(first) = &first {
        // From here on it can write, if it still wants to.
        first.rage(false);
    }
    let after = completed(&second.node, job, number + 2).await;
    assert_eq!((after.attempt.0, after.restarts), (1, 0));
    let listed = after.checkpoints.iter().map(|listed| listed.number);
    assert!(!listed.clone().any(|listed| listed == number), "{after:#?}");
    for fake in &fakes {
        let orders = fake.orders();
        let is_it = |command: &Command| {
            let Command::Contract { order, .. } = command else {
                return false;
            };
            *order == ContractOrder::Committed { number }
        };
        assert!(!orders.iter().any(|order| is_it(&order.command)));
    }
    wait("the manifest that no record names is gone", async || {
        !dir.exists()
    })
    .await;
}

#[tokio::test]
async fn leader_that_is_killed_between_manifest_and_swap_has_committed_nothing() {
    takes_over_between_manifest_and_swap(async |first: Manager| {
        first.crash().await;
        None
    })
    .await;
}

#[tokio::test]
async fn leader_that_is_deposed_between_manifest_and_swap_has_committed_nothing() {
    takes_over_between_manifest_and_swap(async |first: Manager| Some(first)).await;
}

#[tokio::test]
async fn a_manifest_waits_for_blobs_and_the_job_goes_on() {
    let place = Place::memory();
    let manager = place.manager("jm-1").await;
    manager.leads().await;
    let fake = Fake::start(&place, "tm-1", 3).await;
    let job = submit(&manager.node, checkpointing("a", 2)).await;
    completed(&manager.node, job, 1).await;
    let number = hold(&[&fake], job, 2).await;
    let away = place.blobs().with_extension("away");
    std::fs::rename(place.blobs(), &away).unwrap();
    release(&[&fake]);
    // Other jobs do not notice.
    let other = submit(&manager.node, spec("b", 1)).await;
    manager.until(other, JobState::Running).await;
    let during = record(&manager.node, job).await;
    assert!(during.checkpoints.last().unwrap().number < number);
    std::fs::rename(&away, place.blobs()).unwrap();
    let after = completed(&manager.node, job, number).await;
    assert_eq!((after.attempt.0, after.restarts), (1, 0));
}

#[tokio::test]
async fn another_cluster_on_the_same_blobs_is_refused_and_nothing_is_deleted() {
    let place = Place::memory();
    let manager = place.manager("jm-1").await;
    manager.leads().await;
    let fake = Fake::start(&place, "tm-1", 1).await;
    let job = submit(&manager.node, checkpointing("a", 1)).await;
    completed(&manager.node, job, 2).await;
    hold(&[&fake], job, 1).await;
    // A store that was wiped is another cluster's, too.
    let other = Place::memory();
    let Place::Memory(backend, _) = &other else {
        unreachable!("it is in memory");
    };
    let backend: Arc<dyn Backend> = backend.clone();
    let store = Store::on(Unreliable::around(backend, 1, Faults::NONE));
    let bound = "127.0.0.1:1".parse().unwrap();
    let blobs = format!("file://{}", place.blobs().display());
    let refused = Node::on(store, NodeOptions::new("memory:", blobs, bound), bound).await;
    let why = format!("{:?}", refused.err().unwrap());
    assert!(why.contains("NotOurs"), "{why}");
    let after = record(&manager.node, job).await;
    for checkpoint in &after.checkpoints {
        let point = checkpoint.restore_point(job, after.incarnation);
        manager.node.blobs().manifest(&point).await.unwrap();
    }
}
