//! What a task starts with, and why it does not.

use std::net::TcpListener;
use std::time::Instant;

use incumbent_cluster_core::message::{Command, EndedHow};

use super::harness::Cluster;

#[tokio::test]
async fn a_task_has_an_empty_environment_but_for_what_it_is_given() {
    let (_cluster, leader, _process) = Cluster::running(&[]).await;
    let mut deploy = leader.shell("echo \"$PWD $TMPDIR\"; exec env");
    deploy.env = vec![
        ("GREETING".to_owned(), "hello world".to_owned()),
        ("INCUMBENT_RANK".to_owned(), "99".to_owned()),
    ];
    leader.start(&deploy).await;
    let log = leader.log(&deploy, "follow=true").await;
    let (first, env) = log.split_once('\n').unwrap();
    let (pwd, tmpdir) = first.split_once(' ').unwrap();
    assert_eq!(pwd, tmpdir, "its own directory");
    let mut names: Vec<&str> = env
        .lines()
        .map(|line| line.split_once('=').unwrap().0)
        // The shell's own.
        .filter(|name| !["PWD", "OLDPWD", "SHLVL", "_"].contains(name))
        .collect();
    names.sort_unstable();
    let expected = [
        "GREETING",
        "HOME",
        "INCUMBENT_ATTEMPT",
        "INCUMBENT_JOB",
        "INCUMBENT_PEERS",
        "INCUMBENT_PORT",
        "INCUMBENT_RANK",
        "INCUMBENT_TASKS",
        "INCUMBENT_TASK_SOCKET",
        "LANG",
        "PATH",
        "TMPDIR",
    ];
    assert_eq!(names, expected);
    for line in [
        "GREETING=hello world".to_owned(),
        "INCUMBENT_RANK=0".to_owned(),
        "INCUMBENT_ATTEMPT=1".to_owned(),
        "INCUMBENT_TASKS=1".to_owned(),
        format!("INCUMBENT_JOB={}", deploy.task.job),
        format!("INCUMBENT_PORT={}", deploy.port),
        format!("INCUMBENT_PEERS=127.0.0.1:{}", deploy.port),
    ] {
        assert!(env.lines().any(|found| found == line), "{line} in {env}");
    }
}

#[tokio::test]
async fn a_task_has_the_descriptors_0_to_2_and_reads_nothing() {
    let (_cluster, leader, _process) = Cluster::running(&[]).await;
    let deploy = leader.shell("ls /proc/$$/fd; readlink /proc/$$/fd/0; wc -c");
    leader.start(&deploy).await;
    let log = leader.log(&deploy, "follow=true").await;
    assert_eq!(log, "0\n1\n2\n/dev/null\n0\n");
}

#[tokio::test]
async fn a_task_may_have_a_lower_limit_of_open_files_than_its_task_manager() {
    let (_cluster, leader, _process) = Cluster::running(&["files=77"]).await;
    let deploy = leader.shell("ulimit -Sn");
    leader.start(&deploy).await;
    assert_eq!(leader.log(&deploy, "follow=true").await, "77\n");
}

#[tokio::test]
async fn a_gang_of_many_starts_side_by_side() {
    let (_cluster, leader, _process) = Cluster::running(&["slots=60"]).await;
    let ports = leader.known().ports;
    let mut deploys = Vec::new();
    for (slot, port) in (0..).zip(ports) {
        let mut deploy = leader.deploy(&["sleep", "1000"]);
        (deploy.slot, deploy.port) = (slot, port);
        leader.start(&deploy).await;
        deploys.push(deploy);
    }
    let mut pids = Vec::new();
    for deploy in &deploys {
        pids.push(leader.running(deploy).await);
    }
    pids.sort_unstable();
    pids.dedup();
    assert_eq!(pids.len(), deploys.len());
}

