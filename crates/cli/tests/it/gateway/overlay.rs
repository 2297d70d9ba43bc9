//! Clients in other networks than the nodes. They know the gateway by names that only they know.

use rustix::process::Signal;

use crate::harness::{Node, Place, finished, timed, until};

use super::front::{self, Front, Got, curl, got, node_at, standing_by_at};
use super::networks::{Host, impossible};

/// The networks: the nodes; the part between gateway and clients; and the clients behind address
/// translation.
const INTERNAL: [&str; 2] = ["10.77.1.", "fd77:1:"];

/// Two nodes in one network, and a gateway on a host between that network and another one.
struct Overlay {
    gateway: Host,
    nodes: Host,
    front: Front,
    running: Vec<Node>,
    /// Dropped last: dropping it removes files that the other fields use in their own drop.
    place: Place,
}

impl Overlay {
    /// `hosts` are the names that the gateway and the nodes know. `publish` is the address that
    /// each node publishes. `{}` stands for the number of the node.
    fn new(hosts: &str, publish: &str, listen: &str) -> Self {
        let place = Place::new();
        let (gateway, nodes) = (
            Host::that_knows(&place, hosts),
            Host::that_knows(&place, hosts),
        );
        nodes.join(
            "inner",
            &[
                "10.77.1.2/24",
                "10.77.1.3/24",
                "fd77:1::2/64",
                "fd77:1::3/64",
            ],
            &gateway,
            "inner",
            &["10.77.1.1/24", "fd77:1::1/64"],
        );
        let start = |name: &str, number: &str| {
            let listen = listen.replace("{}", number);
            let publish = format!("web={}", publish.replace("{}", number));
            let command = node_at(&place, name, &listen, &publish, &["--lease", "2s"]);
            place.start(name, nodes.has(command))
        };
        let mut running = vec![start("a", "2")];
        place.active("a");
        running.push(start("b", "3"));
        standing_by_at(&place, &nodes, &["b"]);
        let mut command = place.incumbent(&["gateway", "--listen", "[::]:8080", "--hold", "3s"]);
        command.args(["--access-log", "off"]);
        let front = front::front(&place, "gateway", gateway.has(command));
        Self {
            gateway,
            nodes,
            front,
            running,
            place,
        }
    }

    fn curl(&self, from: &Host, flags: &[&str], url: &str) -> Got {
        let mut command = curl(&self.place);
        command.args(flags).arg(url);
        got(from.has(command))
    }

    /// Asserts everything that a client may expect, however it reaches the gateway.
    fn assert_serves(&self, client: &Host, flags: &[&str], base: &str, host: &str, upstream: &str) {
        let ask = |path: &str| self.curl(client, flags, &format!("{base}{path}"));
        let who = ask("/who?n=1");
        assert_eq!(who.body, "n=1 holder=a epoch=1 meant=1\n", "{who:?}");
        assert_external(&who);

        // The node learns the name that the client used.
        let headers = ask("/headers");
        for line in [format!("host: {host}"), format!("x-forwarded-host: {host}")] {
            assert!(
                headers.body.lines().any(|found| found == line),
                "{line}: {headers:?}"
            );
        }

        // The client cannot resolve the node's own name: redirects lead to the gateway.
        let redirect = ask(&format!("/redirect?to=http://{upstream}/next"));
        assert!(
            redirect.head.contains("\r\nlocation: /next"),
            "{redirect:?}"
        );
        assert_external(&redirect);
        let followed = self.curl(
            client,
            &[flags, &["-L"]].concat(),
            &format!("{base}/redirect?to=http://{upstream}/who"),
        );
        assert!(followed.body.contains("holder=a"), "{followed:?}");

        // The next leader answers at the same address.
        self.place.ask(&["resign", "--to", "b"]).assert_code(0);
        let who = ask("/who?n=2");
        assert_eq!(who.body, "n=2 holder=b epoch=2 meant=2\n", "{who:?}");
        standing_by_at(&self.place, &self.nodes, &["a"]);

        // Problem answers do not name a node.
        for node in &self.running {
            node.signal(Signal::TERM);
        }
        until("nobody leads", || {
            finished(self.nodes.has(self.place.incumbent(&["status"]))).json()["state"] != "active"
        });
        let problem = ask("/who?n=3");
        problem.assert_retryable(&["503"]);
        assert_external(&problem);
        assert!(
            !problem.head.contains(upstream) && !problem.body.contains(upstream),
            "{problem:?}"
        );
        assert!(self.front.node.log().contains("leader=b"));
    }
}

#[track_caller]
fn assert_external(got: &Got) {
    for internal in INTERNAL {
        assert!(
            !got.head.contains(internal) && !got.body.contains(internal),
            "{got:?}"
        );
    }
}

