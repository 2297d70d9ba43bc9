//! Artifacts: from the blobs into the directory of a task.

use std::os::unix::fs::PermissionsExt;

use incumbent_cluster_blobs::Digest;
use incumbent_cluster_core::Artifact;
use incumbent_cluster_core::message::{EndedHow, TaskState};

use super::harness::{Cluster, Leader};

async fn upload(cluster: &Cluster, leader: &Leader, content: &'static str) -> Artifact {
    let blobs = cluster.blobs(leader).await;
    let parts = futures::stream::iter([Ok::<_, std::io::Error>(content.into())]);
    let stored = blobs.put_artifact(parts, None).await.unwrap();
    Artifact {
        digest: stored.digest.to_string(),
        name: "hello.sh".to_owned(),
        size: stored.size,
    }
}

#[tokio::test]
async fn an_artifact_is_executable_in_the_directory_of_its_task() {
    let (cluster, leader, _process) = Cluster::running(&[]).await;
    let artifact = upload(&cluster, &leader, "#!/bin/sh\necho hello from \"$0\"\n").await;
    for _ in 0..2 {
        let mut deploy = leader.deploy(&["./hello.sh"]);
        deploy.artifact = Some(artifact.clone());
        leader.start(&deploy).await;
        leader.ended(&deploy).await;
        let log = leader.log(&deploy, "follow=true").await;
        assert_eq!(log, "hello from ./hello.sh\n");
    }
}

#[tokio::test]
async fn an_artifact_that_is_missing_or_altered_is_said() {
    let (cluster, leader, _process) = Cluster::running(&[]).await;
    let mut missing = leader.deploy(&["./hello.sh"]);
    missing.artifact = Some(Artifact {
        digest: Digest::of(b"never uploaded").to_string(),
        name: "hello.sh".to_owned(),
        size: 1,
    });
    leader.start(&missing).await;
    let why = leader.not_started(&missing).await;
    assert!(why.contains("cannot fetch its artifact hello.sh"), "{why}");

    let artifact = upload(&cluster, &leader, "#!/bin/sh\n").await;
    let stored = cluster
        .path("blobs")
        .join("artifacts")
        .join(&artifact.digest);
    let mut permissions = std::fs::metadata(&stored).unwrap().permissions();
    permissions.set_mode(0o600);
    std::fs::set_permissions(&stored, permissions).unwrap();
    std::fs::write(&stored, "#!/bin/su\n").unwrap();
    let mut altered = leader.deploy(&["./hello.sh"]);
    altered.artifact = Some(artifact);
    leader.start(&altered).await;
    let why = leader.not_started(&altered).await;
    assert!(why.contains("damaged"), "{why}");
}

#[tokio::test]
async fn a_task_whose_artifact_does_not_come_can_be_ended_and_holds_up_no_other() {
    let (cluster, leader, _process) = Cluster::running(&[]).await;
    let artifact = upload(&cluster, &leader, "#!/bin/sh\n").await;
    // Reading it waits for somebody to write, as a file system that hangs does.
    let stored = cluster
        .path("blobs")
        .join("artifacts")
        .join(&artifact.digest);
    std::fs::remove_file(&stored).unwrap();
    let mode = rustix::fs::Mode::from_raw_mode(0o600);
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &stored,
        rustix::fs::FileType::Fifo,
        mode,
        0,
    )
    .unwrap();
    let mut hanging = leader.deploy(&["./hello.sh"]);
    hanging.artifact = Some(artifact);
    leader.start(&hanging).await;
    let mut other = leader.shell("echo hello");
    (other.slot, other.port) = (1, leader.known().ports[1]);
    leader.start(&other).await;
    assert_eq!(leader.log(&other, "follow=true").await, "hello\n");
    let state = leader.known().tasks.get(&hanging.task).cloned();
    assert!(matches!(state, Some(TaskState::Starting)), "{state:?}");
    leader.end(&hanging, 60_000).await;
    assert_eq!(leader.ended(&hanging).await.how, EndedHow::Ordered);
}

#[tokio::test]
async fn blobs_that_are_away_are_waited_for_and_reported_and_an_end_works_meanwhile() {
    let (cluster, leader, _process) = Cluster::running(&[]).await;
    let artifact = upload(&cluster, &leader, "#!/bin/sh\necho here\n").await;
    let (blobs, aside) = (cluster.path("blobs"), cluster.path("aside"));
    std::fs::rename(&blobs, &aside).unwrap();

    let mut waiting = leader.deploy(&["./hello.sh"]);
    waiting.artifact = Some(artifact.clone());
    let mut given_up = waiting.clone();
    given_up.task.rank.0 = 1;
    (given_up.slot, given_up.port) = (1, leader.known().ports[1]);
    leader.start(&waiting).await;
    leader.start(&given_up).await;
    leader
        .told("the blobs are away", |known| !known.has_blobs)
        .await;
    leader.end(&given_up, 60_000).await;
    assert_eq!(leader.ended(&given_up).await.how, EndedHow::Ordered);

    std::fs::rename(&aside, &blobs).unwrap();
    leader
        .told("the blobs are back", |known| known.has_blobs)
        .await;
    let end = leader.ended(&waiting).await;
    assert_eq!(end.how, EndedHow::Exited { code: 0 });
    assert_eq!(end.last_lines, ["here"]);
}
