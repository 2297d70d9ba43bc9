//! TaskManagers that are killed or paused: who moves at once, who waits, and what an old task may
//! do.

use std::time::Duration;

use rustix::process::Signal;

use super::running::{Cluster, gone, task_pids, tasks};
use super::witness::{Witness, now};
use crate::harness::{Place, kill, runs, stop, until};

#[test]
fn the_tasks_of_a_killed_task_manager_begin_anew_at_once_by_proof_of_death() {
    let cluster = Cluster::new();
    let jobs = [("exclusive", &[][..]), ("fenced", &["--fenced"])];
    let witnesses = jobs.map(|(job, flags)| {
        let witness = Witness::new(&cluster.place, job);
        let flags = [&["--name", job, "--tasks", "2"], flags].concat();
        cluster.run(&flags, &witness.sleeping());
        witness
    });
    let mut attempts = [1, 1];
    for _ in 0..2 {
        let before = [0, 1].map(|at| cluster.running(jobs[at].0, attempts[at]));
        let killed = cluster.node_of(&tasks(&before[0])[0]);
        let hit = before.clone().map(|job| {
            let of = |task| cluster.node_of(task) == killed;
            tasks(&job).iter().any(of)
        });
        kill(killed, Signal::KILL);
        let since = now();
        for at in [0, 1].into_iter().filter(|at| hit[*at]) {
            attempts[at] += 1;
            let after = cluster.running(jobs[at].0, attempts[at]);
            // Without the proof it would be its silence.
            assert_eq!(after["cause"]["kind"], "node_died", "{after}");
            gone("the old tasks are gone", &task_pids(&before[at]));
        }
        let took = since.elapsed();
        eprintln!(
            "after a kill of a TaskManager the new attempt runs, as seen by `job show`: {took:.0?}"
        );
        until("the killed one is back", || {
            cluster.pids("task-manager").len() == 2
        });
    }
    // The one that may overlap does not either: its old tasks had ended with their TaskManager.
    for witness in &witnesses {
        witness.assert_each_once();
    }
    witnesses[0].assert_never_two();
}

#[test]
fn a_paused_task_manager_keeps_exclusive_tasks_and_loses_fenced_ones() {
    let flags = ["--task-managers", "1", "--slots", "4", "--lease", "3s"];
    let cluster = Cluster::with(Place::new(), &flags);
    let witness = |job: &str| Witness::new(&cluster.place, job);
    let [fenced, brief, patient] = ["fenced", "brief", "patient"].map(witness);
    cluster.run(
        &["--name", "fenced", "--tasks", "2", "--fenced"],
        &fenced.sleeping(),
    );
    cluster.run_file("brief", &brief.sleeping(), "isolation-timeout = \"3s\"");
    cluster.run(&["--name", "patient"], &patient.sleeping());
    let [old_fenced, old_brief, old_patient] =
        ["fenced", "brief", "patient"].map(|job| task_pids(&cluster.running(job, 1)));
    let paused = cluster.pids("task-manager")[0];
    let _other = cluster.task_manager("other", &["--slots", "4"]);

    stop(paused);
    let since = now();
    // The guard ends it at the timeout, although the TaskManager cannot; then it moves.
    let moved = cluster.running("brief", 2);
    assert!(
        since.elapsed() > Duration::from_secs(2),
        "{:?}",
        since.elapsed()
    );
    assert_eq!(moved["tasks"][0]["node"], "other");
    assert!(!runs(old_brief[0]));
    brief.assert_never_two();
    // After 10 s of silence, although the old ones run.
    let moved = cluster.running("fenced", 2);
    assert!(tasks(&moved).iter().all(|task| task["node"] == "other"));
    assert!(old_fenced.iter().all(|pid| runs(*pid)));
    let moved = task_pids(&moved);
    // Nothing is known of it, and 5 min are not over.
    assert_eq!(patient.starts().len(), 1);
    assert!(runs(old_patient[0]));
    let why = cluster.ask(&["job", "why", "patient"]).assert_code(0).out;
    assert!(why.contains("tm-1"), "the silent one is named: {why}");

    kill(paused, Signal::CONT);
    gone("the old fenced tasks are ended", &old_fenced);
    assert_eq!(task_pids(&cluster.running("patient", 1)), old_patient);
    assert_eq!(task_pids(&cluster.running("fenced", 2)), moved);
    cluster.running("brief", 2);
    for (witness, starts) in [(&fenced, 4), (&brief, 2), (&patient, 1)] {
        witness.assert_each_once();
        assert_eq!(witness.starts().len(), starts);
    }
}
