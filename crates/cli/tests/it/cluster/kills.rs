//! Leading JobManagers killed with -9: often, and between any two steps of what they do.

use rustix::process::Signal;

use super::running::{COUNT, Cluster, assert_gapless, get, gone, lines, task_pids};
use super::witness::{Witness, a_moment, now};
use crate::harness::{Place, kill, runs, until};

/// How many leaders are killed under a running job. `CLUSTER_KILLS=100` kills a hundred.
const KILLS: usize = 10;

/// Pauses between a request and the kill, in milliseconds: from before anything is done to after
/// all of it.
const DELAYS: [u64; 4] = [0, 4, 12, 40];

fn kills() -> usize {
    let named = std::env::var("CLUSTER_KILLS").ok();
    named.map_or(KILLS, |number| number.parse().unwrap())
}

#[test]
fn killed_leaders_cost_a_running_job_nothing() {
    let flags = ["--job-managers", "3", "--task-managers", "3"];
    let cluster = Cluster::with(Place::new(), &flags);
    let job = cluster.run(&["--name", "hello", "--tasks", "4"], COUNT);
    let path = format!("/v1/jobs/{}", job["id"].as_str().unwrap());
    let pids = task_pids(&cluster.running("hello", 1));
    let _log = cluster.follow("log", &["hello"]);
    let heard = |count: usize| (0..4).all(|rank| lines(&cluster, "log.out", rank, 1).len() > count);
    until("all tasks are heard", || heard(0));

    let mut answers = Vec::new();
    let mut leader = cluster.leader();
    for _ in 0..kills() {
        // `up` takes its time to start again what dies often; that is not what is measured.
        until("another one stands by", || {
            let managers = cluster.pids("job-manager").into_iter();
            managers.filter(|pid| runs(*pid)).count() >= 2
        });
        kill(leader, Signal::KILL);
        let asked = now();
        let job = get(&cluster.url, &path).expect("it is answered");
        answers.push(asked.elapsed());
        assert_eq!(job["state"], "running", "{job}");
        leader = cluster.leader_after(leader);
        let adopted = cluster.running("hello", 1);
        assert_eq!(task_pids(&adopted), pids, "nothing was restarted");
        assert_eq!(adopted["restarts"], 0);
    }
    let before = lines(&cluster, "log.out", 0, 1).len();
    until("the log goes on", || heard(before + 20));
    for rank in 0..4 {
        assert_gapless(&lines(&cluster, "log.out", rank, 1));
    }
    answers.sort();
    let median = answers[answers.len() / 2];
    // Shown; the benchmarks measure it.
    eprintln!(
        "answered after a kill: median {median:.0?}, worst {:.0?}",
        answers[answers.len() - 1]
    );
}

/// A cluster with JobManagers to spare while others are started again.
fn with_many_leaders() -> Cluster {
    Cluster::with(Place::new(), &["--job-managers", "4"])
}

#[test]
fn what_was_acknowledged_runs_once_whenever_the_leader_is_killed() {
    let cluster = with_many_leaders();
    for (number, delay) in DELAYS.into_iter().enumerate() {
        let name = format!("acknowledged-{number}");
        let witness = Witness::new(&cluster.place, &name);
        cluster.run(&["--name", &name, "--tasks", "2"], &witness.sleeping());
        a_moment(delay);
        cluster.kill_leader();
        // It was placed or was not. A rank that was placed and never started is started.
        let job = cluster.running(&name, 1);
        assert_eq!(job["restarts"], 0, "{job}");
        let canceled = cluster.ask(&["job", "cancel", &name, "--wait"]);
        canceled.assert_code(0);
        gone("its tasks are gone", &task_pids(&job));
        assert_eq!(witness.starts().len(), 2, "{:?}", witness.starts());
        witness.assert_never_two();
    }
}

#[test]
fn a_submission_is_answered_although_the_leader_is_killed_meanwhile() {
    let cluster = with_many_leaders();
    for (number, delay) in DELAYS.into_iter().enumerate() {
        let name = format!("submitted-{number}");
        let witness = Witness::new(&cluster.place, &name);
        let script = witness.sleeping();
        let run = ["job", "run", "--name", &name, "--", "sh", "-c", &script];
        let mut asking = cluster.asking(&name, &run);
        a_moment(delay);
        cluster.kill_leader();
        assert_eq!(asking.code(), Some(0), "{}", asking.log());
        cluster.running(&name, 1);
        cluster
            .ask(&["job", "cancel", &name, "--wait"])
            .assert_code(0);
        assert_eq!(witness.starts().len(), 1);
    }
    let listed = cluster.ask(&["job", "ls"]).assert_code(0).out;
    assert_eq!(
        listed.lines().count(),
        DELAYS.len(),
        "one job each: {listed}"
    );
}

#[test]
fn a_restart_that_the_leader_does_not_survive_doubles_nothing() {
    let cluster = with_many_leaders();
    let witness = Witness::new(&cluster.place, "again");
    cluster.run(&["--name", "again", "--tasks", "3"], &witness.sleeping());
    let mut attempt = 1;
    for (number, delay) in DELAYS.into_iter().enumerate() {
        let old = task_pids(&cluster.running("again", attempt));
        let mut asking = cluster.asking(&format!("restart-{number}"), &["job", "restart", "again"]);
        a_moment(delay);
        cluster.kill_leader();
        match asking.code() {
            Some(0) => {
                cluster.job("again", "is in a later attempt", |job| {
                    job["state"] == "running" && job["attempt"].as_u64() > Some(attempt)
                });
            }
            // Whether it was restarted is not known to who asked; the job runs in any case.
            Some(5) => {}
            code => panic!("{code:?}: {}", asking.log()),
        }
        let now = cluster.job("again", "runs", |job| {
            let tasks = job["tasks"].as_array().unwrap();
            job["state"] == "running" && tasks.iter().all(|task| task["state"] == "running")
        });
        attempt = now["attempt"].as_u64().unwrap();
        if task_pids(&now) != old {
            gone("the old attempt is gone", &old);
        }
        assert_eq!(witness.alive().len(), 3, "{:?}", witness.alive());
    }
    witness.assert_never_two();
}

#[test]
fn a_cancel_that_the_leader_does_not_survive_is_carried_out() {
    let cluster = with_many_leaders();
    for (number, delay) in DELAYS.into_iter().enumerate() {
        let name = format!("canceled-{number}");
        let witness = Witness::new(&cluster.place, &name);
        cluster.run(&["--name", &name, "--tasks", "2"], &witness.sleeping());
        cluster.running(&name, 1);
        let mut asking = cluster.asking(&format!("cancel-{number}"), &["job", "cancel", &name]);
        a_moment(delay);
        cluster.kill_leader();
        assert_eq!(asking.code(), Some(0), "{}", asking.log());
        cluster.job(&name, "is canceled", |job| job["state"] == "canceled");
        until("its tasks are gone", || witness.alive().is_empty());
        assert_eq!(witness.starts().len(), 2, "nothing was started again");
    }
}
