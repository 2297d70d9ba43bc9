//! A cluster on several hosts, which are network namespaces that share a disk: addresses that only
//! some reach, names that only one side resolves, and a cable that is pulled.

use std::process::Command;

use serde_json::Value;

use super::running::{gone, pid, task_pids};
use crate::gateway::networks::{Host, impossible};
use crate::harness::{Done, Node, Place, eventually, finished, runs, until};

/// The JobManager, and a TaskManager `tm-a` with a cable to it; a host for `tm-b`; and a client
/// with a cable to the latter only.
struct Town {
    manager: Host,
    a: Host,
    b: Host,
    client: Host,
    running: Vec<Node>,
    /// Dropped last.
    place: Place,
}

impl Town {
    fn new() -> Self {
        let place = Place::new();
        std::fs::write(place.path("token"), "0123456789abcdef0123\n").unwrap();
        // Only the JobManager knows this name.
        let manager = Host::that_knows(&place, "10.79.2.2 tm-b.internal");
        let (a, b, client) = (Host::new(), Host::new(), Host::new());
        manager.run(&["ip", "address", "add", "10.79.9.1/32", "dev", "lo"]);
        let cable = |host: &Host, number: u32| {
            let (own, others) = (
                format!("10.79.{number}.2/24"),
                format!("10.79.{number}.1/24"),
            );
            host.join(
                "wire",
                &[&own],
                &manager,
                &format!("wire{number}"),
                &[&others],
            );
            let gateway = format!("10.79.{number}.1");
            host.run(&["ip", "route", "add", "default", "via", &gateway]);
        };
        cable(&a, 1);
        cable(&b, 2);
        client.join("wire", &["10.79.3.2/24"], &b, "wire3", &["10.79.3.1/24"]);
        let mut town = Self {
            manager,
            a,
            b,
            client,
            running: Vec::new(),
            place,
        };
        let manager = town.part(&["job-manager", "--listen", "10.79.9.1:8081"]);
        let manager = town.manager.has(manager);
        town.start("manager", manager);
        let a = town.part(&[
            "task-manager",
            "--name",
            "tm-a",
            "--listen",
            "10.79.1.2:8081",
        ]);
        let a = town.a.has(a);
        town.start("tm-a", a);
        town.until_nodes(1);
        town
    }

    /// The second TaskManager: what is submitted before runs on the first.
    fn with_b(&mut self) {
        let mut b = self.part(&["task-manager", "--name", "tm-b", "--listen", "0.0.0.0:8081"]);
        b.args(["--advertise", "tm-b.internal"]);
        let b = self.b.has(b);
        self.start("tm-b", b);
        self.until_nodes(2);
    }

    fn part(&self, args: &[&str]) -> Command {
        let dir = |name: &str| format!("file://{}", self.place.path(name).display());
        let mut command = self.place.incumbent(args);
        command.args([
            "--ha",
            &dir("ha"),
            "--blobs",
            &dir("blobs"),
            "--lease",
            "3s",
        ]);
        command.args(["--token-file", "token"]);
        if args[0] == "task-manager" {
            command
                .args(["--slots", "2", "--dir"])
                .arg(self.place.path("tasks"));
        }
        command
    }

    fn start(&mut self, name: &str, command: Command) {
        let node = self.place.start(name, command);
        self.running.push(node);
    }

    /// Asks at the JobManager's own host.
    fn ask(&self, args: &[&str]) -> Done {
        self.ask_from(&self.manager, "http://10.79.9.1:8081", args)
    }

    fn ask_from(&self, host: &Host, url: &str, args: &[&str]) -> Done {
        let mut command = self.place.incumbent(args);
        command.env("INCUMBENT_CLUSTER", url);
        command.env("INCUMBENT_TOKEN_FILE", self.place.path("token"));
        finished(host.has(command))
    }

    fn until_nodes(&self, count: usize) {
        until(&format!("{count} TaskManagers are there"), || {
            let nodes = self.ask(&["node", "ls"]).out;
            let live = nodes.lines().filter(|line| {
                line.contains("\"kind\":\"task-manager\"") && line.contains("\"state\":\"live\"")
            });
            live.count() == count
        });
    }

    fn show(&self, job: &str) -> Value {
        self.ask(&["job", "show", job]).assert_code(0).json()
    }

    fn running(&self, job: &str, attempt: u64) -> Value {
        eventually(&format!("{job} runs in attempt {attempt}"), || {
            let view = self.show(job);
            (view["state"] == "running" && view["attempt"] == attempt).then_some(view)
        })
    }

