//! A stream job on two hosts, which are network namespaces: the cable between its tasks is pulled,
//! while both reach the leader.

use std::process::Command;

use serde_json::Value;

use super::job::Streaming;
use crate::gateway::networks::{Host, impossible};
use crate::harness::{Done, Node, Place, eventually, finished, until};

const OFTEN: &str = "[checkpoints]\ninterval = \"200ms\"\n\
                     [restart]\nstrategy = \"fixed-delay\"\ndelay = \"100ms\"\nattempts = 1000000";

/// The JobManager's own address, which both hosts reach over cables of their own.
const MANAGER: &str = "10.81.9.1:8081";

/// What a task says when a connection to another one has broken.
const GONE: &str = "another task of this job has gone";

/// ```text
///        manager
///   wire1 /   \ wire2
///        a ─── b
///         direct
/// ```
struct Hosts {
    manager: Host,
    a: Host,
    b: Host,
    running: Vec<Node>,
    /// Dropped last.
    place: Place,
}

impl Hosts {
    /// Two TaskManagers of one slot.
    fn new() -> Self {
        let place = Place::new();
        std::fs::write(place.path("token"), "0123456789abcdef0123\n").unwrap();
        let (manager, a, b) = (Host::new(), Host::new(), Host::new());
        manager.run(&["ip", "address", "add", "10.81.9.1/32", "dev", "lo"]);
        for (host, wire, own, others) in [
            (&a, "wire1", "10.81.1.2/24", "10.81.1.1"),
            (&b, "wire2", "10.81.2.2/24", "10.81.2.1"),
        ] {
            let others_end = format!("{others}/24");
            host.join("wire", &[own], &manager, wire, &[&others_end]);
            host.run(&["ip", "route", "add", "default", "via", others]);
        }
        // The hosts reach each other by their own cable and by no other.
        manager.set("net/ipv4/ip_forward", "0");
        a.join("direct", &["10.81.4.1/24"], &b, "direct", &["10.81.4.2/24"]);
        let mut hosts = Self {
            manager,
            a,
            b,
            running: Vec::new(),
            place,
        };
        hosts.mend();
        let manager = hosts.part(&["job-manager", "--listen", MANAGER]);
        let manager = hosts.manager.has(manager);
        hosts.start("manager", manager);
        for (name, address) in [("tm-a", "10.81.1.2:8081"), ("tm-b", "10.81.2.2:8081")] {
            let mut part = hosts.part(&["task-manager", "--name", name, "--listen", address]);
            part.args(["--slots", "1", "--dir"])
                .arg(hosts.place.path(name));
            let host = if name == "tm-a" { &hosts.a } else { &hosts.b };
            let part = host.has(part);
            hosts.start(name, part);
        }
        until("both TaskManagers are there", || hosts.are_both_live());
        hosts
    }

    fn are_both_live(&self) -> bool {
        let nodes = self.ask(&["node", "ls"]).out;
        let live = nodes.lines().filter(|line| {
            line.contains("\"kind\":\"task-manager\"") && line.contains("\"state\":\"live\"")
        });
        live.count() == 2
    }

    /// The cable between the tasks. Its routes go with it.
    fn mend(&self) {
        self.a.run(&["ip", "link", "set", "direct", "up"]);
        for (host, to, via) in [
            (&self.a, "10.81.2.2/32", "10.81.4.2"),
            (&self.b, "10.81.1.2/32", "10.81.4.1"),
        ] {
            host.run(&["ip", "route", "replace", to, "via", via]);
        }
    }

    fn pull(&self) {
        self.a.run(&["ip", "link", "set", "direct", "down"]);
    }

    fn part(&self, args: &[&str]) -> Command {
        let dir = |name: &str| format!("file://{}", self.place.path(name).display());
        let mut command = self.place.incumbent(args);
        command.args(["--ha", &dir("ha"), "--blobs", &dir("blobs")]);
        command.args(["--token-file", "token"]);
        command
    }

    fn start(&mut self, name: &str, command: Command) {
        let node = self.place.start(name, command);
        self.running.push(node);
    }

    fn ask(&self, args: &[&str]) -> Done {
        let mut command = self.place.incumbent(args);
        command.env("INCUMBENT_CLUSTER", format!("http://{MANAGER}"));
        command.env("INCUMBENT_TOKEN_FILE", self.place.path("token"));
        finished(self.manager.has(command))
    }

    fn show(&self, job: &str) -> Value {
        self.ask(&["job", "show", job]).assert_code(0).json()
    }

    #[track_caller]
    fn job(&self, job: &str, what: &str, is: impl Fn(&Value) -> bool) -> Value {
        eventually(&format!("{job} {what}"), || {
            let view = self.show(job);
            is(&view).then_some(view)
        })
    }
}

fn number(view: &Value) -> u64 {
    view["checkpoint"]["number"].as_u64().unwrap_or(0)
}

/// Whether an attempt has ended because a task has noticed that another one was gone.
fn has_noticed(view: &Value) -> bool {
    let attempts = view["attempts"].as_array().into_iter().flatten();
    attempts
        .map(|attempt| &attempt["cause"])
        .any(|cause| cause["exit_code"] == 75 && cause["last_lines"].to_string().contains(GONE))
}

/// What comes while the cable is cut is read by tasks that cannot pass it on, and again by the
/// attempt that goes on. The input has no end before the test has seen all it wants to see: its
/// pace does not matter.
#[test]
fn a_cut_cable_between_two_tasks_ends_the_attempt_and_changes_no_output() {
    if impossible() {
        return;
    }
    let hosts = Hosts::new();
    let job = Streaming::new(hosts.place.path("cut"), "cut", 4_000, 3);
    let file = job.growing_file(2, OFTEN);
    hosts.ask(&["job", "run", &file]).assert_code(0);
    hosts.job("cut", "has a checkpoint", |view| number(view) >= 1);

    hosts.pull();
    job.grow(4_000, 5);
    // Nothing says so but silence, and both hosts reach the leader all the time.
    let cut = hosts.job("cut", "has noticed", has_noticed);
    assert!(hosts.are_both_live(), "{cut:#}");

    let before = number(&cut);
    hosts.mend();
    hosts.job("cut", "goes on", |view| number(view) > before);
    hosts.ask(&["job", "stop", "cut"]).assert_code(0);

    let all = Streaming::all_is_there();
    let all = all.each_ref().map(String::as_str);
    let run = ["job", "run", &file, "--name", "rest", "--restore", "cut"];
    hosts.ask(&[&run, &all[..]].concat()).assert_code(0);
    let ended = hosts.job("rest", "has ended", |view| {
        matches!(view["state"].as_str(), Some("finished" | "failed"))
    });
    assert_eq!(ended["state"], "finished", "{ended:#}");
    job.assert_right();
}
