//! Leaving.

use rustix::process::Signal;

use super::harness::{Cluster, runs};

#[tokio::test]
async fn sigterm_drains_and_the_process_ends_when_its_tasks_were_moved() {
    let (cluster, leader, mut process) = Cluster::running(&[]).await;
    let deploy = leader.shell("echo hello; sleep 1000");
    let pid = leader.run(&deploy).await;
    process.signal(Signal::TERM);
    leader.told("it drains", |known| known.is_draining).await;
    assert!(runs(pid), "it waits for the task to be moved");
    leader.end(&deploy, 1000).await;
    leader.ended(&deploy).await;
    assert!(process.ended().await.success());
    let blobs = cluster.blobs(&leader).await;
    let tail = blobs.log_tail(deploy.task, "log").await.unwrap();
    assert_eq!(&tail[..], b"hello\n", "stored before it left");
    let left = std::fs::read_dir(cluster.path("work")).unwrap().count();
    assert_eq!(left, 0, "and removed what was its own");
}

#[tokio::test]
async fn tasks_that_nobody_moves_are_ended_when_the_time_to_drain_is_over() {
    let (_cluster, leader, mut process) = Cluster::running(&["drain=300"]).await;
    let mut deploy = leader.shell("trap '' TERM; while :; do sleep 1000; done");
    deploy.grace_ms = 200;
    let pid = leader.run(&deploy).await;
    process.signal(Signal::TERM);
    assert!(process.ended().await.success());
    assert!(!runs(pid));
}