fn cannot_reach(client: &Host, place: &Place, url: &str) {
    let mut command = curl(place);
    command.args(["--connect-timeout", "1"]).arg(url);
    assert_ne!(finished(client.has(command)).code, Some(0));
}

#[test]
fn a_client_without_a_route_to_the_nodes_is_served_by_a_gateway_between_the_networks() {
    if impossible() {
        return;
    }
    let overlay = Overlay::new("", "10.77.1.{}:8081", "10.77.1.{}:8081");
    let client = Host::new();
    client.join(
        "outer",
        &["10.77.2.2/24"],
        &overlay.gateway,
        "outer",
        &["10.77.2.1/24"],
    );
    client.run(&["ip", "route", "add", "default", "via", "10.77.2.1"]);
    cannot_reach(&client, &overlay.place, "http://10.77.1.2:8081/who");
    let base = "http://10.77.2.1:8080";
    overlay.assert_serves(&client, &[], base, "10.77.2.1:8080", "10.77.1.2:8081");
}

#[test]
fn a_client_is_served_over_ipv6() {
    if impossible() {
        return;
    }
    let overlay = Overlay::new("", "[fd77:1::{}]:8081", "[fd77:1::{}]:8081");
    let client = Host::new();
    client.join(
        "outer",
        &["fd77:2::2/64"],
        &overlay.gateway,
        "outer",
        &["fd77:2::1/64"],
    );
    let base = "http://[fd77:2::1]:8080";
    let forwarded = overlay.curl(&client, &["-g"], &format!("{base}/headers"));
    assert!(
        forwarded.body.contains("for=\"[fd77:2::2]\""),
        "{forwarded:?}"
    );
    assert!(
        forwarded.body.contains("x-forwarded-for: fd77:2::2\n"),
        "{forwarded:?}"
    );
    overlay.assert_serves(
        &client,
        &["-g"],
        base,
        "[fd77:2::1]:8080",
        "[fd77:1::2]:8081",
    );
}

#[test]
fn gateway_and_node_work_on_ipv6_loopback() {
    if super::front::no_curl() {
        return;
    }
    let Ok(probe) = std::net::TcpListener::bind("[::1]:0") else {
        eprintln!("SKIPPED a test of the gateway: there is no IPv6 here");
        return;
    };
    let address = probe.local_addr().unwrap().to_string();
    drop(probe);
    let place = Place::new();
    let command = node_at(&place, "a", &address, &format!("web=http://{address}"), &[]);
    let _a = place.start("a", command);
    place.active("a");
    let command = place.incumbent(&["gateway", "--listen", "[::1]:0"]);
    let front = front::front(&place, "gateway", command);
    let who = front.get(&place, "/who?n=6", &["-g"]);
    assert_eq!(who.body, "n=6 holder=a epoch=1 meant=1\n");
    assert!(
        front
            .get(&place, "/headers", &["-g"])
            .body
            .contains("for=\"[::1]\"")
    );
}

/// The port of a container is mapped to the client's localhost. The node publishes a name of the
/// containers' network, which nothing outside can resolve.
#[test]
fn a_client_of_docker_compose_reaches_a_mapped_port_on_localhost() {
    if impossible() {
        return;
    }
    let names = "10.77.1.2 jobmanager-2\n10.77.1.3 jobmanager-3";
    let overlay = Overlay::new(names, "jobmanager-{}:8081", "10.77.1.{}:8081");
    let client = Host::new();
    client.join(
        "outer",
        &["10.77.2.2/24"],
        &overlay.gateway,
        "outer",
        &["10.77.2.1/24"],
    );
    // This relay stands for the proxy that maps ports in user space.
    let mut relay = overlay.place.program("sh");
    relay
        .args(["-c", front::QUIET_SCRIPT])
        .env("BACKEND", front::backend());
    relay.env("BACKEND_LISTEN", "relay 127.0.0.1:6123 10.77.2.1:8080");
    let _relay = overlay.place.start("relay", client.has(relay));
    cannot_reach(&client, &overlay.place, "http://jobmanager-2:8081/who");
    let base = "http://localhost:6123";
    until("the port is mapped", || {
        let mut command = curl(&overlay.place);
        command.arg(base);
        finished(client.has(command)).code == Some(0)
    });
    overlay.assert_serves(&client, &[], base, "localhost:6123", "jobmanager-2:8081");
}