#[tokio::test]
async fn what_cannot_be_started_says_why_and_what_to_do() {
    let (cluster, leader, _process) = Cluster::running(&[]).await;
    let missing = leader.deploy(&["no-such-program"]);
    leader.start(&missing).await;
    let why = leader.not_started(&missing).await;
    assert!(why.contains("no program \"no-such-program\""), "{why}");

    let file = cluster.path("plain");
    std::fs::write(&file, "text").unwrap();
    let plain = leader.deploy(&[file.to_str().unwrap()]);
    leader.start(&plain).await;
    let why = leader.not_started(&plain).await;
    assert!(why.contains("cannot be executed"), "{why}");

    let mut no_secret = leader.deploy(&["true"]);
    no_secret.env_files = vec![("TOKEN".to_owned(), "/no/such/file".to_owned())];
    leader.start(&no_secret).await;
    let why = leader.not_started(&no_secret).await;
    assert!(
        why.contains("/no/such/file") && why.contains("TOKEN"),
        "{why}"
    );
}

#[tokio::test]
async fn a_secret_comes_from_a_file_of_the_machine() {
    let (cluster, leader, _process) = Cluster::running(&[]).await;
    let file = cluster.path("secret");
    std::fs::write(&file, "hunter2\n").unwrap();
    let mut deploy = leader.shell("echo \"$TOKEN\"");
    deploy.env_files = vec![("TOKEN".to_owned(), file.to_str().unwrap().to_owned())];
    leader.start(&deploy).await;
    assert_eq!(leader.log(&deploy, "follow=true").await, "hunter2\n");
}

#[tokio::test]
async fn a_reserved_port_is_the_tasks_alone_and_reserved_again_afterwards() {
    let (_cluster, leader, _process) = Cluster::running(&[]).await;
    let port = leader.known().ports[0];
    let deploy = leader.deploy(&["sleep", "1000"]);
    TcpListener::bind(("127.0.0.1", port)).expect_err("it is reserved");
    leader.run(&deploy).await;
    drop(TcpListener::bind(("127.0.0.1", port)).expect("nobody else has it while the task runs"));
    leader.end(&deploy, 0).await;
    leader.ended(&deploy).await;
    let is_reserved = || TcpListener::bind(("127.0.0.1", port)).is_err();
    super::harness::eventually("it is reserved again", is_reserved).await;
}

#[tokio::test]
async fn a_port_that_was_taken_is_said_and_another_one_reported() {
    let (_cluster, leader, _process) = Cluster::running(&[]).await;
    let port = leader.known().ports[0];
    let first = leader.deploy(&["sleep", "1000"]);
    leader.run(&first).await;
    let stranger = TcpListener::bind(("127.0.0.1", port)).unwrap();
    leader.end(&first, 0).await;
    leader.ended(&first).await;
    let other = |known: &super::harness::Known| known.ports.first().is_some_and(|&at| at != port);
    leader.told("another port is reported", other).await;

    // An order that was given before that was heard.
    let mut late = leader.deploy(&["sleep", "1000"]);
    late.port = port;
    leader.start(&late).await;
    let why = leader.not_started(&late).await;
    assert!(why.contains(&format!("port {port}")), "{why}");
    drop(stranger);
}

#[tokio::test]
async fn an_order_that_comes_twice_starts_one_process() {
    let (_cluster, leader, _process) = Cluster::running(&[]).await;
    let deploy = leader.shell("echo started; sleep 1000");
    let pid = leader.run(&deploy).await;
    leader.start(&deploy).await;
    leader.printed(&deploy, "", |log| !log.is_empty()).await;
    leader.end(&deploy, 0).await;
    assert_eq!(leader.ended(&deploy).await.how, EndedHow::Ordered);
    assert_eq!(leader.log(&deploy, "follow=true").await, "started\n");
    assert!(!super::harness::runs(pid));
    leader
        .order(Command::Forget {
            tasks: vec![deploy.task],
        })
        .await;
}

#[tokio::test]
#[expect(
    clippy::disallowed_methods,
    reason = "a figure, shown and not compared"
)]
#[expect(clippy::print_stderr, reason = "a figure, shown and not compared")]
async fn from_the_order_to_the_process_takes_milliseconds() {
    let (_cluster, leader, _process) = Cluster::running(&["slots=20"]).await;
    let ports = leader.known().ports;
    let mut took = Vec::new();
    for (slot, port) in (0..).zip(ports) {
        let mut deploy = leader.deploy(&["sleep", "1000"]);
        (deploy.slot, deploy.port) = (slot, port);
        let begun = Instant::now();
        leader.run(&deploy).await;
        took.push(begun.elapsed());
    }
    took.sort_unstable();
    let median = took[took.len() / 2];
    eprintln!("order to report of running: {median:?}");
}
