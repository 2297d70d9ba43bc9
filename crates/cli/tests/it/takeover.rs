//! Which node runs the command next, and when: after a kill, a stop, or a request to end.

use std::time::Duration;

use rustix::process::Signal;

use crate::harness::{NOTE, Node, Place, free_port, kill, runs, stop, timed, until};

/// A lease that no test here waits for: whatever happens within the patience of [`until`] has
/// another reason.
const LONG: [&str; 2] = ["--lease", "2m"];

fn noting() -> String {
    format!("{NOTE} exec sleep 1000")
}

fn named<'a>(nodes: &'a mut [Node], name: &str) -> &'a mut Node {
    let found = nodes.iter_mut().find(|node| node.name == name);
    found.expect("it was started")
}

#[test]
fn a_standby_starts_long_before_the_lease_of_a_killed_leader_ends() {
    let place = Place::new();
    let mut a = place.node("a", &LONG, &noting());
    let first = place.started(1);
    let b = place.node("b", &LONG, &noting());
    b.logged("active");
    a.kill();
    let second = place.started(2);
    assert!(!runs(first.pid));
    assert_eq!((second.epoch, second.holder.as_str()), (2, "b"));
    b.logged("the last leader is dead");
    place.assert_one_at_a_time();
}

#[test]
fn a_hundred_leaders_killed_in_a_row_are_followed_one_at_a_time() {
    let place = Place::new();
    let flags = [&LONG[..], &["--log", "warn"]].concat();
    let mut nodes: Vec<_> = ["n0", "n1", "n2"]
        .map(|name| place.node(name, &flags, &noting()))
        .into();
    let ((), took) = timed(|| {
        for killed in 0..100 {
            let leader = place.started(killed + 1);
            named(&mut nodes, &leader.holder).kill();
            let name = format!("n{}", killed + 3);
            nodes.push(place.node(&name, &flags, &noting()));
        }
        place.started(101);
    });
    eprintln!("100 leaders killed in {took:?}");
    place.assert_one_at_a_time();
    let starts = place.starts();
    assert_eq!(starts.iter().filter(|start| runs(start.pid)).count(), 1);
}

#[test]
fn without_proofs_of_death_a_standby_waits_for_the_lease() {
    let place = Place::new();
    let flags = ["--no-liveness", "--lease", "1s"];
    let mut a = place.node("a", &flags, &noting());
    let first = place.started(1);
    let b = place.node("b", &flags, &noting());
    b.logged("active");
    let (second, took) = timed(|| {
        a.kill();
        until("the old command is dead", || !runs(first.pid));
        place.started(2)
    });
    // The last renewal may be a retry period older than the death.
    assert!(took > Duration::from_millis(500), "{took:?}");
    assert_eq!(second.holder, "b");
    b.logged("the lease expired");
    place.assert_one_at_a_time();
}

#[test]
fn a_liveness_endpoint_can_listen_and_be_told_as_one_likes() {
    let place = Place::new();
    let ports = [free_port(), free_port()];
    let flags = ports.map(|port| {
        [
            format!("--liveness-listen=0.0.0.0:{port}"),
            format!("--liveness-address=localhost:{port}"),
        ]
    });
    let node = |name, flags: &[String; 2]| {
        let flags = [&LONG[..], &[&flags[0], &flags[1]]].concat();
        place.node(name, &flags, &noting())
    };
    let mut a = node("a", &flags[0]);
    place.started(1);
    let b = node("b", &flags[1]);
    until("b is seen to stand by", || {
        place.status()["standbys"] == serde_json::json!(["b"])
    });
    a.kill();
    place.started(2);
    b.logged("proven dead");

    let taken = place
        .ask(&["run", &flags[1][0], "--", "true"])
        .assert_code(125);
    assert!(taken.err.contains(&ports[1].to_string()), "{}", taken.err);
}

