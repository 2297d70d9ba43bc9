//! `incumbent flink` and `incumbent gateway --flink`, on a double of the API server that holds the
//! data of a Flink cluster.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use incumbent_kubernetes_double::{Double, Fault, How, Match, Options, Verb};
use serde_json::{Value, json};

use crate::harness::{Node, Place, eventually, over_tcp, until};

const ONE: &str = "8b5f5a4e-1c55-4f0c-9d2e-000000000001";
const TWO: &str = "8b5f5a4e-1c55-4f0c-9d2e-000000000002";

const MAP: &str = "cluster-cluster-config-map";

/// An API server, and processes that use it.
struct Flink {
    place: Place,
    double: Double,
}

impl Flink {
    fn start() -> Self {
        let (place, double) = (Place::new(), Double::start_now(Options::default()));
        fs::write(place.path("kubeconfig"), double.kubeconfig(None)).unwrap();
        Self { place, double }
    }

    fn address(&self, cluster: &str) -> String {
        let file = self.place.path("kubeconfig");
        format!(
            "kubernetes://default/{cluster}?kubeconfig={}",
            file.display()
        )
    }

    fn lead(&self, session: &str, address: &str) {
        let leader = format!("{session},{address}");
        self.put(json!({ "org.apache.flink.k8s.leader.restserver": leader }));
    }

    /// Writes the cluster's ConfigMap with this data and a held lock.
    fn put(&self, data: Value) {
        let lock = json!({ "holderIdentity": "a", "leaseDuration": "PT1S", "renewTime": "1" });
        let metadata = json!({
            "labels": { "app": "cluster", "type": "flink-native-kubernetes" },
            "annotations": { "control-plane.alpha.kubernetes.io/leader": lock.to_string() },
        });
        let map = json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data,
        });
        self.double.put_by_hand("configmaps", "default", MAP, map);
    }

    fn remove(&self) {
        let removed = self.double.delete_by_hand("configmaps", "default", MAP);
        removed.unwrap();
    }

    /// Starts a gateway that holds no requests, and returns its address too.
    fn gateway(&self) -> (Node, String) {
        let address = self.address("cluster");
        let mut command = self
            .place
            .incumbent(&["gateway", "--listen", "127.0.0.1:0"]);
        command.args(["--hold", "0s", "--flink", &address]);
        let node = self.place.start("gateway", command);
        let said = self.place.noted("gateway.out");
        let (_, address) = said.split_once("://").unwrap();
        (node, address.to_owned())
    }
}

/// A REST server that answers each request with its epoch and its URL.
fn rest_server() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    // It ends with the test program.
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            std::thread::spawn(move || answer(stream.unwrap()));
        }
    });
    format!("http://{address}")
}

fn answer(mut stream: TcpStream) {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read_exact(&mut byte).is_err() {
            return;
        }
        head.extend(byte);
    }
    let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
    let mut lines = head.lines();
    let epoch = lines.find_map(|line| line.strip_prefix("incumbent-epoch: "));
    let epoch = epoch.unwrap_or("none");
    let length = epoch.len();
    let answer =
        format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{epoch}");
    // The client may be gone.
    let _ = stream.write_all(answer.as_bytes());
}

/// Waits until a request is answered with this status, and returns the body.
fn answered(gateway: &str, status: u16) -> String {
    eventually(&format!("it is answered with {status}"), || {
        let answer = over_tcp(gateway, "GET", "/", &[], "").ok()?;
        (answer.status == status).then_some(answer.body)
    })
}

#[test]
fn a_leader_whose_entry_goes_and_comes_back_leads_on_in_its_epoch() {
    let flink = Flink::start();
    let rest = rest_server();
    flink.lead(ONE, &rest);
    let (_node, gateway) = flink.gateway();
    assert_eq!(answered(&gateway, 200), "1");
    flink.remove();
    answered(&gateway, 503);
    flink.lead(ONE, &rest);
    assert_eq!(answered(&gateway, 200), "1");
    flink.lead(TWO, &rest);
    until("the next epoch has begun", || {
        answered(&gateway, 200) == "2"
    });
    flink.lead(ONE, &rest);
    until("the next epoch has begun", || {
        answered(&gateway, 200) == "3"
    });
}

