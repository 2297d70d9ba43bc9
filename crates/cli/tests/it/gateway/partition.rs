//! The gateway loses the leader, but not the store.

use crate::harness::{Node, Place, finished, timed, until};

use super::front::{self, Front, Got, curl, got, node_at, taken_apart};
use super::networks::{Host, impossible};

/// A gateway on its own host, with a cable to the host of each of two nodes. All reach the store.
struct Star {
    gateway: Host,
    hosts: [Host; 2],
    front: Front,
    _running: [Node; 2],
    /// Dropped last: dropping it removes files that the other fields use in their own drop.
    place: Place,
}

impl Star {
    fn new(flags: &[&str]) -> Self {
        let place = Place::new();
        let gateway = Host::new();
        let hosts = [Host::new(), Host::new()];
        for (number, host) in hosts.iter().enumerate() {
            let (own, others) = (
                format!("10.78.{number}.2/24"),
                format!("10.78.{number}.1/24"),
            );
            host.join(
                "wire",
                &[&own],
                &gateway,
                &format!("wire{number}"),
                &[&others],
            );
            host.run(&[
                "ip",
                "route",
                "add",
                "default",
                "via",
                &format!("10.78.{number}.1"),
            ]);
        }
        let start = |name: &str, number: usize| {
            let address = format!("10.78.{number}.2:8081");
            let command = node_at(
                &place,
                name,
                &address,
                &format!("web={address}"),
                &["--lease", "2s"],
            );
            place.start(name, hosts[number].has(command))
        };
        let a = start("a", 0);
        place.active("a");
        let b = start("b", 1);
        b.logged("active");
        let mut command = place.incumbent(&["gateway", "--listen", "127.0.0.1:8080"]);
        command.args(flags);
        let front = front::front(&place, "gateway", gateway.has(command));
        Self {
            gateway,
            hosts,
            front,
            _running: [a, b],
            place,
        }
    }

    fn command(&self, path: &str) -> std::process::Command {
        let mut command = curl(&self.place);
        command.arg(self.front.url(path));
        self.gateway.has(command)
    }

    fn ask(&self, path: &str) -> Got {
        got(self.command(path))
    }

    /// Sends a request in the background, so that it is pending while something happens.
    fn asking(&self, path: &str) -> std::thread::JoinHandle<crate::harness::Done> {
        let command = self.command(path);
        std::thread::spawn(move || finished(command))
    }

    fn wire(&self, number: usize, state: &str) {
        self.hosts[number].run(&["ip", "link", "set", "wire", state]);
    }

    /// Taking the wire down removes the default route, so this adds it again.
    fn heal(&self, number: usize) {
        self.wire(number, "up");
        self.hosts[number].run(&[
            "ip",
            "route",
            "replace",
            "default",
            "via",
            &format!("10.78.{number}.1"),
        ]);
    }
}

#[test]
fn a_request_is_held_while_the_leader_is_cut_off_and_answered_when_it_is_back() {
    if impossible() {
        return;
    }
    let star = Star::new(&["--hold", "30s"]);
    star.wire(0, "down");
    let held = star.asking("/new?n=1");
    star.front.node.logged("cannot connect to the leader");
    assert!(!held.is_finished());
    star.heal(0);
    let got = taken_apart(&held.join().unwrap().out);
    assert_eq!(
        (got.status.as_str(), got.body.as_str()),
        ("200", "/new 0\n"),
        "{got:?}"
    );
    assert_eq!(star.place.status()["epoch"], 1);
}

#[test]
fn a_request_is_held_while_the_leader_is_cut_off_and_answered_by_the_next() {
    if impossible() {
        return;
    }
    let star = Star::new(&["--hold", "30s"]);
    star.wire(0, "down");
    let held = star.asking("/who?n=1");
    star.front.node.logged("cannot connect to the leader");
    assert!(!held.is_finished());
    star.place.ask(&["resign"]).assert_code(0);
    let got = taken_apart(&held.join().unwrap().out);
    assert_eq!(got.body, "n=1 holder=b epoch=2 meant=2\n", "{got:?}");
}

#[test]
fn a_request_that_was_on_its_way_when_the_leader_was_cut_off_goes_to_the_next() {
    if impossible() {
        return;
    }
    let star = Star::new(&["--hold", "30s"]);
    let asking = star.asking("/who?n=1&wait=3000");
    until("it has begun", || star.place.note("seen").contains("n=1"));
    star.wire(0, "down");
    star.place.ask(&["resign"]).assert_code(0);
    let (done, took) = timed(|| asking.join().unwrap());
    let got = taken_apart(&done.out);
    assert_eq!(got.body, "n=1 holder=b epoch=2 meant=2\n", "{got:?}");
    assert!(took.as_secs() < 15, "{took:?}");
}

#[test]
fn a_request_is_not_held_longer_than_it_may_be() {
    if impossible() {
        return;
    }
    let star = Star::new(&["--hold", "2s"]);
    star.wire(0, "down");
    let (got, took) = timed(|| star.ask("/who?n=1"));
    let problem = got.assert_retryable(&["503"]);
    assert_eq!(problem["type"], "urn:incumbent:problem:unreachable");
    assert_eq!(problem["processed"], "no");
    assert!(!got.body.contains("10.78."), "{got:?}");
    // Connecting takes up to 2 s; then the request is held.
    assert!(took.as_millis() >= 1900 && took.as_secs() < 10, "{took:?}");
}

#[test]
fn a_request_on_a_kept_connection_is_answered_when_the_leader_is_back() {
    if impossible() {
        return;
    }
    let star = Star::new(&[]);
    assert!(star.ask("/who?n=0").body.contains("holder=a"));
    star.wire(0, "down");
    let sent = star.asking("/who?n=1");
    let retransmitting = || {
        let mut command = std::process::Command::new("ss");
        command.args(["-tno", "dst", "10.78.0.2"]);
        finished(star.gateway.has(command))
            .out
            .contains("timer:(on")
    };
    until("it was sent and not taken", retransmitting);
    star.heal(0);
    let got = taken_apart(&sent.join().unwrap().out);
    assert_eq!(got.body, "n=1 holder=a epoch=1 meant=1\n", "{got:?}");
}

/// Nothing reports that the connection is dead: only the time limit for an answer ends it.
#[test]
fn a_request_on_a_kept_connection_does_not_wait_longer_than_an_answer_may_take() {
    if impossible() {
        return;
    }
    let star = Star::new(&["--answer-timeout", "3s", "--hold", "2s"]);
    assert!(star.ask("/who?n=0").body.contains("holder=a"));
    star.wire(0, "down");
    let (got, took) = timed(|| star.ask("/who?n=1"));
    assert!(
        ["502", "503", "504"].contains(&got.status.as_str()),
        "{got:?}"
    );
    assert!(got.head.contains("application/problem+json"), "{got:?}");
    assert!(took.as_secs() < 10, "{took:?}");
}
