//! `incumbent flink migrate`, `clean` and `reopen` as processes: killed at every write, the same
//! command goes on.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use incumbent_kubernetes_double::{Double, Fault, How, Match, Options, Verb};
use serde_json::{Value, json};

use crate::harness::{Done, Node, Place, until};

const CAPTURED: &str = include_str!("../../../flink-ha/tests/fixtures/kubernetes-2.3.0.json");
const LOCK: &str = "control-plane.alpha.kubernetes.io/leader";
const MAIN: &str = "cluster-cluster-config-map";

/// The jobs of the cluster.
const JOBS: u32 = 3;

/// More writes than a migration of them has.
const MOST_WRITES: u32 = 40;

/// Stores, and the data of a stopped Flink in one of them.
struct World {
    place: Place,
    double: Double,
    _server: Node,
    zookeeper: SocketAddr,
}

impl World {
    fn new() -> Self {
        let place = Place::new();
        let double = Double::start_now(Options::default());
        fs::write(place.path("kubeconfig"), double.kubeconfig(None)).unwrap();
        let server = place.start("s", place.incumbent(&["serve", "--listen", "127.0.0.1:0"]));
        let said = place.noted("s.out");
        let zookeeper = said.rsplit('/').next().unwrap().parse().unwrap();
        let world = Self {
            place,
            double,
            _server: server,
            zookeeper,
        };
        world.put();
        world
    }

    fn put(&self) {
        let list: Value = serde_json::from_str(CAPTURED).unwrap();
        let maps = list["items"].as_array().unwrap();
        let of_job = maps.iter().find(|map| map["data"]["counter"].is_string());
        let main = maps
            .iter()
            .find(|map| map["metadata"]["annotations"][LOCK].is_string());
        let mut main = main.unwrap().clone();
        let data = main["data"].as_object().unwrap();
        let plan = data
            .iter()
            .find(|(key, _)| key.starts_with("executionPlan-"));
        let plan = plan.unwrap().1.clone();
        main["data"] = json!({});
        for number in 0..JOBS {
            let id = format!("{number:032x}");
            let of_job = json!({ "data": of_job.unwrap()["data"] });
            self.put_map(&format!("cluster-{id}-config-map"), of_job);
            main["data"][format!("executionPlan-{id}")] = plan.clone();
        }
        let free = json!({ "holderIdentity": "", "leaseDuration": 15.0 });
        main["metadata"]["annotations"][LOCK] = free.to_string().into();
        let main = json!({ "metadata": { "annotations": main["metadata"]["annotations"] }, "data": main["data"] });
        self.put_map(MAIN, main);
    }

    fn put_map(&self, name: &str, mut map: Value) {
        map["apiVersion"] = "v1".into();
        map["kind"] = "ConfigMap".into();
        map["metadata"]["labels"] = json!({ "app": "cluster", "type": "flink-native-kubernetes" });
        self.double.put_by_hand("configmaps", "default", name, map);
    }

    fn kubernetes(&self, cluster: &str) -> String {
        let file = self.place.path("kubeconfig");
        format!(
            "kubernetes://default/{cluster}?kubeconfig={}",
            file.display()
        )
    }

    fn at(&self, path: &str) -> String {
        format!("zookeeper://{}{path}", self.zookeeper)
    }

    fn flink(&self, args: &[&str]) -> Done {
        self.place.ask(&[&["flink"], args].concat())
    }

    /// Starts a migration that will be killed.
    fn begin(&self, from: &str, to: &str) -> Node {
        let command = self
            .place
            .incumbent(&["flink", "migrate", from, to, "--apply"]);
        self.place.start("m", command)
    }

    /// What a Flink that starts there would find: its jobs, without keys; `None` if it may not lead
    /// there.
    fn jobs(&self, address: &str) -> Option<Value> {
        // A dry run reads everything, and once.
        let done = self.flink(&["migrate", address, &self.kubernetes("nowhere")]);
        if done.code == Some(6) {
            return None;
        }
        let found = done.json();
        let mut refusals = found["refusals"].as_array().unwrap().iter();
        if refusals.any(|refusal| refusal["kind"] == "closed") {
            return None;
        }
        let moves = found["moves"].as_array().unwrap().iter();
        let fields = |it: &Value| ["id", "what", "value", "deleting"].map(|name| it[name].clone());
        Some(moves.map(|it| json!(fields(it))).collect())
    }

    /// The same command again, after it was killed: it finishes what it began.
    fn goes_on(&self, from: &str, to: &str, jobs: &Value, when: &str) {
        // A Flink that starts now finds everything or nothing, or may not lead.
        let there = self.jobs(to);
        let nothing = there.is_none() || there == Some(json!([]));
        assert!(nothing || there.as_ref() == Some(jobs), "{when}: {there:?}");
        let again = self.flink(&["migrate", from, to, "--apply"]);
        assert_eq!(
            again.code,
            Some(0),
            "{when}: {:?} {:?}",
            again.out,
            again.err
        );
        assert_eq!(again.json()["state"], "complete", "{when}");
        assert_eq!(self.jobs(to).as_ref(), Some(jobs), "{when}");
        // Only one of both is open.
        assert_eq!(self.jobs(from), None, "{when}");
        self.flink(&["reopen", from]).assert_code(0);
        assert_eq!(
            self.jobs(from).as_ref(),
            Some(jobs),
            "{when}: the source keeps its data"
        );
    }
}

