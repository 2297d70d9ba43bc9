//! A storm: random faults on every process of a cluster, and what its owner wants meanwhile.
//!
//! The store is our leader server, whose process is struck as well. What a fault ends is started
//! again: by `up`, and here.

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use incumbent_servers::postgres::Postgres;
use rustix::process::Signal;
use serde_json::Value;

use super::running::{get, pid, tasks};
use super::witness::{a_moment, now};
use crate::harness::{Done, Node, Place, finished, free_port, kill, parent, runs, until};

/// Longest time for which a process is stopped: longer than the silence after which a TaskManager
/// counts as gone (10 s), and than the lease.
const LONGEST_STOP_MS: u64 = 13_000;

/// Most processes that are stopped at a time: a cluster that stands still as a whole proves little.
const MOST_STOPPED: usize = 2;

/// Far longer than a checkpoint takes after any fault, also on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(300);

/// What is struck.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Target {
    Leader,
    Standby,
    TaskManager,
    Guard,
    Task,
    Store,
    Up,
    Database,
}

/// The processes that are stopped. A thread of its own lets each go on: what waits for an answer of
/// one of them must not be what would let it go on.
type Stopped = Arc<Mutex<Vec<i32>>>;

/// A cluster in a storm.
pub(super) struct Storm {
    random: u64,
    pub(super) url: String,
    ha: String,
    store: Node,
    up: Node,
    /// Where the job writes rows, if it does.
    pub(super) database: Option<Arc<Postgres>>,
    /// Those that are stopped now.
    stopped: Stopped,
    /// How often each was killed, and stopped.
    pub(super) struck: BTreeMap<(Target, &'static str), usize>,
    /// Dropped last.
    pub(super) place: Place,
}

impl Storm {
    /// Three JobManagers, three TaskManagers of two slots.
    pub(super) fn new(seed: u64) -> Self {
        let place = Place::new();
        let (store_port, port) = (free_port(), free_port());
        let ha = format!("zookeeper://127.0.0.1:{store_port}/cluster");
        let store = place.start("store", serve(&place, &ha));
        let up = place.start("up", up(&place, &ha, port));
        let storm = Self {
            random: seed,
            url: format!("http://127.0.0.1:{port}"),
            ha,
            store,
            up,
            database: None,
            stopped: Stopped::default(),
            struck: Default::default(),
            place,
        };
        until("all nodes are there", || {
            storm.pids("task-manager").len() == 3 && storm.pids("job-manager").len() == 3
        });
        storm
    }

    /// A number below `most`.
    pub(super) fn draw(&mut self, most: u64) -> u64 {
        // SplitMix64.
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.random;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % most
    }

    /// Asks once; a cluster in a storm may not answer.
    pub(super) fn ask(&self, args: &[&str]) -> Done {
        let mut command = self.place.incumbent(args);
        command.env("INCUMBENT_CLUSTER", &self.url);
        finished(command)
    }

    /// The job, once somebody answers.
    pub(super) fn show(&mut self, job: &str) -> Value {
        let began = now();
        loop {
            self.tend();
            let shown = self.ask(&["job", "show", job]);
            if shown.code == Some(0) {
                return shown.json();
            }
            assert!(began.elapsed() < PATIENCE, "{} {}", shown.out, shown.err);
        }
    }

    /// Starts again what ended.
    pub(super) fn tend(&mut self) {
        if !self.store.is_running() {
            self.store = self.place.start("store", serve(&self.place, &self.ha));
        }
        if !self.up.is_running() {
            let port = self.url.rsplit(':').next().unwrap().parse().unwrap();
            self.up = self.place.start("up", up(&self.place, &self.ha, port));
        }
    }

    /// A moment, so that faults strike in different states.
    pub(super) fn pause(&mut self) {
        let millis = self.draw(1_200);
        a_moment(millis);
    }

    /// Every other time, waits until the job has got further than this: a storm in which nothing
    /// ever moves would prove nothing, and one that stops a job for good is a fault.
    pub(super) fn go_on(&mut self, job: &str, since: &Value) {
        if self.draw(2) == 0 {
            return;
        }
        let began = now();
        loop {
            let view = self.show(job);
            let is_further = view["checkpoint"]["number"].as_u64()
                > since["checkpoint"]["number"].as_u64()
                || view["state"] != since["state"];
            if is_further {
                return;
            }
            assert!(
                began.elapsed() < PATIENCE,
                "the job does not go on: {view:#}"
            );
            a_moment(100);
        }
    }

