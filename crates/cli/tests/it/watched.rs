//! What a node reports while it runs: metrics, health, logs.

use rustix::process::Signal;
use serde_json::Value;

use crate::harness::{Answer, Node, Place, over_tcp, stop, until};

const WAIT: &str = "exec sleep 1000";

struct Watched {
    node: Node,
    address: String,
}

fn watched(place: &Place, name: &str) -> Watched {
    let flags = ["--lease", "2s", "--status-listen", "127.0.0.1:0"];
    let node = place.node(name, &flags, WAIT);
    let line = node.logged("serving /metrics");
    let address = line.split("address=").nth(1).unwrap().trim().to_owned();
    Watched { node, address }
}

impl Watched {
    fn get(&self, path: &str) -> Answer {
        over_tcp(&self.address, "GET", path, &[], "").unwrap()
    }

    /// The sum of a metric over its labels that contain these words.
    fn metric(&self, name: &str, label: &str) -> Option<f64> {
        let text = self.get("/metrics").body;
        let lines = text
            .lines()
            .filter(|line| line.split(['{', ' ']).next() == Some(name) && line.contains(label));
        let values: Vec<f64> = lines
            .map(|line| line.rsplit(' ').next().unwrap().parse().unwrap())
            .collect();
        (!values.is_empty()).then(|| values.iter().sum())
    }
}

#[test]
fn leader_and_standby_tell_their_state() {
    let place = Place::new();
    let mut a = watched(&place, "a");
    place.active("a");
    let b = watched(&place, "b");
    assert_eq!(a.get("/healthz").status, 200);
    let role = |node: &Watched| node.get("/readyz").json()["role"].clone();
    until("a is ready", || role(&a) == "leader");
    until("b is ready", || {
        role(&b) == "standby" && b.get("/readyz").status == 200
    });
    until("b knows the leader", || {
        b.get("/readyz").json()["leader"]["holder"] == "a"
    });
    until("a is the one to be asked", || {
        a.get("/leaderz").status == 200
    });
    assert_eq!(b.get("/leaderz").status, 503);

    assert_eq!(a.metric("incumbent_role", ""), Some(1.0));
    assert_eq!(
        b.metric("incumbent_role", ""),
        Some(0.0),
        "{}",
        b.get("/metrics").body
    );
    for node in [&a, &b] {
        assert_eq!(
            node.metric("incumbent_epoch", r#"group="default""#),
            Some(1.0)
        );
    }
    assert_eq!(a.metric("incumbent_terms_total", ""), Some(1.0));
    until("a has renewed", || {
        a.metric("incumbent_root_writes_total", r#"outcome="committed""#) > Some(3.0)
    });
    assert_eq!(a.metric("incumbent_takeover_seconds_count", ""), Some(1.0));
    assert!(a.metric("incumbent_renewal_margin_seconds_count", "") > Some(1.0));
    assert!(
        a.get("/metrics")
            .body
            .contains("# HELP incumbent_renewal_margin_seconds ")
    );
    assert_eq!(a.get("/nothing").status, 404);

    a.node.kill();
    until("b leads", || role(&b) == "leader");
    assert_eq!(b.metric("incumbent_role", ""), Some(1.0));
    assert_eq!(b.metric("incumbent_epoch", ""), Some(2.0));
}

#[test]
fn a_deposed_leader_is_a_standby_again() {
    let place = Place::new();
    let a = watched(&place, "a");
    place.active("a");
    let b = watched(&place, "b");
    b.node.logged("active");
    stop(a.node.pid());
    place.active("b");
    a.node.signal(Signal::CONT);
    until("a stands by", || {
        a.get("/readyz").json()["role"] == "standby"
    });
    assert_eq!(a.metric("incumbent_role", ""), Some(0.0));
    until("a knows of it", || {
        a.metric("incumbent_epoch", "") == Some(2.0)
    });
}

#[test]
fn an_address_that_is_taken_is_named() {
    let place = Place::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let done = place
        .ask(&["run", "--status-listen", &address, "--", "true"])
        .assert_code(125);
    assert!(done.err.contains(&address), "{}", done.err);
}

#[test]
fn a_change_of_leader_is_told_in_about_five_lines() {
    let place = Place::new();
    let mut a = place.node("a", &[], WAIT);
    place.active("a");
    let b = place.node("b", &[], WAIT);
    until("b stands by", || {
        place.status()["standbys"] == serde_json::json!(["b"])
    });
    let before = b.log().lines().count();
    a.kill();
    place.active("b");
    b.logged("command started");
    let log = b.log();
    let told: Vec<_> = log.lines().skip(before).collect();
    assert!((4..=6).contains(&told.len()), "{told:#?}");
    assert!(told.iter().all(|line| line.contains(" INFO ")), "{told:#?}");
    for words in ["proven dead", "leading", "command started", "active"] {
        assert!(
            told.iter().any(|line| line.contains(words)),
            "{words}: {told:#?}"
        );
    }
}

#[test]
fn logs_can_be_json_and_are_quiet_where_output_matters() {
    let place = Place::new();
    let mut command = place.incumbent(&[
        "--log-format",
        "json",
        "run",
        "--holder",
        "a",
        "--",
        "sh",
        "-c",
        "exit 3",
    ]);
    command.env("INCUMBENT_LOG", "debug");
    let done = crate::harness::finished(command).assert_code(3);
    let lines: Vec<Value> = done
        .err
        .lines()
        .map(|line| serde_json::from_str(line).expect(line))
        .collect();
    assert!(
        lines.iter().any(|line| line["message"] == "leading"
            && line["epoch"] == 1
            && line["level"] == "INFO"),
        "{lines:#?}"
    );
    assert_eq!(done.out, "");
    let quiet = place.ask(&["records", "put", "x", "1"]).assert_code(0);
    assert_eq!((quiet.out.as_str(), quiet.err.as_str()), ("", ""));
    let loud = place
        .ask(&["--log", "info", "records", "put", "x", "1"])
        .assert_code(0);
    assert!(loud.err.contains("leading"), "{}", loud.err);
}
