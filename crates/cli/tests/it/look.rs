//! The commands with which people look and act: `observe`, `status`, `resign`.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use rustix::process::Signal;
use serde_json::Value;

use crate::harness::{Place, eventually, finished, free_port, kill, over_tcp, stop, until};

const WAIT: &str = "exec sleep 1000";

#[test]
fn observers_in_a_pipe_are_told_every_change_as_a_line_of_json() {
    let place = Place::new();
    let mut observe = place.incumbent(&["observe"]);
    let mut observer = observe.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(observer.stdout.take().unwrap()).lines();
    let mut seen = Vec::new();
    let mut next = |wanted: &dyn Fn(&Value) -> bool| loop {
        let line: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        assert!(line["time"].is_string(), "{line}");
        seen.push(line.clone());
        if wanted(&line) {
            return line;
        }
    };
    next(&|line| line["state"] == "none");

    let port = free_port();
    let endpoint = format!("web=127.0.0.1:{port}");
    let mut a = place.node("a", &["--publish", &endpoint], WAIT);
    let activating = next(&|line| line["state"] == "activating");
    assert_eq!(
        (activating["holder"].as_str(), activating["epoch"].as_u64()),
        (Some("a"), Some(1))
    );
    let server = std::net::TcpListener::bind(("127.0.0.1", port)).unwrap();
    let active = next(&|line| line["state"] == "active");
    assert_eq!(active["endpoints"]["web"], format!("127.0.0.1:{port}"));
    drop(server);

    let _b = place.node("b", &[], WAIT);
    until("b stands by", || {
        place.status()["standbys"] == serde_json::json!(["b"])
    });
    a.kill();
    next(&|line| line["state"] == "active" && line["holder"] == "b" && line["epoch"] == 2);
    let epochs: Vec<_> = seen
        .iter()
        .filter_map(|line| line["epoch"].as_u64())
        .collect();
    assert!(epochs.is_sorted(), "{epochs:?}");

    kill(observer.id().cast_signed(), Signal::INT);
    let ended = eventually("the observer has ended", || observer.try_wait().unwrap());
    assert!(ended.success());
}