#[test]
fn killed_at_any_write_to_kubernetes_the_same_command_goes_on() {
    let world = World::new();
    let (first, from) = (world.kubernetes("cluster"), world.at("/flink/cluster"));
    world
        .flink(&["migrate", &first, &from, "--apply"])
        .assert_code(0);
    let jobs = world.jobs(&from).unwrap();
    assert_eq!(jobs.as_array().unwrap().len(), 3 * JOBS as usize);
    for (name, how) in [("before", How::HangBefore), ("after", How::HangAfter)] {
        for number in 0..MOST_WRITES {
            let to = world.kubernetes(&format!("{name}-{number}"));
            // Reviews of rights are creations too, and are no writes.
            let faults = [Verb::Create, Verb::Update].map(|verb| {
                world.double.inject(Fault {
                    on: Match::on(verb, "configmaps"),
                    skip: number,
                    times: None,
                    how: how.clone(),
                })
            });
            let struck = || faults.iter().any(|fault| world.double.struck(*fault) > 0);
            let mut killed = world.begin(&from, &to);
            until("it writes, or ends", || struck() || !killed.is_running());
            killed.kill();
            let whole = !struck();
            world.double.clear_faults();
            world.goes_on(&from, &to, &jobs, &format!("killed {name} write {number}"));
            if whole {
                assert!(number >= 3, "no write was noticed");
                break;
            }
        }
    }
}

#[test]
fn killed_at_any_write_to_zookeeper_the_same_command_goes_on() {
    let world = World::new();
    let from = world.kubernetes("cluster");
    let jobs = world.jobs(&from).unwrap();
    for number in 1..MOST_WRITES {
        // Before one write, after the next one.
        let after = number % 2 == 0;
        let holder = Holder::before(world.zookeeper, number, after);
        let to = format!("zookeeper://{}/flink-{number}/cluster", holder.address);
        let mut killed = world.begin(&from, &to);
        until("it writes, or ends", || {
            holder.holds() || !killed.is_running()
        });
        killed.kill();
        let whole = !holder.holds();
        holder.release();
        let when = format!("killed at {number}, after: {after}");
        world.goes_on(&from, &to, &jobs, &when);
        if whole {
            assert!(number > 8, "no write was noticed");
            return;
        }
    }
    panic!("it writes for ever");
}

/// Stands before a ZooKeeper, and lets nothing pass from a certain write on.
struct Holder {
    address: SocketAddr,
    state: Arc<State>,
}

struct State {
    writes: AtomicU32,
    hold_at: AtomicU32,
    /// Lets the write itself pass, and not its answer.
    after: bool,
    /// The write has come, and, if it was let pass, it was answered.
    reached: AtomicBool,
    closed: AtomicBool,
}

impl Holder {
    fn before(server: SocketAddr, hold_at: u32, after: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State {
            writes: AtomicU32::new(0),
            hold_at: AtomicU32::new(hold_at),
            after,
            reached: AtomicBool::new(false),
            closed: AtomicBool::new(false),
        });
        let of_threads = Arc::clone(&state);
        // They end with the test program.
        std::thread::spawn(move || {
            for near in listener.incoming() {
                let (near, far) = (near.unwrap(), TcpStream::connect(server).unwrap());
                let (back, forth) = (far.try_clone().unwrap(), near.try_clone().unwrap());
                let state = Arc::clone(&of_threads);
                std::thread::spawn(move || state.requests(near, far));
                let state = Arc::clone(&of_threads);
                std::thread::spawn(move || state.answers(back, forth));
            }
        });
        Self { address, state }
    }

    /// Lets everything pass again.
    fn release(&self) {
        self.state.hold_at.store(u32::MAX, Ordering::SeqCst);
        self.state.closed.store(false, Ordering::SeqCst);
    }

    fn holds(&self) -> bool {
        self.state.reached.load(Ordering::SeqCst)
    }
}

impl State {
    fn requests(&self, mut near: TcpStream, mut far: TcpStream) {
        let mut first = true;
        while let Some(frame) = frame(&mut near) {
            // The first one begins the session. Others have a number, and then what they ask for.
            if !first && is_write(&frame[8..12]) {
                let number = self.writes.fetch_add(1, Ordering::SeqCst) + 1;
                let hold_at = self.hold_at.load(Ordering::SeqCst);
                if number >= hold_at {
                    self.closed.store(true, Ordering::SeqCst);
                    if self.after && number == hold_at {
                        if far.write_all(&frame).is_err() {
                            return;
                        }
                    } else if !self.after {
                        self.reached.store(true, Ordering::SeqCst);
                    }
                    continue;
                }
            }
            first = false;
            if self.closed.load(Ordering::SeqCst) || far.write_all(&frame).is_err() {
                return;
            }
        }
    }