#[test]
fn an_address_of_flinks_that_cannot_be_used_is_logged_with_the_reason() {
    let flink = Flink::start();
    flink.lead(ONE, "pekko.tcp://flink@jm:6123");
    let (node, gateway) = flink.gateway();
    let line = node.logged("cannot use the address that Flink published");
    assert!(
        // Logs leave out the part before the host: it may be a password.
        line.contains("pekko.tcp://…@jm:6123") && line.contains("neither http://host:port"),
        "{line}"
    );
    answered(&gateway, 503);
    flink.lead(ONE, &rest_server());
    assert_eq!(answered(&gateway, 200), "1");
}

/// Each renewal of the lock delivers the entry again.
#[test]
fn an_unreadable_entry_is_logged_once_and_so_is_its_end() {
    let flink = Flink::start();
    let key = "org.apache.flink.k8s.leader.restserver";
    flink.put(json!({ key: "text" }));
    let (node, gateway) = flink.gateway();
    let line = node.logged("Flink's entry of its leader is unreadable");
    assert!(line.contains("it has no address"), "{line}");
    for number in 0..5 {
        flink.put(json!({ key: "text", "other": number.to_string() }));
    }
    flink.lead(ONE, &rest_server());
    answered(&gateway, 200);
    node.logged("Flink's entry of its leader is readable again");
    let log = node.log();
    assert_eq!(log.matches("is unreadable").count(), 1, "{log}");
}

#[test]
fn an_outage_of_the_api_server_is_logged_once() {
    let flink = Flink::start();
    let rest = rest_server();
    flink.lead(ONE, &rest);
    let (node, gateway) = flink.gateway();
    assert_eq!(answered(&gateway, 200), "1");
    let faults = [Verb::List, Verb::Watch].map(|verb| {
        flink.double.inject(Fault {
            on: Match::on(verb, "configmaps"),
            skip: 0,
            times: None,
            how: How::CutBefore,
        })
    });
    flink.double.cut_watches();
    until("it has retried several times", || {
        faults
            .iter()
            .map(|fault| flink.double.struck(*fault))
            .sum::<u32>()
            > 8
    });
    let log = node.log();
    let lost = log
        .lines()
        .filter(|line| line.contains("cannot be read; the last known leader stays"));
    assert_eq!(lost.count(), 1, "{log}");
    assert!(!log.contains("ERROR"), "{log}");
    // It answers requests all the while.
    assert_eq!(answered(&gateway, 200), "1");
    flink.double.clear_faults();
    node.logged("can be read again");
}

#[test]
fn a_file_for_tls_that_cannot_be_used_is_named_with_the_reason() {
    let place = Place::new();
    let junk = place.path("junk.pem");
    fs::write(&junk, "junk").unwrap();
    for (file, why) in [
        ("/none/such.pem", "No such file or directory"),
        (junk.to_str().unwrap(), "it must be PEM"),
    ] {
        let address = format!("zookeeper://127.0.0.1:1/flink/cluster?ca={file}");
        for args in [
            &["flink", "inspect", &address][..],
            &["gateway", "--flink", &address],
        ] {
            let done = place.ask(args).assert_code(2);
            assert!(
                done.err.contains(file) && done.err.contains(why),
                "{}",
                done.err
            );
        }
    }
}

#[test]
fn a_cluster_that_is_not_there_is_not_found() {
    let flink = Flink::start();
    flink.lead(ONE, "http://jm:8081");
    let inspect = |cluster| {
        let address = flink.address(cluster);
        flink
            .place
            .ask(&["flink", "inspect", "--no-wait", &address])
    };
    let found = inspect("cluster").assert_code(0);
    assert_eq!(found.json()["leaders"]["restserver"]["session"], ONE);
    let nothing = inspect("nope").assert_code(6);
    let words =
        "no HA data of a Flink cluster nope in the namespace default; this namespace has: cluster";
    assert!(nothing.err.contains(words), "{}", nothing.err);
    flink.double.go_down();
    let unavailable = inspect("cluster").assert_code(7);
    // One line, and no lines of the client library.
    assert_eq!(unavailable.err.lines().count(), 1, "{}", unavailable.err);
}