#[test]
fn an_observer_tells_that_nobody_leads_any_more() {
    let place = Place::new();
    let mut a = place.node("a", &[], WAIT);
    place.active("a");
    let mut observe = place.incumbent(&["observe", "--lines", "2"]);
    let mut observer = observe.stdout(Stdio::piped()).spawn().unwrap();
    // The leader may end only after the observer has started.
    until("it is started", || {
        place.processes().contains(&observer.id().cast_signed())
    });
    let mut stdout = BufReader::new(observer.stdout.take().unwrap());
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    assert!(line.contains(r#""state":"active""#), "{line}");
    a.signal(Signal::TERM);
    a.code();
    let mut rest = Vec::new();
    std::io::Read::read_to_end(&mut stdout, &mut rest).unwrap();
    let last: Value = serde_json::from_slice(&rest).unwrap();
    assert_eq!(last["state"], "none");
    assert!(last.get("holder").is_none());
    assert!(observer.wait().unwrap().success());
}

#[test]
fn people_get_tables() {
    let place = Place::new();
    let a = place.node(
        "a",
        &["--ready-now", "--publish", "web=http://10.0.0.7:8000"],
        WAIT,
    );
    place.active("a");
    let observed = place
        .ask(&["observe", "--format", "table", "--lines", "1"])
        .assert_code(0);
    let lines: Vec<_> = observed.out.lines().collect();
    assert_eq!(lines.len(), 2);
    assert!(
        lines[0].starts_with("TIME") && lines[0].ends_with("ENDPOINTS"),
        "{lines:?}"
    );
    let row: Vec<_> = lines[1].split_whitespace().skip(1).collect();
    assert_eq!(row, ["1", "active", "a", "web=http://10.0.0.7:8000"]);

    // On a slow machine, the leader may not answer in time.
    let status = eventually("a status says that the leader is alive", || {
        let status = place.read(&["status", "--format", "table"]).assert_code(0);
        status.out.contains("alive     yes").then_some(status.out)
    });
    for line in [
        &format!("address   {}", place.address()),
        "group     default",
        "state     active",
        "epoch     1",
        "holder    a",
        "endpoint  web=http://10.0.0.7:8000",
        "lease     15s",
        "alive     yes; nobody stands by",
        "records   0, deleted ones included",
    ] {
        assert!(status.lines().any(|l| l == line), "{line:?} in\n{status}");
    }
    drop(a);
}

#[test]
fn it_is_fine_if_nobody_reads_what_is_printed() {
    let place = Place::new();
    let _a = place.node("a", &[], WAIT);
    place.active("a");
    for command in ["records ls", "status", "completions bash", "man"] {
        let mut shell = place.program("sh");
        let pipe = format!("{{ $I {command} 2>err; }} | true; cat err");
        shell.args(["-c", &pipe]);
        assert_eq!(finished(shell).out, "", "{command}");
    }
}

#[test]
fn status_says_by_its_exit_code_whether_somebody_leads() {
    let place = Place::new().with_store();
    let none = place.ask(&["status"]).assert_code(3).json();
    assert_eq!(none["state"], "none");
    let mut a = place.node("a", &["--lease", "2s"], WAIT);
    let active = place.active("a");
    assert_eq!(active["alive"], true);
    place.ask(&["status"]).assert_code(0);
    let table = place.ask(&["status", "--format", "table"]).assert_code(0);
    assert!(table.out.contains("nobody stands by"));
    a.kill();
    until("it is seen dead", || place.ask(&["status"]).code == Some(3));
    let dead = place.status();
    assert_eq!(
        (dead["alive"].as_bool(), dead["holder"].as_str()),
        (Some(false), Some("a"))
    );
    let mut b = place.node("b", &[], WAIT);
    place.active("b");
    b.signal(Signal::TERM);
    b.code();
    assert_eq!(
        place.ask(&["status"]).assert_code(3).json()["state"],
        "released"
    );
}

#[test]
fn a_stopped_leader_is_not_said_to_be_alive() {
    let place = Place::new();
    let a = place.node("a", &["--lease", "2s"], WAIT);
    place.active("a");
    stop(a.pid());
    let status = place.ask(&["status"]).assert_code(3).json();
    assert_eq!(status["alive"], false);
    let why = status["silence"].as_str().unwrap();
    assert!(
        why.contains("timed out") && why.contains("no renewal"),
        "{why}"
    );
}

#[test]
fn resign_hands_over_to_whom_it_names() {
    let place = Place::new();
    let nodes = ["a", "b", "c"].map(|name| {
        let node = place.node(name, &[], WAIT);
        node.logged("active");
        node
    });
    let all_stand_by = || {
        place.status()["standbys"]
            .as_array()
            .is_some_and(|names| names.len() == 2)
    };
    for to in ["c", "b", "a", "c"] {
        until("two stand by", all_stand_by);
        let done = place.ask(&["resign", "--to", to]).assert_code(0);
        assert!(
            done.out.starts_with(&format!("{to} leads at epoch ")),
            "{}",
            done.out
        );
        assert_eq!(place.status()["holder"], to);
    }
    assert_eq!(place.status()["epoch"], 5);
    nodes[0].logged("asked to hand over");
    until("two stand by", all_stand_by);
    let done = place.ask(&["resign"]).assert_code(0);
    assert!(!done.out.starts_with("c "), "{}", done.out);
}

#[test]
fn resign_says_if_nobody_leads_and_if_another_one_took_it() {
    let place = Place::new().with_store();
    let none = place.ask(&["resign"]).assert_code(3);
    assert!(none.err.contains("nobody leads"), "{}", none.err);
    let _a = place.node("a", &["--lease", "2s"], WAIT);
    place.active("a");
    let _b = place.node("b", &["--lease", "2s"], WAIT);
    until("b stands by", || {
        place.status()["standbys"] == serde_json::json!(["b"])
    });
    let other = place.ask(&["resign", "--to", "nobody"]).assert_code(4);
    assert!(
        other.err.contains("nobody did not become the leader"),
        "{}",
        other.err
    );
    assert!(other.out.contains("leads at epoch 2"), "{}", other.out);
}

#[test]
fn resign_says_if_the_leader_does_not_answer() {
    let place = Place::new();
    let a = place.node("a", &[], WAIT);
    place.active("a");
    stop(a.pid());
    let done = place.ask(&["resign", "--timeout", "500ms"]).assert_code(7);
    assert!(
        done.err
            .contains("nobody else is active after 500ms: a leads at epoch 1"),
        "{}",
        done.err
    );
}

/// A mistyped address would otherwise become a new and empty place without a leader.
#[test]
fn a_look_at_a_place_that_is_not_there_says_so_and_does_not_make_it() {
    let place = Place::new();
    let missing = format!("file://{}/none/x", place.path("").display());
    std::fs::create_dir(place.path("empty")).unwrap();
    let empty = format!("file://{}", place.path("empty").display());
    for ha in [missing, empty] {
        for args in [
            &["status"][..],
            &["resign"],
            &["records", "ls"],
            &["records", "get", "x", "--default", "0"],
            &["purge", "--yes"],
        ] {
            let done = place.ask(&[&["--ha", &ha], args].concat()).assert_code(2);
            let words = format!("there is no store at {ha}");
            assert!(done.err.contains(&words), "{args:?}: {}", done.err);
        }
    }
    assert!(!place.path("none").exists());
    assert_eq!(std::fs::read_dir(place.path("empty")).unwrap().count(), 0);
    // A long-running `observe` may start before the first leader.
    place.ask(&["observe", "--lines", "1"]).assert_code(0);
    assert_eq!(place.status()["state"], "none");
}

#[test]
fn pages_of_any_group_show_who_leads_and_records_without_their_secrets() {
    let place = Place::new();
    let nothing = place.ask(&["ui", "--listen", "127.0.0.1:0"]);
    nothing.assert_code(2);
    let server = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let web = server.local_addr().unwrap().to_string();
    let mut a = place.node("a", &["--publish", &format!("web={web}")], WAIT);
    place.active("a");
    let open = place.ask(&["ui", "--listen", "0.0.0.0:0"]).assert_code(2);
    assert!(open.err.contains("--token-file"), "{}", open.err);
    assert!(open.err.contains("read the records"), "{}", open.err);
    assert!(!open.err.contains("run programs"), "{}", open.err);
    let mut ui = place.incumbent(&["ui", "--listen", "127.0.0.1:0"]);
    let mut ui = ui.stdout(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(ui.stdout.take().unwrap()).lines();
    let address = said.next().unwrap().unwrap();
    let address = address.strip_prefix("http://").unwrap().to_owned();
    let get = |path: &str| over_tcp(&address, "GET", path, &["host: localhost"], "").unwrap();
    let features = get("/v1/features").json();
    assert_eq!(features["kind"], "group", "{features}");
    let page = get("/");
    assert!(
        page.body.contains("<title>Incumbent</title>"),
        "{}",
        page.head
    );
    until("the leader is seen", || {
        get("/v1/leadership").json()["now"]["name"] == "a"
    });
    let story = get("/v1/leadership").json();
    assert_eq!(story["root"]["endpoints"]["web"], web);
    assert_eq!(get("/v1/records").json()["total"], 0);
    assert_eq!(get("/v1/jobs").status, 404, "there is no cluster");
    let _b = place.node("b", &[], WAIT);
    a.kill();
    until("the change is seen", || {
        let story = get("/v1/leadership").json();
        story["changes"][0]["leader"] == "b" && story["changes"][1]["leader"] == "a"
    });
    kill(ui.id().cast_signed(), Signal::TERM);
    let ended = eventually("it has ended", || ui.try_wait().unwrap());
    assert!(ended.success());
}