    fn answers(&self, mut far: TcpStream, mut near: TcpStream) {
        while let Some(frame) = frame(&mut far) {
            if self.closed.load(Ordering::SeqCst) {
                self.reached.store(true, Ordering::SeqCst);
                continue;
            }
            if near.write_all(&frame).is_err() {
                return;
            }
        }
    }
}

/// A length, and as many bytes.
fn frame(from: &mut TcpStream) -> Option<Vec<u8>> {
    let mut frame = vec![0; 4];
    from.read_exact(&mut frame).ok()?;
    let length = u32::from_be_bytes(frame[..].try_into().unwrap()) as usize;
    frame.resize(4 + length, 0);
    from.read_exact(&mut frame[4..]).ok()?;
    Some(frame)
}

/// Create, delete, set, multi, create2.
fn is_write(operation: &[u8]) -> bool {
    let operation = u32::from_be_bytes(operation.try_into().unwrap());
    matches!(operation, 1 | 2 | 5 | 14 | 15)
}

#[test]
fn a_dry_run_shows_a_table_and_json_and_writes_nothing() {
    let world = World::new();
    let (from, to) = (world.kubernetes("cluster"), world.at("/flink/cluster"));
    let revision = world.double.revision();
    let dry = world.flink(&["migrate", &from, &to]).assert_code(0).json();
    assert_eq!(dry["state"], "not-begun");
    // A plan, a checkpoint and a counter of each.
    assert_eq!(dry["moves"].as_array().unwrap().len(), 3 * JOBS as usize);
    let table = world
        .flink(&["migrate", &from, &to, "--format", "table"])
        .assert_code(0);
    for words in [
        "execution plan",
        "cluster-cluster-config-map/executionPlan-0",
        "/jobs/00000000000000000000000000000002/checkpoint_id_counter",
        "to be copied",
        "high-availability.storageDir",
        "The same command with --apply does it.",
    ] {
        assert!(table.out.contains(words), "{words} in {}", table.out);
    }
    assert_eq!(world.double.revision(), revision);
    let nothing = world.flink(&["inspect", &to]).assert_code(6);
    assert!(nothing.err.contains("no HA data"), "{}", nothing.err);
}

#[test]
fn a_refusal_has_an_exit_code_and_names_the_reason() {
    let world = World::new();
    let (from, to) = (world.kubernetes("cluster"), world.at("/flink/cluster"));
    let mut map = world.double.object("configmaps", "default", MAIN).unwrap();
    let key = format!("executionPlan-{:032x}", 1);
    map["data"][&key] = "text".into();
    world.put_map(MAIN, map);
    for args in [
        &["migrate", &from, &to][..],
        &["migrate", &from, &to, "--apply"],
    ] {
        let args = [args, &["--format", "table"]].concat();
        let refused = world.flink(&args).assert_code(4);
        let words = format!("REFUSED damaged: {MAIN}/{key}");
        assert!(refused.out.contains(&words), "{}", refused.out);
        assert!(
            refused.out.ends_with("Refused. Nothing was written.\n"),
            "{}",
            refused.out
        );
    }
    // The pointer goes by its name, and then the others move.
    let named = format!("{MAIN}/{key}");
    let clean = ["clean", &from, "--remove", &named, "--apply"];
    let unsure = world.flink(&clean).assert_code(2);
    assert!(unsure.err.contains("add --yes"), "{}", unsure.err);
    world
        .flink(&[&clean[..], &["--yes"]].concat())
        .assert_code(0);
    world
        .flink(&["migrate", &from, &to, "--apply"])
        .assert_code(0);
}

#[test]
fn what_is_cleaned_is_listed_with_its_reason_first() {
    let world = World::new();
    let from = world.kubernetes("cluster");
    let ended = "0000000000000000000000000000000e";
    world.put_map(
        &format!("cluster-{ended}-config-map"),
        json!({ "data": { "counter": "7" } }),
    );
    let revision = world.double.revision();
    let list = world
        .flink(&["clean", &from, "--format", "table"])
        .assert_code(0);
    for words in [
        "REMOVE ended-job",
        "/counter",
        "why: no execution plan",
        "then: Nothing changes",
    ] {
        assert!(list.out.contains(words), "{words} in {}", list.out);
    }
    assert_eq!(world.double.revision(), revision);
    let done = world
        .flink(&["clean", &from, "--apply", "--yes"])
        .assert_code(0);
    assert_eq!(done.json()["findings"].as_array().unwrap().len(), 1);
    let again = world.flink(&["clean", &from]).assert_code(0).json();
    assert_eq!(again["findings"], json!([]));
    let wrong = world
        .flink(&["clean", &from, "--set-counter", "x=1"])
        .assert_code(2);
    assert!(wrong.err.contains("no job x"), "{}", wrong.err);
}
