//! The story of the README, with real kills.

use rustix::process::Signal;

use super::running::{COUNT, Cluster, assert_gapless, gone, lines, pid, task_pids, tasks};
use crate::harness::{Place, kill, runs, until};

#[test]
fn the_first_screen_of_the_readme_is_true() {
    let cluster = Cluster::new();
    cluster.run(&["--name", "hello", "--tasks", "2"], COUNT);
    let first = cluster.running("hello", 1);
    let pids = task_pids(&first);
    let _log = cluster.follow("log", &["hello"]);
    until("both tasks are heard", || {
        (0..2).all(|rank| lines(&cluster, "log.out", rank, 1).len() > 10)
    });

    // The leading JobManager is killed: the log goes on, and the same processes run.
    let leader = pid(&cluster.view()["leader"]);
    let before = lines(&cluster, "log.out", 0, 1).len();
    kill(leader, Signal::KILL);
    until("the log goes on", || {
        lines(&cluster, "log.out", 0, 1).len() > before + 50
    });
    until("another one leads", || {
        let view = cluster.view();
        view["leader"]["pid"].is_number() && pid(&view["leader"]) != leader
    });
    let adopted = cluster.running("hello", 1);
    assert_eq!(task_pids(&adopted), pids, "nothing was restarted");
    assert!(adopted["epoch"].as_u64() > first["epoch"].as_u64());
    assert_eq!(adopted["restarts"], 0);
    assert!(!runs(leader));

    // A TaskManager is killed: its task is gone, and the next attempt begins.
    let task_manager = cluster.node_of(&tasks(&adopted)[0]);
    kill(task_manager, Signal::KILL);
    let second = cluster.running("hello", 2);
    gone("the old tasks are gone", &pids);
    assert_eq!(second["restarts"], 1);
    assert_eq!(second["cause"]["kind"], "node_died", "{second}");
    until("the second attempt is heard", || {
        (0..2).all(|rank| lines(&cluster, "log.out", rank, 2).len() > 10)
    });
    for rank in 0..2 {
        assert_gapless(&lines(&cluster, "log.out", rank, 1));
        assert_gapless(&lines(&cluster, "log.out", rank, 2));
    }

    let why = cluster.ask(&["job", "why", "hello"]).assert_code(0).out;
    assert!(why.contains("hello runs: attempt 2, 2/2 tasks"), "{why}");
    let node = adopted["tasks"][0]["node"].as_str().unwrap();
    assert!(why.contains(node), "{node} in {why}");

    let canceled = cluster
        .ask(&["job", "cancel", "hello", "--wait"])
        .assert_code(0);
    assert!(
        canceled.out.contains("hello was canceled"),
        "{}",
        canceled.out
    );
    gone("its tasks are gone", &task_pids(&second));
    assert_eq!(cluster.show("hello")["state"], "canceled");
    until("the killed ones are back", || {
        cluster.pids("job-manager").len() == 2 && cluster.pids("task-manager").len() == 2
    });
}

#[test]
fn the_leader_server_is_a_store_for_a_cluster_too() {
    let place = Place::new();
    let data = place.path("data").display().to_string();
    let serve = ["serve", "--listen", "127.0.0.1:0", "--data-dir", &data];
    let _server = place.start("server", place.incumbent(&serve));
    let address = format!("{}/town", place.noted("server.out"));
    let cluster = Cluster::with(place, &["--ha", &address]);
    cluster.run(&["--name", "hello", "--tasks", "2"], COUNT);
    let first = cluster.running("hello", 1);
    // Other machines may have TaskManagers of the same number.
    let node = first["tasks"][0]["node"].as_str().unwrap();
    assert!(node.contains("-tm-"), "{node}");
    kill(pid(&cluster.view()["leader"]), Signal::KILL);
    let adopted = cluster.running("hello", 1);
    assert_eq!(task_pids(&adopted), task_pids(&first));
    assert!(adopted["epoch"].as_u64() > first["epoch"].as_u64());
    kill(cluster.node_of(&tasks(&adopted)[0]), Signal::KILL);
    cluster.running("hello", 2);
    gone("the old tasks are gone", &task_pids(&first));
}
