//! The logs of tasks.

use std::path::PathBuf;

use axum::body::Body;
use http::Request;
use http_body_util::BodyExt as _;
use incumbent_cluster_blobs::Blobs;
use incumbent_cluster_core::message::{Deploy, EndedHow};
use incumbent_cluster_node::task_manager::LOG_STREAM;
use incumbent_cluster_node::wire::task;

use super::harness::{Cluster, eventually};

#[tokio::test]
async fn stdout_and_stderr_are_one_log_in_their_order() {
    let (_cluster, leader, _process) = Cluster::running(&[]).await;
    let deploy = leader.shell("for i in 1 2 3; do echo out $i; echo err $i >&2; done");
    leader.start(&deploy).await;
    let log = leader.log(&deploy, "follow=true").await;
    assert_eq!(log, "out 1\nerr 1\nout 2\nerr 2\nout 3\nerr 3\n");
    assert_eq!(leader.log(&deploy, "tail=2").await, "out 3\nerr 3\n");
    assert_eq!(leader.log(&deploy, "offset=30").await, "err 3\n");
    assert_eq!(leader.log(&deploy, "offset=36").await, "");
}

#[tokio::test]
async fn a_log_beyond_its_limit_loses_its_beginning_and_says_so() {
    let (_cluster, leader, _process) = Cluster::running(&["log=10000"]).await;
    let deploy = leader.shell("seq 100000 109999");
    leader.start(&deploy).await;
    leader.ended(&deploy).await;
    let log = leader.log(&deploy, "offset=0&follow=true").await;
    let (gap, rest) = log.split_once(']').unwrap();
    let (from, to) = gap.strip_prefix('[').unwrap().split_once("..").unwrap();
    assert_eq!(from, "0");
    assert_eq!(to.parse::<usize>().unwrap() + rest.len(), 70_000);
    assert!(rest.len() <= 20_000 && rest.len() > 9_000, "{}", rest.len());
    assert!(rest.ends_with("109998\n109999\n"));
    assert_eq!(
        rest.lines().next().unwrap().len(),
        6,
        "it begins with a line"
    );
}

#[tokio::test]
async fn a_task_that_prints_without_end_stops_nobody_and_can_be_ended() {
    let (cluster, leader, _process) = Cluster::running(&["log=100000"]).await;
    let deploy = leader.deploy(&["yes", "this is a line that is printed without end"]);
    leader.run(&deploy).await;
    let mut quiet = leader.shell("echo hello");
    (quiet.slot, quiet.port) = (1, leader.known().ports[1]);
    leader.start(&quiet).await;
    assert_eq!(leader.log(&quiet, "follow=true").await, "hello\n");
    let tail = leader.log(&deploy, "tail=1").await;
    assert!(tail.starts_with("this is a line"), "{tail}");
    leader.end(&deploy, 1000).await;
    let end = leader.ended(&deploy).await;
    assert_eq!(end.how, EndedHow::Ordered);
    assert_eq!(end.last_lines.len(), 20);
    let size: u64 = log_files(&cluster).iter().map(|(_, size)| size).sum();
    assert!(size <= 200_000 + 10, "{size}");
}

#[tokio::test]
async fn the_end_of_a_log_is_in_the_blobs_when_its_task_has_ended() {
    let (cluster, leader, _process) = Cluster::running(&[]).await;
    let deploy = leader.shell("seq 1 50000; echo the end");
    leader.start(&deploy).await;
    leader.ended(&deploy).await;
    let blobs = cluster.blobs(&leader).await;
    let tail = stored_tail(&blobs, &deploy).await;
    assert!(tail.len() <= 64 * 1024 && tail.len() > 60 * 1024);
    assert!(tail.ends_with("50000\nthe end\n"));
    assert_eq!(
        tail.lines().next().unwrap().len(),
        5,
        "it begins with a line"
    );
}

#[tokio::test]
async fn a_reader_that_does_not_read_slows_no_task() {
    let (cluster, leader, _process) = Cluster::running(&["log=1000000"]).await;
    let deploy = leader.shell("echo begin; read -r go < \"$GO\"; seq 1000000 1999999; echo end");
    let (deploy, go) = with_pipe(&cluster, deploy);
    leader.run(&deploy).await;
    let path = format!("{}/log?follow=true", task(&deploy.task));
    let to = format!("127.0.0.1:{}", leader.known().info.unwrap().port);
    let request = Request::new(Body::empty());
    let mut unread = leader
        .node
        .client()
        .stream(&to, &path, request)
        .await
        .unwrap();
    let first = unread.frame().await.unwrap().unwrap();
    assert!(first.is_data());
    std::fs::write(&go, "go\n").unwrap();
    assert_eq!(
        leader.ended(&deploy).await.last_lines.last().unwrap(),
        "end"
    );
    // Of what it could not take meanwhile, it is told.
    let rest = unread.into_body().collect().await.unwrap().to_bytes();
    assert!(
        rest.windows(2).any(|pair| pair == b"d "),
        "nothing was dropped"
    );
    assert!(rest.len() < 6_000_000, "{}", rest.len());
}

/// The task can read from a pipe, named by `GO`, in which somebody writes later.
fn with_pipe(cluster: &Cluster, mut deploy: Deploy) -> (Deploy, PathBuf) {
    let go = cluster.path("go");
    let mode = rustix::fs::Mode::from_raw_mode(0o600);
    rustix::fs::mknodat(rustix::fs::CWD, &go, rustix::fs::FileType::Fifo, mode, 0).unwrap();
    deploy.env = vec![("GO".to_owned(), go.to_str().unwrap().to_owned())];
    (deploy, go)
}

