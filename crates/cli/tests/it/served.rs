//! `incumbent run` on a leader server: in its own process, and inside the first node.

use crate::harness::{NOTE, Node, Place, free_port};

/// A script that notes its start, writes a record, and stays.
fn working() -> String {
    format!(
        "{NOTE} $INCUMBENT_EXE records put started-by \\\"$INCUMBENT_HOLDER\\\" && exec sleep 1000"
    )
}

/// Starts a server at this port, always on the same directory.
fn server(place: &Place, name: &str, port: u16) -> Node {
    let listen = format!("127.0.0.1:{port}");
    let command = place.incumbent(&["serve", "--listen", &listen, "--data-dir", "served"]);
    let node = place.start(name, command);
    node.logged("serving the ZooKeeper protocol");
    node
}

#[test]
fn a_server_that_is_killed_and_comes_back_costs_no_change_of_leader() {
    let place = Place::new();
    let port = free_port();
    let ha = format!("zookeeper://127.0.0.1:{port}/demo");
    let flags = ["--ha", &ha];
    let mut first = server(&place, "s1", port);
    let mut a = place.node("a", &flags, &working());
    place.started(1);
    let b = place.node("b", &flags, &working());
    b.logged("active");
    let status = |code| place.ask(&["status", "--ha", &ha]).assert_code(code).json();
    let get = ["records", "get", "started-by", "--ha", &ha];
    crate::harness::until("the record is there", || {
        place.ask(&get).out.trim() == "\"a\""
    });

    first.kill();
    for node in [&a, &b] {
        node.logged("no connection to ZooKeeper");
    }
    let _second = server(&place, "s2", port);
    assert_eq!(place.ask(&get).assert_code(0).out.trim(), "\"a\"");
    let seen = status(0);
    assert_eq!((&seen["epoch"], &seen["holder"]), (&1.into(), &"a".into()));

    a.kill();
    let next = place.started(2);
    assert_eq!((next.epoch, next.holder.as_str()), (2, "b"));
    place.assert_one_at_a_time();
}

#[test]
fn the_first_node_serves_and_the_next_ones_find_it() {
    let place = Place::new();
    let ha = format!(
        "embedded://{}?listen=127.0.0.1:0",
        place.path("inside").display()
    );
    let flags = ["--ha", &ha];
    let nobody = place.ask(&["status", "--ha", &ha]).assert_code(7);
    assert!(nobody.err.contains("no process serves"), "{}", nobody.err);
    let a = place.node("a", &flags, &working());
    a.logged("this process serves");
    place.started(1);
    let mut b = place.node("b", &flags, &working());
    b.logged("active");
    let status = place.ask(&["status", "--ha", &ha]).assert_code(0).json();
    assert_eq!(status["holder"], "a");
    let resigned = place.ask(&["resign", "--to", "b", "--ha", &ha]);
    resigned.assert_code(0);
    assert_eq!(place.started(2).holder, "b");
    b.kill();
    assert_eq!(place.started(3).holder, "a");
    place.assert_one_at_a_time();
}