#[test]
fn problems_have_an_exit_code_of_their_own_and_notes_have_none() {
    let flink = Flink::start();
    flink.lead(ONE, "http://jm:8081");
    let address = flink.address("cluster");
    // No process renews the lock.
    let dead = flink
        .place
        .ask(&["flink", "inspect", &address])
        .assert_code(8);
    let problem = &dead.json()["problems"][0];
    assert_eq!(problem["kind"], "no-leader");
    assert_eq!(problem["severity"], "warning");
    let table = ["flink", "inspect", "--format", "table", &address];
    let dead = flink.place.ask(&table).assert_code(8);
    assert!(
        dead.out.contains("the lock was not renewed for "),
        "{}",
        dead.out
    );
    assert!(dead.out.contains("1 problem: 1 warning"), "{}", dead.out);
    // Left by a job that has ended.
    let job = format!("org.apache.flink.k8s.leader.job-{:032x}", 1);
    flink.put(json!({ job: format!("{ONE},pekko.tcp://jm") }));
    let left = flink
        .place
        .ask(&["flink", "inspect", "--no-wait", &address]);
    let left = left.assert_code(0).json();
    assert_eq!(left["problems"][0]["severity"], "note");
}

#[test]
fn the_clusters_of_a_namespace_are_listed() {
    let flink = Flink::start();
    let namespace = flink.address("");
    let inspect = ["flink", "inspect", &namespace];
    let none = flink.place.ask(&inspect).assert_code(6);
    assert!(
        none.err.contains("there is no Flink cluster at "),
        "{}",
        none.err
    );
    flink.lead(ONE, "http://jm:8081");
    let found = flink.place.ask(&inspect).assert_code(0).json();
    assert_eq!(
        found["clusters"][0]["address"],
        "kubernetes://default/cluster"
    );
    assert_eq!(found["clusters"][0]["rest_server"], "http://jm:8081");
    // A gateway needs one of them.
    let gateway = flink
        .place
        .ask(&["gateway", "--flink", &namespace])
        .assert_code(2);
    assert!(
        gateway.err.contains("it names no cluster"),
        "{}",
        gateway.err
    );
}

#[test]
fn what_flink_stores_is_printed_escaped() {
    let flink = Flink::start();
    flink.lead(ONE, "http://jm\u{1b}[2J\u{202e}:1");
    let address = flink.address("cluster");
    for format in ["table", "json"] {
        let args = [
            "flink",
            "inspect",
            "--no-wait",
            "--format",
            format,
            &address,
        ];
        let printed = flink.place.ask(&args).assert_code(0);
        assert!(
            !printed.out.contains(['\u{1b}', '\u{202e}']),
            "{}",
            printed.out
        );
        assert!(printed.out.contains("202e"), "{}", printed.out);
    }
}

#[test]
fn a_refusal_is_reported_once_in_the_words_of_the_api_server() {
    let flink = Flink::start();
    flink.double.allow("token", "reader", Vec::new());
    let kubeconfig = flink.double.kubeconfig(Some("token"));
    fs::write(flink.place.path("kubeconfig"), kubeconfig).unwrap();
    let address = flink.address("cluster");
    let refused = flink.place.ask(&["flink", "inspect", &address]);
    let (node, _) = flink.gateway();
    for text in [
        refused.assert_code(1).err,
        node.logged("the leader of the Flink cluster cannot be read"),
    ] {
        assert_eq!(text.matches("forbidden").count(), 1, "{text}");
        assert!(!text.contains("Status {"), "{text}");
    }
}