#[tokio::test]
async fn logs_beyond_the_limit_go_oldest_first_and_their_ends_stay_in_the_blobs() {
    let (cluster, leader, _process) = Cluster::running(&["kept=2"]).await;
    let mut deploys = Vec::new();
    for number in 0..4 {
        let deploy = leader.shell(&format!("echo {number}"));
        leader.start(&deploy).await;
        leader.ended(&deploy).await;
        leader
            .told("its port is reserved again", |known| known.ports[0] != 0)
            .await;
        deploys.push(deploy);
    }
    for _ in 0..3000 {
        if !leader.has_log(&deploys[1]).await {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    let blobs = cluster.blobs(&leader).await;
    for (number, deploy) in deploys.iter().enumerate() {
        assert_eq!(leader.has_log(deploy).await, number >= 2, "{number}");
        let tail = stored_tail(&blobs, deploy).await;
        assert_eq!(tail, format!("{number}\n"));
    }
}

#[tokio::test]
async fn the_end_of_a_log_waits_for_blobs_that_are_away() {
    let (cluster, leader, _process) = Cluster::running(&[]).await;
    let (blobs, aside) = (cluster.path("blobs"), cluster.path("aside"));
    std::fs::rename(&blobs, &aside).unwrap();
    let deploy = leader.shell("echo hello; exit 1");
    leader.start(&deploy).await;
    leader.ended(&deploy).await;
    leader
        .told("the blobs are away", |known| !known.has_blobs)
        .await;
    std::fs::rename(&aside, &blobs).unwrap();
    leader
        .told("the blobs are back", |known| known.has_blobs)
        .await;
    let blobs = cluster.blobs(&leader).await;
    assert_eq!(stored_tail(&blobs, &deploy).await, "hello\n");
}

async fn stored_tail(blobs: &Blobs, deploy: &Deploy) -> String {
    let mut tail = None;
    for _ in 0..6000 {
        tail = blobs.log_tail(deploy.task, LOG_STREAM).await.ok();
        if tail.is_some() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    let tail = tail.expect("it is stored");
    String::from_utf8(tail.to_vec()).unwrap()
}

#[tokio::test]
async fn a_follower_hears_of_each_line_while_the_task_runs() {
    let (cluster, leader, _process) = Cluster::running(&[]).await;
    let go = cluster.path("go");
    let script = format!(
        "echo one; while [ ! -e {} ]; do sleep 0.01; done; echo two",
        go.display()
    );
    let deploy = leader.shell(&script);
    leader.run(&deploy).await;
    leader.printed(&deploy, "", |log| log == "one\n").await;
    let (log, ()) = tokio::join!(leader.log(&deploy, "offset=4&follow=true"), async {
        std::fs::write(&go, "").unwrap();
    });
    assert_eq!(log, "two\n");
}

#[tokio::test]
#[expect(clippy::print_stderr, reason = "skipped aloud")]
async fn a_full_disk_costs_log_lines_and_no_task() {
    let cluster = Cluster::new();
    let disk = cluster.path("disk");
    std::fs::create_dir(&disk).unwrap();
    let mounted = std::process::Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"])
        .arg(&disk)
        .status();
    if !mounted.is_ok_and(|status| status.success()) {
        eprintln!("SKIPPED: no file system may be mounted here");
        return;
    }
    let _unmounted = Unmount(disk.clone());
    let leader = cluster.leader().await;
    let process = cluster.task_manager_in(&disk, &[]);
    leader.registered().await;
    // The last line is printed again and again, as the disk may have no room for the first of them.
    let deploy = leader.shell("seq 1000000 1999999; while echo the end; do sleep 0.1; done");
    leader.run(&deploy).await;
    let is_end = |log: &str| log == "the end\n";
    leader.printed(&deploy, "tail=1", is_end).await;
    let log = leader.log(&deploy, "offset=0").await;
    assert!(log.starts_with("[0.."), "its beginning was given up");
    assert!(log.len() < 1024 * 1024);
    leader.end(&deploy, 0).await;
    let end = leader.ended(&deploy).await;
    assert_eq!(end.how, EndedHow::Ordered);
    assert_eq!(end.last_lines.last().unwrap(), "the end");
    drop(process);
}

struct Unmount(PathBuf);

impl Drop for Unmount {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount")
            .arg("--lazy")
            .arg(&self.0)
            .status();
    }
}

#[tokio::test]
async fn the_next_task_manager_stores_the_ends_of_logs_that_a_killed_one_left_and_tidies_up() {
    let (cluster, leader, mut process) = Cluster::running(&[]).await;
    let deploy = leader.shell("echo the last words; sleep 1000");
    leader.run(&deploy).await;
    leader.printed(&deploy, "", |log| !log.is_empty()).await;
    process.kill();
    let left = || std::fs::read_dir(cluster.path("work")).unwrap().count();
    assert_eq!(left(), 1);
    let _next = cluster.task_manager(&["name=another"]);
    let blobs = cluster.blobs(&leader).await;
    assert_eq!(stored_tail(&blobs, &deploy).await, "the last words\n");
    eventually("only its own directory is there", || {
        left() == 1 && log_files(&cluster).is_empty()
    })
    .await;
}

/// The files of all logs, with their sizes.
fn log_files(cluster: &Cluster) -> Vec<(PathBuf, u64)> {
    let mut found = Vec::new();
    let mut dirs = vec![cluster.path("work")];
    while let Some(dir) = dirs.pop() {
        for entry in std::fs::read_dir(dir).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                dirs.push(path);
            } else if path.extension().is_some_and(|extension| extension == "log") {
                let size = entry.metadata().map_or(0, |file| file.len());
                found.push((path, size));
            }
        }
    }
    found
}