#[test]
fn a_leader_stopped_past_its_lease_finds_its_command_dead_and_stands_by() {
    let place = Place::new();
    let flags = ["--lease", "1s"];
    let mut a = place.node("a", &flags, &noting());
    let first = place.started(1);
    let mut b = place.node("b", &flags, &noting());
    b.logged("active");
    stop(a.pid());
    let second = place.started(2);
    assert!(!runs(first.pid), "before the next one started");
    assert_eq!(second.holder, "b");
    b.logged("the lease expired");
    kill(a.pid(), Signal::CONT);
    a.logged("leadership lost");
    // It stands by again, and leads at its next turn.
    until("a stands by", || {
        place.status()["standbys"] == serde_json::json!(["a"])
    });
    b.signal(Signal::TERM);
    b.code();
    assert_eq!(place.started(3).holder, "a");
    assert!(a.is_running());
    place.assert_one_at_a_time();
}

#[test]
fn a_leader_told_to_end_hands_over_when_its_command_has_ended() {
    let place = Place::new();
    let slow = format!("{NOTE} trap 'sleep 0.3; exit 5' TERM; while :; do sleep 0.01; done");
    let mut a = place.node("a", &LONG, &slow);
    let first = place.started(1);
    let _b = place.node("b", &LONG, &noting());
    until("b stands by", || {
        place.status()["standbys"] == serde_json::json!(["b"])
    });
    a.signal(Signal::TERM);
    let second = place.started(2);
    assert!(!runs(first.pid));
    assert_eq!(second.holder, "b");
    assert_eq!(a.code(), Some(5));
    place.assert_one_at_a_time();
}

#[test]
fn a_standby_told_to_end_does() {
    let place = Place::new();
    let _a = place.node("a", &[], &noting());
    place.started(1);
    for signal in [Signal::TERM, Signal::INT] {
        let mut b = place.node("b", &[], &noting());
        b.logged("campaigning");
        until("b stands by", || {
            place.status()["standbys"] == serde_json::json!(["b"])
        });
        b.signal(signal);
        assert_eq!(b.code(), Some(0));
    }
    assert_eq!(place.starts().len(), 1);
}

#[test]
fn of_ten_standbys_one_follows() {
    let place = Place::new();
    let mut leader = place.node("leader", &[], &noting());
    place.started(1);
    let names: Vec<_> = (0..10).map(|number| format!("standby-{number}")).collect();
    let nodes: Vec<_> = names
        .iter()
        .map(|name| place.node(name, &[], &noting()))
        .collect();
    let standbys = || {
        let mut names: Vec<String> =
            serde_json::from_value(place.status()["standbys"].clone()).unwrap_or_default();
        names.sort();
        names
    };
    until("all stand by", || standbys() == names);
    leader.kill();
    let next = place.started(2);
    assert!(names.contains(&next.holder));
    // Once the nine others stand by, they have all seen the new leader, and no other node has
    // started.
    until("nine stand by", || standbys().len() == 9);
    assert!(!standbys().contains(&next.holder));
    assert_eq!(place.starts().len(), 2);
    assert_eq!(next.epoch, 2);
    drop(nodes);
    place.assert_one_at_a_time();
}

#[test]
fn two_groups_side_by_side_do_not_touch() {
    let place = Place::new();
    let script = |group: &str| {
        format!("$I records put x '\"{group}\"'; echo $INCUMBENT_EPOCH >> {group}; exec sleep 1000")
    };
    let start = |name: &str, group: &str| place.node(name, &["--group", group], &script(group));
    let (mut red, _blue) = (start("r", "red"), start("b", "blue"));
    place.noted("red");
    place.noted("blue");
    let _next = start("r2", "red");
    red.kill();
    until("red has a new leader", || place.note("red") == "1\n2");
    assert_eq!(place.note("blue"), "1");
    for group in ["red", "blue"] {
        let got = place
            .ask(&["--group", group, "records", "get", "x"])
            .assert_code(0);
        assert_eq!(got.out, format!("\"{group}\"\n"));
    }
    let status = place
        .ask(&["--group", "blue", "status"])
        .assert_code(0)
        .json();
    assert_eq!(
        (status["holder"].as_str(), status["epoch"].as_u64()),
        (Some("b"), Some(1))
    );
}