    /// A task that notes its start, and whether the one before it still runs.
    fn script(&self, job: &str) -> String {
        let at = |name: &str| {
            self.place
                .path(&format!("{job}-{name}"))
                .display()
                .to_string()
        };
        format!(
            "old=$(cat {0} 2>/dev/null); if [ -n \"$old\" ] && kill -0 $old 2>/dev/null; then echo $old >> {1}; fi; \
             echo $$ > {0}; exec sleep 1000",
            at("current"),
            at("overlaps")
        )
    }
}

#[test]
fn a_cut_cable_doubles_no_exclusive_job_and_moves_a_fenced_one() {
    if impossible() {
        return;
    }
    let mut town = Town::new();
    let exclusive = format!(
        "name = \"exclusive\"\ncommand = [\"sh\", \"-c\", {}]\nisolation-timeout = \"3s\"\n",
        serde_json::json!(town.script("exclusive"))
    );
    std::fs::write(town.place.path("exclusive.toml"), exclusive).unwrap();
    town.ask(&["job", "run", "exclusive.toml"]).assert_code(0);
    let fenced = town.script("fenced");
    let run = [
        "job", "run", "--name", "fenced", "--fenced", "--", "sh", "-c", &fenced,
    ];
    town.ask(&run).assert_code(0);
    let first = ["exclusive", "fenced"].map(|job| town.running(job, 1));
    assert!(first.iter().all(|job| job["tasks"][0]["node"] == "tm-a"));
    let [old_exclusive, old_fenced] = first.map(|job| task_pids(&job)[0]);
    town.with_b();

    town.manager.run(&["ip", "link", "set", "wire1", "down"]);
    let moved = town.running("exclusive", 2);
    assert!(!runs(old_exclusive), "the old one has ended before");
    assert_eq!(moved["tasks"][0]["node"], "tm-b");
    assert_eq!(town.place.note("exclusive-overlaps"), "");
    let moved = town.running("fenced", 2);
    assert_eq!(moved["tasks"][0]["node"], "tm-b");
    // Nobody ends it where it is: what it does is refused elsewhere.
    assert!(runs(old_fenced));
    assert_eq!(town.place.note("fenced-overlaps"), old_fenced.to_string());

    town.manager.run(&["ip", "link", "set", "wire1", "up"]);
    gone(
        "the old fenced task is ended once it is heard of",
        &[old_fenced],
    );
    town.until_nodes(2);
    for job in ["exclusive", "fenced"] {
        let now = town.running(job, 2);
        assert!(runs(pid(&now["tasks"][0])), "{now}");
    }
}

#[test]
fn a_client_that_reaches_one_node_only_reaches_everything() {
    if impossible() {
        return;
    }
    let mut town = Town::new();
    town.ask(&[
        "job",
        "run",
        "--name",
        "hello",
        "--",
        "sh",
        "-c",
        "echo hello; exec sleep 1000",
    ])
    .assert_code(0);
    let job = town.running("hello", 1);
    assert_eq!(job["tasks"][0]["node"], "tm-a");
    town.with_b();
    let ask = |args: &[&str]| town.ask_from(&town.client, "http://10.79.3.1:8081", args);
    // What the leader knows, and what runs on a TaskManager that the client cannot reach.
    assert_eq!(
        ask(&["job", "show", "hello"]).assert_code(0).json()["id"],
        job["id"]
    );
    // One TaskManager does not reach the other: that is said.
    let logs = ask(&["job", "logs", "hello"]);
    assert!(
        logs.err.contains("rank 0: ") && logs.err.contains("10.79.1.2:8081"),
        "{}",
        logs.err
    );
    town.manager.set("net/ipv4/ip_forward", "1");
    assert_eq!(ask(&["job", "logs", "hello"]).assert_code(0).out, "hello\n");
    assert_eq!(ask(&["node", "ls"]).assert_code(0).out.lines().count(), 3);
    // A token is needed from anywhere.
    let mut bare = town
        .place
        .incumbent(&["job", "ls", "--cluster", "http://10.79.3.1:8081"]);
    bare.env_remove("INCUMBENT_TOKEN_FILE");
    finished(town.client.has(bare)).assert_code(4);
    // A job of both TaskManagers, one of which is known by a name.
    let run = [
        "job", "run", "--name", "pair", "--tasks", "3", "--", "sleep", "1000",
    ];
    ask(&run).assert_code(0);
    let pair = town.running("pair", 1);
    let mut nodes: Vec<_> = pair["tasks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|task| task["node"].to_string())
        .collect();
    nodes.sort();
    nodes.dedup();
    assert_eq!(nodes, ["\"tm-a\"", "\"tm-b\""]);
}
