//! The store is gone for longer than the lease: nobody leads, and tasks go on.

use std::fs;

use rustix::process::Signal;

use super::running::{Cluster, gone, task_pids};
use super::witness::Witness;
use crate::harness::{Place, kill, runs, stop, until};

/// Three jobs: what an outage may do to each is different.
struct Jobs {
    witnesses: [Witness; 3],
    pids: [Vec<i32>; 3],
}

const NAMES: [&str; 3] = ["fenced", "patient", "brief"];

impl Jobs {
    fn new(cluster: &Cluster) -> Self {
        let witnesses = NAMES.map(|job| Witness::new(&cluster.place, job));
        cluster.run(&["--name", "fenced", "--fenced"], &witnesses[0].sleeping());
        cluster.run(&["--name", "patient"], &witnesses[1].sleeping());
        let settings = "isolation-timeout = \"4s\"";
        cluster.run_file("brief", &witnesses[2].sleeping(), settings);
        let pids = NAMES.map(|job| task_pids(&cluster.running(job, 1)));
        Self { witnesses, pids }
    }

    /// Waits until nobody can lead any more, and the one that isolates itself early has done so.
    fn wait_out(&self, cluster: &Cluster) {
        cluster.up.logged("leadership lost");
        gone("the isolated task is ended", &self.pids[2]);
        assert!(self.pids[..2].iter().flatten().all(|pid| runs(*pid)));
    }

    fn assert_healed(&self, cluster: &Cluster) {
        for (name, pids) in NAMES.iter().zip(&self.pids).take(2) {
            let now = cluster.running(name, 1);
            assert_eq!(&task_pids(&now), pids);
            assert_eq!(now["restarts"], 0);
        }
        let again = cluster.running("brief", 2);
        assert_eq!(again["cause"]["kind"], "isolated", "{again}");
        for witness in &self.witnesses {
            witness.assert_never_two();
        }
    }
}

#[test]
fn tasks_go_on_while_the_leader_server_hangs() {
    let place = Place::new();
    let mut serve = place.incumbent(&["serve", "--listen", "127.0.0.1:0"]);
    serve.arg("--data-dir").arg(place.path("data"));
    let store = place.start("store", serve);
    let ha = format!("{}/cluster", place.noted("store.out"));
    let cluster = Cluster::with(place, &["--ha", &ha, "--lease", "3s"]);
    let jobs = Jobs::new(&cluster);
    stop(store.pid());
    jobs.wait_out(&cluster);
    kill(store.pid(), Signal::CONT);
    jobs.assert_healed(&cluster);
}

#[test]
fn tasks_go_on_while_the_directory_of_the_store_is_away() {
    let cluster = Cluster::with(Place::new(), &["--lease", "3s"]);
    let jobs = Jobs::new(&cluster);
    let (here, away) = (
        cluster.place.path("cluster/ha"),
        cluster.place.path("cluster/ha-away"),
    );
    fs::rename(&here, &away).unwrap();
    // A directory would be taken for a new store.
    fs::write(&here, "away").unwrap();
    jobs.wait_out(&cluster);
    fs::remove_file(&here).unwrap();
    fs::rename(&away, &here).unwrap();
    until("somebody leads", || {
        cluster.view()["leader"]["pid"].is_number()
    });
    jobs.assert_healed(&cluster);
}