#[test]
fn a_client_reaches_the_gateway_through_translated_addresses_under_a_name_that_only_it_knows() {
    if impossible() {
        return;
    }
    let Some(translate) = Translation::here() else {
        eprintln!(
            "SKIPPED a test of the gateway behind NAT: neither `nft` nor `iptables` works here"
        );
        return;
    };
    let overlay = Overlay::new("", "10.77.1.{}:8081", "10.77.1.{}:8081");
    let router = Host::new();
    router.join(
        "inner",
        &["10.77.2.2/24"],
        &overlay.gateway,
        "outer",
        &["10.77.2.1/24"],
    );
    let client = Host::that_knows(&overlay.place, "10.77.3.1 anything.example");
    client.join(
        "outer",
        &["10.77.3.2/24"],
        &router,
        "outer",
        &["10.77.3.1/24"],
    );
    client.run(&["ip", "route", "add", "default", "via", "10.77.3.1"]);
    router.set("net/ipv4/ip_forward", "1");
    translate.map(&router, 80, "10.77.2.1:8080");
    cannot_reach(&client, &overlay.place, "http://10.77.1.2:8081/who");
    let base = "http://anything.example";
    // All clients have the address of the router.
    let headers = overlay.curl(&client, &[], &format!("{base}/headers"));
    assert!(
        headers.body.contains("x-forwarded-for: 10.77.2.2\n"),
        "{headers:?}"
    );
    overlay.assert_serves(&client, &[], base, "anything.example", "10.77.1.2:8081");
}

/// The tool that translates addresses on this machine.
enum Translation {
    Nft,
    Iptables,
}

impl Translation {
    /// The first tool that works in its own network, which not every kernel allows.
    fn here() -> Option<Self> {
        let works = |words: &[&str]| {
            let mut command = std::process::Command::new("unshare");
            command.arg("--net").args(words);
            command.output().is_ok_and(|done| done.status.success())
        };
        let chain =
            "add table ip nat; add chain ip nat any { type nat hook prerouting priority dstnat; }";
        if works(&["nft", chain]) {
            return Some(Self::Nft);
        }
        works(&["iptables", "-t", "nat", "-L"]).then_some(Self::Iptables)
    }

    /// Maps a port of the host to an address. Connections then come from the host.
    fn map(&self, host: &Host, port: u16, to: &str) {
        match self {
            Self::Nft => {
                // Some versions want each statement on a line of its own.
                let rules = format!(
                    "table ip nat {{
                       chain before {{
                         type nat hook prerouting priority dstnat
                         tcp dport {port} dnat to {to}
                       }}
                       chain after {{
                         type nat hook postrouting priority srcnat
                         masquerade
                       }}
                     }}"
                );
                host.run(&["nft", &rules]);
            }
            Self::Iptables => {
                let port = port.to_string();
                let before = [
                    "-p",
                    "tcp",
                    "--dport",
                    &port,
                    "-j",
                    "DNAT",
                    "--to-destination",
                    to,
                ];
                host.run(&[&["iptables", "-t", "nat", "-A", "PREROUTING"], &before[..]].concat());
                host.run(&[
                    "iptables",
                    "-t",
                    "nat",
                    "-A",
                    "POSTROUTING",
                    "-j",
                    "MASQUERADE",
                ]);
            }
        }
    }
}

#[test]
fn of_several_endpoints_the_one_is_used_that_can_be_reached() {
    if impossible() {
        return;
    }
    let place = Place::new();
    let (gateway, node) = (Host::new(), Host::new());
    node.join(
        "inner",
        &["10.77.1.2/24"],
        &gateway,
        "inner",
        &["10.77.1.1/24"],
    );
    // The first address has no route, and the second has a route to nowhere. Of the third endpoint,
    // the second address is meant for this network.
    let publish = "external=10.77.9.9:8081";
    let mut command = place.incumbent(&["run", "--holder", "a", "--publish", publish]);
    command.args([
        "--publish",
        "other=10.77.1.99:8081",
        "--publish",
        "web=10.77.1.98:8081,web=10.77.1.2:8081",
    ]);
    command.args([
        "--ready",
        "http://10.77.1.2:8081/who",
        "--",
        "sh",
        "-c",
        front::SCRIPT,
    ]);
    command
        .env("BACKEND", front::backend())
        .env("BACKEND_LISTEN", "http 10.77.1.2:8081");
    let _a = place.start("a", node.has(command));
    place.active("a");
    let mut command = place.incumbent(&["gateway", "--listen", "127.0.0.1:8080"]);
    command.args(["--to", "external,other,web", "--connect-timeout", "1s"]);
    let front = front::front(&place, "gateway", gateway.has(command));
    let mut first = curl(&place);
    first.arg(front.url("/who?n=1"));
    assert_eq!(
        got(gateway.has(first)).body,
        "n=1 holder=a epoch=1 meant=1\n"
    );
    // From then on, the address that worked is tried first: no request waits for the others again.
    let mut second = curl(&place);
    second
        .args(["-H", "Connection: close"])
        .arg(front.url("/drip?pieces=1&every=0"));
    let (got, took) = timed(|| got(gateway.has(second)));
    assert_eq!(got.body, "piece 0\n");
    assert!(took.as_millis() < 900, "{took:?}");
}