    /// Everything goes on.
    pub(super) fn calm(&mut self) {
        for pid in self.stopped.lock().unwrap().drain(..) {
            kill(pid, Signal::CONT);
        }
        self.tend();
    }

    /// Strikes one process at random, if one of the drawn kind is there.
    pub(super) fn strike(&mut self, job: &str) -> bool {
        self.tend();
        let target = match self.draw(100) {
            0..25 => Target::Leader,
            25..30 => Target::Standby,
            30..55 => Target::TaskManager,
            55..60 => Target::Guard,
            60..85 => Target::Task,
            85..95 => Target::Store,
            95..98 => Target::Up,
            _ => Target::Database,
        };
        if target == Target::Database {
            return self.strike_database();
        }
        let found = self.find(target, job);
        let Some(pid) = found.filter(|pid| runs(*pid)) else {
            return false;
        };
        // A guard that is killed by hand voids what it promises: it is only stopped.
        let is_kill = target != Target::Guard && self.draw(3) > 0;
        if is_kill {
            kill(pid, Signal::KILL);
        } else {
            if self.stopped.lock().unwrap().len() >= MOST_STOPPED {
                return false;
            }
            let most = if self.draw(4) == 0 {
                LONGEST_STOP_MS
            } else {
                1_500
            };
            let millis = 50 + self.draw(most);
            self.stop(pid, millis);
        }
        let how = if is_kill { "killed" } else { "stopped" };
        *self.struck.entry((target, how)).or_default() += 1;
        true
    }

    /// Kills the server and starts it again: what was on its way is answered to nobody.
    fn strike_database(&mut self) -> bool {
        let Some(database) = &self.database else {
            return false;
        };
        database.restart();
        *self.struck.entry((Target::Database, "killed")).or_default() += 1;
        true
    }

    fn stop(&self, pid: i32, millis: u64) {
        self.stopped.lock().unwrap().push(pid);
        kill(pid, Signal::STOP);
        let stopped = Arc::clone(&self.stopped);
        std::thread::spawn(move || {
            a_moment(millis);
            kill(pid, Signal::CONT);
            stopped.lock().unwrap().retain(|stopped| *stopped != pid);
        });
    }

    fn find(&mut self, target: Target, job: &str) -> Option<i32> {
        match target {
            Target::Store => Some(self.store.pid()),
            Target::Up => Some(self.up.pid()),
            Target::Database => None,
            Target::Leader => {
                let view = get(&self.url, "/v1/cluster")?;
                Some(i32::try_from(view["leader"]["pid"].as_i64()?).unwrap())
            }
            Target::Standby => self.one_of("job-manager"),
            Target::TaskManager => self.one_of("task-manager"),
            Target::Task | Target::Guard => {
                let shown = self.ask(&["job", "show", job]);
                let view: Value = serde_json::from_str(&shown.out).ok()?;
                let pids: Vec<i32> = tasks(&view)
                    .iter()
                    .filter(|task| task["pid"].is_number())
                    .map(pid)
                    .collect();
                let at = self.draw(pids.len().max(1) as u64);
                let task = *pids.get(usize::try_from(at).unwrap())?;
                match target {
                    Target::Guard => runs(task).then(|| parent(task)),
                    _ => Some(task),
                }
            }
        }
    }

    fn one_of(&mut self, kind: &str) -> Option<i32> {
        let pids = self.pids(kind);
        let at = self.draw(pids.len().max(1) as u64);
        pids.get(usize::try_from(at).unwrap()).copied()
    }

    fn pids(&self, kind: &str) -> Vec<i32> {
        let view = get(&self.url, "/v1/cluster").unwrap_or_default();
        let nodes = view["nodes"].as_array().cloned().unwrap_or_default();
        let of_kind = nodes
            .iter()
            .filter(|node| node["kind"] == kind && node["state"] != "dead");
        of_kind.map(pid).collect()
    }
}

fn serve(place: &Place, ha: &str) -> Command {
    let address = ha.strip_prefix("zookeeper://").unwrap();
    let (listen, _) = address.split_once('/').unwrap();
    let mut command = place.incumbent(&["serve", "--listen", listen]);
    command.arg("--data-dir").arg(place.path("data"));
    command
}

fn up(place: &Place, ha: &str, port: u16) -> Command {
    let mut command = place.incumbent(&["up", "--listen", &format!("127.0.0.1:{port}")]);
    command.arg("--dir").arg(place.path("cluster"));
    command.args(["--ha", ha, "--lease", "3s"]);
    command.args(["--job-managers", "3", "--task-managers", "3"]);
    command.env_remove("INCUMBENT_HA");
    command
}
