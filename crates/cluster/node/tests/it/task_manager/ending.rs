//! How tasks end, and that everything of them ends.

use std::net::TcpStream;

use incumbent_cluster_core::message::{Command, EndedHow, TaskState};
use rustix::process::{Signal, getpid, set_child_subreaper};

use super::harness::{Cluster, eventually, kill, parent, runs, state};

#[tokio::test]
async fn the_end_of_a_task_says_how_and_what_it_printed_last() {
    let (_cluster, leader, _process) = Cluster::running(&[]).await;
    let failing = leader.shell("seq 1 100; echo oh no >&2; exit 3");
    leader.start(&failing).await;
    let end = leader.ended(&failing).await;
    assert_eq!(end.how, EndedHow::Exited { code: 3 });
    assert_eq!(end.last_lines.len(), 20);
    assert_eq!(end.last_lines.last().unwrap(), "oh no");
    assert_eq!(end.last_lines[0], "82");

    let killed = leader.deploy(&["sleep", "1000"]);
    kill(leader.run(&killed).await, Signal::KILL);
    let end = leader.ended(&killed).await;
    assert_eq!(end.how, EndedHow::Signaled { signal: 9 });
}

#[tokio::test]
async fn a_task_that_ignores_sigterm_forks_and_daemonizes_is_gone_when_its_end_is_reported() {
    let (cluster, leader, _process) = Cluster::running(&[]).await;
    let pids = cluster.path("pids");
    let script = format!(
        "trap '' TERM
        sleep 1000 & echo $! >> {pids}
        setsid sh -c 'trap \"\" TERM; echo $$ >> {pids}; while :; do sleep 1000; done' &
        (setsid sh -c 'sh -c \"echo \\$\\$ >> {pids}; while :; do sleep 1000; done\" & exit' &)
        while [ $(wc -l < {pids}) -lt 3 ]; do sleep 0.01; done
        echo ready
        while :; do sleep 1000; done",
        pids = pids.display()
    );
    let deploy = leader.shell(&script);
    let pid = leader.run(&deploy).await;
    eventually("all have begun", || {
        std::fs::read_to_string(&pids).is_ok_and(|text| text.lines().count() == 3)
    })
    .await;
    let text = std::fs::read_to_string(&pids).unwrap();
    let family: Vec<i32> = text.lines().map(|line| line.parse().unwrap()).collect();
    assert!(family.iter().all(|&pid| runs(pid)));
    leader.end(&deploy, 100).await;
    assert_eq!(leader.ended(&deploy).await.how, EndedHow::Ordered);
    let left: Vec<&i32> = family
        .iter()
        .chain([&pid])
        .filter(|&&pid| runs(pid))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
async fn a_task_has_its_grace() {
    let (_cluster, leader, _process) = Cluster::running(&[]).await;
    let deploy =
        leader.shell("trap 'echo asked; exit 0' TERM; echo ready; while :; do sleep 0.01; done");
    leader.run(&deploy).await;
    leader.printed(&deploy, "", |log| log == "ready\n").await;
    leader.end(&deploy, 60_000).await;
    let end = leader.ended(&deploy).await;
    assert_eq!(end.how, EndedHow::Ordered, "not its own exit");
    assert_eq!(end.last_lines.last().unwrap(), "asked");
}

#[tokio::test]
async fn the_end_of_a_killed_task_manager_ends_its_tasks_before_its_liveness_port_refuses() {
    let (_cluster, leader, mut process) = Cluster::running(&[]).await;
    let liveness = leader.known().info.unwrap().liveness.unwrap();
    let mut tasks = Vec::new();
    for slot in 0..2 {
        let mut deploy = leader.shell("trap '' TERM; setsid sleep 1000 & echo $!; wait");
        (deploy.slot, deploy.port) = (slot, leader.known().ports[slot as usize]);
        tasks.push(leader.run(&deploy).await);
        let orphan = leader.printed(&deploy, "", |log| log.ends_with('\n')).await;
        tasks.push(orphan.trim().parse().unwrap());
    }
    let connected = || TcpStream::connect(&liveness.address);
    let is_refused =
        || connected().is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionRefused);
    connected().unwrap();
    // Without a new parent in this session, the kernel would continue the stopped guard.
    set_child_subreaper(Some(getpid())).unwrap();
    let guard = parent(tasks[0]);
    kill(guard, Signal::STOP);
    eventually("a guard is stopped", || state(guard) == Some('T')).await;
    process.kill();
    eventually("the other task is gone", || !runs(tasks[2])).await;
    assert!(runs(tasks[0]));
    connected().expect("the stopped guard holds the socket");

    kill(guard, Signal::CONT);
    eventually("the liveness port refuses", is_refused).await;
    let left: Vec<&i32> = tasks.iter().filter(|&&pid| runs(pid)).collect();
    assert!(left.is_empty(), "{left:?} of {tasks:?}");
}

#[tokio::test]
async fn a_task_that_was_never_there_can_be_ended_and_is_never_started() {
    let (_cluster, leader, _process) = Cluster::running(&[]).await;
    let deploy = leader.deploy(&["sleep", "1000"]);
    leader.end(&deploy, 0).await;
    leader.ended(&deploy).await;
    leader
        .order(Command::Deploy(Box::new(deploy.clone())))
        .await;
    let state = leader.known().tasks.get(&deploy.task).cloned();
    assert!(matches!(state, Some(TaskState::Ended(_))), "{state:?}");
}
