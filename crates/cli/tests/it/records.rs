//! Records: from the command line, inside a command and outside, and the errors that an old leader
//! gets.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

use rustix::process::Signal;

use crate::harness::{Answer, NOTE, Node, Place, kill, over_unix, parent, runs, stop, until};

/// A leader whose command only reports its socket. The test then acts as the command.
fn api(place: &Place, name: &str, flags: &[&str]) -> (Node, String) {
    let script = format!("echo $INCUMBENT_RECORDS_SOCKET > {name}-socket; exec sleep 1000");
    let node = place.node(name, flags, &script);
    let socket = place.noted(&format!("{name}-socket"));
    (node, socket)
}

fn opened(socket: &str, name: &str) -> Answer {
    over_unix(socket, "POST", &format!("/v1/records/{name}"), &[], "").unwrap()
}

fn etag(answer: &Answer) -> String {
    format!("if-match: {}", answer.json()["etag"].as_str().unwrap())
}

#[test]
fn without_a_leader_records_are_read_and_written_by_leading_for_a_moment() {
    let place = Place::new();
    let put = |args: &[&str], code| {
        place
            .ask(&[&["records", "put"], args].concat())
            .assert_code(code)
    };
    put(&["jobs/1", r#"{"state": "running"}"#], 0);
    put(&["jobs/2", "12345678901234567890.100"], 0);
    assert_eq!(
        place.ask(&["records", "get", "jobs/1"]).out,
        "{\"state\": \"running\"}\n"
    );
    assert_eq!(
        place.ask(&["records", "get", "jobs/2"]).out,
        "12345678901234567890.100\n"
    );
    // Each write led for one epoch, and nobody leads afterwards.
    let status = place.ask(&["status"]).assert_code(3).json();
    assert_eq!(
        (status["epoch"].as_u64(), status["records"].as_u64()),
        (Some(2), Some(2))
    );

    let listed = place.ask(&["records", "ls", "jobs/"]).assert_code(0);
    let names: Vec<_> = listed
        .out
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["name"].clone())
        .collect();
    assert_eq!(names, ["jobs/1", "jobs/2"]);
    let table = place.ask(&["records", "ls", "--format", "table"]).out;
    assert!(
        table.lines().next().unwrap().starts_with("RECORD"),
        "{table}"
    );

    let unexpected = put(&["jobs/1", "2", "--expect", "1"], 4);
    assert!(
        unexpected.err.contains("not what was expected"),
        "{}",
        unexpected.err
    );
    put(&["jobs/1", "2", "--expect", r#"{"state":"running"}"#], 0);
    put(&["jobs/3", "1", "--if-absent"], 0);
    put(&["jobs/3", "1", "--if-absent"], 4);
    let bad = put(&["jobs/1", "hello"], 2);
    assert!(
        bad.err
            .contains("is not JSON (line 1, column 1); text needs quotes of its own"),
        "{}",
        bad.err
    );
    put(&["jobs//1", "1"], 2);

    place.ask(&["records", "rm", "jobs/1"]).assert_code(0);
    let gone = place.ask(&["records", "get", "jobs/1"]).assert_code(6);
    assert!(gone.err.contains("jobs/1 does not exist"), "{}", gone.err);
    assert_eq!(place.ask(&["records", "ls"]).out.lines().count(), 2);
}

#[test]
fn data_can_come_from_standard_input_and_may_be_null() {
    let place = Place::new();
    let mut put = place.incumbent(&["records", "put", "x", "-"]);
    let mut child = put.stdin(Stdio::piped()).spawn().unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(b" [1,\n 2] ")
        .unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(place.ask(&["records", "get", "x"]).out, "[1,\n 2]\n");
    place.ask(&["records", "put", "x", "null"]).assert_code(0);
    assert_eq!(
        place.ask(&["records", "get", "x"]).assert_code(0).out,
        "null\n"
    );
    let script = "$I records get x; $I records put y null && $I records get y";
    let mut node = place.node("a", &[], script);
    assert_eq!(node.code(), Some(0));
    assert_eq!(place.note("a.out"), "null\nnull");
}

#[test]
fn while_somebody_leads_others_do_not_write_unless_by_force() {
    let place = Place::new();
    let (_a, socket) = api(&place, "a", &[]);
    let first = opened(&socket, "x");
    let first = over_unix(&socket, "PUT", "/v1/records/x", &[&etag(&first)], "1").unwrap();
    assert_eq!(first.status, 200);

    let refused = place.ask(&["records", "put", "x", "2"]).assert_code(4);
    assert!(
        refused
            .err
            .contains("a leads at epoch 1; nothing was written"),
        "{}",
        refused.err
    );
    place.ask(&["records", "rm", "x"]).assert_code(4);
    assert_eq!(place.ask(&["records", "get", "x"]).out, "1\n");

    let forced = place
        .ask(&["records", "put", "x", "3", "--force"])
        .assert_code(0);
    assert!(
        forced.err.contains("WARN") && forced.err.contains("without leading"),
        "{}",
        forced.err
    );
    place.ask(&["records", "rm", "y", "--force"]).assert_code(0);
    // The leader's own write was based on the earlier version, so it is refused.
    let conflict = over_unix(&socket, "PUT", "/v1/records/x", &[&etag(&first)], "2").unwrap();
    assert_eq!(conflict.status, 412);
    assert_eq!(conflict.json()["type"], "urn:incumbent:problem:conflict");
    assert_eq!(opened(&socket, "x").json()["data"], 3);
    assert_eq!(place.status()["epoch"], 1);
}

#[test]
fn a_write_waits_out_the_lease_of_a_root_that_was_removed() {
    let place = Place::new();
    place.ask(&["records", "put", "x", "1"]).assert_code(0);
    std::fs::remove_dir_all(place.path("ha/default/@root")).unwrap();
    // Longer than it takes to believe that somebody else leads.
    let put = ["--lease", "6s", "records", "put", "x", "2"];
    let waited = place.ask(&put).assert_code(0);
    let words = "the lease of the last leader has not ended; waiting up to ";
    assert!(waited.err.contains(words), "{}", waited.err);
    assert_eq!(place.ask(&["records", "get", "x"]).out, "2\n");
}

#[test]
fn a_damaged_file_says_how_the_record_is_repaired() {
    let place = Place::new();
    place.ask(&["records", "put", "x", "1"]).assert_code(0);
    let mut generations = std::fs::read_dir(place.path("ha/default/x")).unwrap();
    let generation = generations.next().unwrap().unwrap().path();
    let files = std::fs::read_dir(generation).unwrap();
    let newest = files.map(|file| file.unwrap().path()).max().unwrap();
    std::fs::write(&newest, "garbage").unwrap();
    for put in [
        &["records", "put", "x", "2"][..],
        &["records", "put", "x", "2", "--force"],
    ] {
        let damaged = place.ask(put).assert_code(1).err;
        assert!(damaged.contains(newest.to_str().unwrap()), "{damaged}");
        assert!(damaged.contains("move the file away"), "{damaged}");
    }
    std::fs::remove_file(newest).unwrap();
    place.ask(&["records", "put", "x", "2"]).assert_code(0);
    assert_eq!(place.ask(&["records", "get", "x"]).out, "2\n");
}

#[test]
fn inside_a_command_records_are_the_terms_own() {
    let place = Place::new();
    let script = r#"
        $I records get counter || echo "get: $?"
        $I records put counter 1 && $I records put counter 2 --expect 1
        $I records put counter 3 --expect 1 || echo "put: $?"
        $I records get counter
        $I records rm counter && $I records get counter || echo "get: $?"
        $INCUMBENT_EXE records get counter --default 7
        $I --group other records put counter 5 && $I --group other records get counter
    "#;
    assert_eq!(place.node("a", &[], script).code(), Some(0));
    assert_eq!(place.note("a.out"), "get: 6\nput: 4\n2\nget: 6\n7\n5");
    assert_eq!(place.status()["epoch"], 1, "none of it led a term");
}

#[test]
fn only_the_user_reaches_the_socket() {
    let place = Place::new();
    let (_a, socket) = api(&place, "a", &[]);
    let mode =
        |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    let socket = std::path::Path::new(&socket);
    assert_eq!(mode(socket), 0o600);
    assert_eq!(mode(socket.parent().unwrap()), 0o700);
}

#[test]
fn an_old_term_s_socket_is_gone() {
    let place = Place::new();
    let script = "echo $INCUMBENT_RECORDS_SOCKET >> sockets; exec sleep 1000";
    let _a = place.node("a", &[], script);
    place.active("a");
    place.ask(&["resign"]).assert_code(0);
    until("the second term runs", || {
        place.note("sockets").lines().count() == 2
    });
    let sockets = place.note("sockets");
    let (old, new) = sockets.split_once('\n').unwrap();
    assert!(over_unix(old, "GET", "/v1/term", &[], "").is_err());
    assert_eq!(
        over_unix(new, "GET", "/v1/term", &[], "").unwrap().json()["epoch"],
        2
    );
    // Remaining processes of the old command get a clear error that nothing was written.
    let mut left = place.incumbent(&["records", "put", "x", "1"]);
    left.env("INCUMBENT_GROUP", "default")
        .env("INCUMBENT_RECORDS_SOCKET", old);
    let left = crate::harness::finished(left).assert_code(7);
    assert!(
        left.err
            .contains("the records API did not answer: cannot connect"),
        "{}",
        left.err
    );
}

#[test]
fn a_paused_old_leader_s_write_is_refused_with_a_message_that_says_so() {
    let place = Place::new();
    let flags = ["--lease", "1s"];
    // Each node waits for its turn, so that the test decides when it writes.
    let script = format!(
        "{NOTE} n=$INCUMBENT_HOLDER; $I records put x 1; echo > $n-wrote
        echo $INCUMBENT_RECORDS_SOCKET > $n-socket
        until [ -e $n-go ]; do sleep 0.01; done
        $I records put x 2 2> $n-err; echo $? > $n-code; exec sleep 1000"
    );
    let a = place.node("a", &flags, &script);
    let first = place.started(1);
    place.noted("a-socket");
    let guard = parent(first.pid);
    let b = place.node("b", &flags, &script);
    b.logged("active");
    for pid in [guard, a.pid(), first.pid] {
        stop(pid);
    }
    let second = place.started(2);
    place.noted("b-wrote");
    assert!(runs(first.pid), "it is stopped, and so is its guard");

    std::fs::write(place.path("a-go"), "").unwrap();
    kill(first.pid, Signal::CONT);
    kill(a.pid(), Signal::CONT);
    assert_eq!(place.noted("a-code"), "4");
    let message = place.note("a-err");
    assert!(message.contains("fenced: "), "{message}");
    assert!(message.contains("epoch 1"), "{message}");
    let answer = opened(&place.note("a-socket"), "x");
    assert_eq!(answer.status, 409);
    assert!(
        answer
            .head
            .contains("content-type: application/problem+json"),
        "{}",
        answer.head
    );
    let problem = answer.json();
    assert_eq!(problem["type"], "urn:incumbent:problem:fenced");
    assert_eq!(problem["epoch"], first.epoch);
    assert_eq!(place.ask(&["records", "get", "x"]).out, "1\n");

    kill(guard, Signal::CONT);
    until("the old command is dead", || !runs(first.pid));
    a.logged("leadership lost");
    assert!(runs(second.pid));
    assert_eq!(place.starts().len(), 2);
}
