//! Leaders that are paused past their lease, and takeovers beside a TaskManager that is paused.

use rustix::process::Signal;

use super::running::{Cluster, gone, pid, task_pids, tasks};
use super::witness::{Witness, a_moment};
use crate::harness::{Place, kill, stop, until};

/// A leader whose orders for a paused TaskManager are on their way, and which is paused itself.
struct Held {
    cluster: Cluster,
    /// Of the job whose orders are on their way.
    witness: Witness,
    /// The tasks that ran before, which nothing may touch.
    steady: Vec<i32>,
    leader: i32,
    task_manager: i32,
}

impl Held {
    fn new() -> Self {
        let cluster = Cluster::with(Place::new(), &["--lease", "3s"]);
        cluster.run(&["--name", "steady"], "exec sleep 1000");
        let steady = cluster.running("steady", 1);
        let of_steady = cluster.node_of(&tasks(&steady)[0]);
        let mut task_managers = cluster.pids("task-manager").into_iter();
        let task_manager = task_managers.find(|pid| *pid != of_steady).unwrap();
        stop(task_manager);
        let witness = Witness::new(&cluster.place, "held");
        // Three tasks need both TaskManagers.
        cluster.run(&["--name", "held", "--tasks", "3"], &witness.sleeping());
        cluster.job("held", "is placed", |job| job["attempt"] == 1);
        until("the other TaskManager has begun", || {
            !witness.starts().is_empty()
        });
        let leader = cluster.leader();
        stop(leader);
        cluster.leader_after(leader);
        Self {
            witness,
            steady: task_pids(&steady),
            leader,
            task_manager,
            cluster,
        }
    }

    /// The paused ones go on: first the deposed leader, then who has its orders.
    fn go_on(&self) {
        kill(self.leader, Signal::CONT);
        a_moment(100);
        kill(self.task_manager, Signal::CONT);
    }

    fn assert_steady(&self) {
        let now = self.cluster.running("steady", 1);
        assert_eq!(task_pids(&now), self.steady);
        assert_eq!(now["restarts"], 0);
    }
}

#[test]
fn a_paused_leaders_orders_do_not_start_what_was_canceled_meanwhile() {
    let held = Held::new();
    held.cluster.ask(&["job", "cancel", "held"]).assert_code(0);
    held.go_on();
    held.cluster
        .job("held", "is canceled", |job| job["state"] == "canceled");
    held.assert_steady();
    until("none of its tasks runs", || held.witness.alive().is_empty());
    held.witness.assert_each_once();
    // All slots are free again.
    held.cluster
        .run(&["--name", "next", "--tasks", "3"], "exec sleep 1000");
    held.cluster.running("next", 1);
    assert!(held.witness.alive().is_empty());
    held.assert_steady();
}

#[test]
fn a_paused_leaders_orders_do_not_run_beside_the_next_attempt() {
    let held = Held::new();
    held.cluster.ask(&["job", "restart", "held"]).assert_code(0);
    held.go_on();
    let job = held.cluster.running("held", 2);
    held.witness.assert_never_two();
    let mut alive: Vec<_> = held.witness.alive().iter().map(|task| task.pid).collect();
    let mut expected = task_pids(&job);
    alive.sort_unstable();
    expected.sort_unstable();
    assert_eq!(alive, expected, "{:?}", held.witness.starts());
    held.assert_steady();
}

#[test]
fn takeovers_in_a_row_beside_a_paused_task_manager_restart_nothing() {
    let flags = ["--job-managers", "3", "--task-managers", "3"];
    let cluster = Cluster::with(Place::new(), &flags);
    cluster.run(
        &["--name", "fenced", "--tasks", "3", "--fenced"],
        "exec sleep 1000",
    );
    cluster.run(&["--name", "exclusive", "--tasks", "3"], "exec sleep 1000");
    let pids = ["fenced", "exclusive"].map(|job| task_pids(&cluster.running(job, 1)));
    for round in 0..3 {
        let paused = cluster.pids("task-manager")[round % 3];
        stop(paused);
        for _ in 0..3 {
            let leader = cluster.leader();
            kill(leader, Signal::KILL);
            cluster.leader_after(leader);
        }
        kill(paused, Signal::CONT);
        // Each task is reported to this term.
        let now = ["fenced", "exclusive"].map(|job| task_pids(&cluster.running(job, 1)));
        assert_eq!(now, pids);
    }
    for job in ["fenced", "exclusive"] {
        assert_eq!(cluster.show(job)["restarts"], 0);
    }
}

#[test]
fn a_leader_that_goes_on_after_its_lease_touches_nothing() {
    let cluster = Cluster::with(Place::new(), &["--lease", "3s"]);
    let witness = Witness::new(&cluster.place, "hello");
    cluster.run(&["--name", "hello", "--tasks", "4"], &witness.sleeping());
    let pids = task_pids(&cluster.running("hello", 1));
    let mut leader = cluster.leader();
    for _ in 0..2 {
        stop(leader);
        let next = cluster.leader_after(leader);
        assert_eq!(task_pids(&cluster.running("hello", 1)), pids);
        kill(leader, Signal::CONT);
        until(
            "the deposed one stands by or has been started again",
            || {
                let nodes = cluster.nodes();
                let managers = nodes.iter().filter(|node| node["kind"] == "job-manager");
                managers.filter(|node| node["state"] != "dead").count() == 2
            },
        );
        assert_eq!(cluster.leader(), next, "it does not lead again");
        assert_eq!(task_pids(&cluster.running("hello", 1)), pids);
        leader = next;
    }
    witness.assert_never_two();
    assert_eq!(witness.starts().len(), 4);
    cluster
        .ask(&["job", "cancel", "hello", "--wait"])
        .assert_code(0);
    gone("its tasks are gone", &pids);
    assert_ne!(pid(&cluster.view()["leader"]), 0);
}
