//! Readers of standard error and standard output that are slow, gone, or out of space.

use std::fs::OpenOptions;
use std::io::{BufRead, BufReader, PipeReader, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};

use rustix::process::Signal;

use crate::gateway::front;
use crate::harness::{Done, NOTE, Node, Place, finished_with_stdout, free_port, over_tcp, until};

/// Every event of every crate, so that the log is longer than any pipe.
const LOUD: [&str; 2] = ["--log", "trace"];

/// A full pipe that nobody reads for now.
fn full_pipe() -> (PipeReader, Stdio) {
    let (reader, mut writer) = std::io::pipe().unwrap();
    let size = rustix::pipe::fcntl_getpipe_size(&writer).unwrap();
    writer.write_all(&vec![b'.'; size]).unwrap();
    (reader, writer.into())
}

/// Starts a program whose standard error is such a pipe.
fn unread(place: &Place, name: &str, mut command: Command) -> (Node, PipeReader) {
    let (reader, writer) = full_pipe();
    command.stderr(writer);
    (place.start_with_stderr(name, command), reader)
}

fn loud(place: &Place, args: &[&str]) -> Command {
    let mut command = place.incumbent(&LOUD);
    command.args(args);
    command
}

#[track_caller]
fn ends_when_asked(node: &mut Node, code: i32) {
    node.signal(Signal::TERM);
    assert_eq!(node.code(), Some(code));
}

/// Sends bytes that no server and no gateway can understand, again and again. Each attempt causes
/// at least one log line.
fn bother(address: &str) {
    for _ in 0..300 {
        let mut stream = TcpStream::connect(address).unwrap();
        let _ = stream.write_all(b"\x16\x03nonsense\r\n\r\n\xff\xff\xff\xff");
    }
}

#[test]
fn a_runner_leads_follows_and_stops_though_nobody_reads_its_log() {
    let place = Place::new();
    let run = |name: &str| {
        let script = format!("exec 2>/dev/null; {NOTE} exec sleep 1000");
        let flags = ["run", "--lease", "2s", "--holder", name, "--", "sh", "-c"];
        let mut command = loud(&place, &flags);
        command.arg(script);
        unread(&place, name, command)
    };
    let (mut a, _a_log) = run("a");
    let active = place.active("a");
    until("a renews its lease", || {
        place.status()["renewed"] != active["renewed"]
    });
    let (mut b, mut b_log) = run("b");
    until("b stands by", || {
        place.status()["standbys"] == serde_json::json!(["b"])
    });
    a.kill();
    place.active("b");
    assert_eq!(place.started(2).holder, "b");
    ends_when_asked(&mut b, 128 + 15);
    place.assert_one_at_a_time();
    // The pipe still holds what was written before the program ended, and then it ends.
    let mut text = String::new();
    b_log.read_to_string(&mut text).unwrap();
}

#[test]
fn a_reader_that_is_back_learns_how_much_it_has_missed() {
    let place = Place::new();
    let flags = ["--listen", "127.0.0.1:0", "--status-listen"];
    let status = format!("127.0.0.1:{}", free_port());
    let mut command = loud(&place, &["serve"]);
    command.args(flags).arg(&status);
    let (_server, log) = unread(&place, "s", command);
    let printed = place.noted("s.out");
    let address = printed.strip_prefix("zookeeper://").unwrap();
    until("lines are lost", || {
        bother(address);
        let metrics = over_tcp(&status, "GET", "/metrics", &[], "").unwrap().body;
        let mut lines = metrics.lines();
        lines.any(|line| line.starts_with("incumbent_diagnostics_lines_lost_total"))
    });
    let mut lines = BufReader::new(log).split(b'\n');
    let reader = std::thread::spawn(move || {
        lines.find_map(|line| {
            let line = String::from_utf8_lossy(&line.unwrap()).into_owned();
            line.contains("lines of this log are lost").then_some(line)
        })
    });
    until("the loss is reported", || reader.is_finished());
    let report = reader.join().unwrap().unwrap();
    assert!(report.contains("nobody read them fast enough"), "{report}");
    let (_, lost) = report.split_once("lost=").unwrap();
    assert!(lost.parse::<u64>().unwrap() > 0, "{report}");
}

#[test]
fn a_server_serves_and_stops_though_nobody_reads_its_log() {
    let place = Place::new();
    let command = loud(&place, &["serve", "--listen", "127.0.0.1:0"]);
    let (mut server, _log) = unread(&place, "s", command);
    let printed = place.noted("s.out");
    let address = printed.strip_prefix("zookeeper://").unwrap();
    bother(address);
    let ha = format!("{printed}/demo");
    let written = place.ask(&["--ha", &ha, "records", "put", "x", "1"]);
    written.assert_code(0);
    ends_when_asked(&mut server, 0);
}

#[test]
fn a_gateway_finds_the_next_leader_and_stops_though_nobody_reads_its_log() {
    let place = Place::new();
    let _a = front::node(&place, "a", &[]);
    place.active("a");
    let _b = front::node(&place, "b", &[]);
    front::standing_by(&place, &["b"]);
    let mut gateways = Vec::new();
    for (name, flags) in [
        ("http", &[][..]),
        ("tcp", &["--tcp"]),
        ("logged", &["--access-log", "json"]),
    ] {
        // The access log is on standard output, so the address cannot be read from there.
        let port = free_port();
        let address = format!("127.0.0.1:{port}");
        let mut command = loud(&place, &["gateway", "--listen", &address]);
        command.args(flags);
        let (node, log) = unread(&place, name, command);
        until("it listens", || TcpStream::connect(&address).is_ok());
        bother(&address);
        gateways.push((node, log, address));
    }
    let answers = |address: &str, holder: &str| {
        let words = format!("holder={holder} ");
        over_tcp(address, "GET", "/who?n=0", &[], "").is_ok_and(|got| got.body.contains(&words))
    };
    for (node, _, address) in &gateways {
        until(&format!("{} leads to a", node.name), || {
            answers(address, "a")
        });
    }
    place.ask(&["resign", "--to", "b"]).assert_code(0);
    for (node, _, address) in &mut gateways {
        until(&format!("{} leads to b", node.name), || {
            answers(address, "b")
        });
        ends_when_asked(node, 0);
    }
}

#[test]
fn an_access_log_that_nobody_reads_stops_nothing() {
    let place = Place::new();
    let _a = front::node(&place, "a", &[]);
    place.active("a");
    let address = format!("127.0.0.1:{}", free_port());
    let (_out, writer) = full_pipe();
    let (_err, error_writer) = full_pipe();
    let mut command = loud(
        &place,
        &["gateway", "--listen", &address, "--access-log", "json"],
    );
    command.stdout(writer).stderr(error_writer);
    let mut gateway = place.start_as_it_is("g", command);
    until("it listens", || TcpStream::connect(&address).is_ok());
    for _ in 0..100 {
        let got = over_tcp(&address, "GET", "/who?n=0", &[], "").unwrap();
        assert_eq!(got.status, 200, "{}", got.body);
    }
    ends_when_asked(&mut gateway, 0);
}

#[test]
fn an_observer_sees_the_next_leader_and_stops_though_nobody_reads_its_log() {
    let place = Place::new().with_store();
    let script = "exec sleep 1000";
    let _a = place.node("a", &[], script);
    place.active("a");
    let _b = place.node("b", &[], script);
    front::standing_by(&place, &["b"]);
    let (mut observer, _log) = unread(&place, "o", loud(&place, &["observe"]));
    until("it sees a", || {
        place.note("o.out").contains(r#""holder":"a""#)
    });
    place.ask(&["resign", "--to", "b"]).assert_code(0);
    until("it sees b", || {
        place.note("o.out").contains(r#""holder":"b""#)
    });
    observer.signal(Signal::INT);
    observer.ended();
}

#[test]
fn servers_start_and_observers_stop_though_nobody_reads_what_they_print() {
    let place = Place::new().with_store();
    let listen = ["--listen", "127.0.0.1:0"];
    for args in [&["serve"][..], &["gateway"], &["gateway", "--tcp"]] {
        let (_out, writer) = full_pipe();
        let mut command = place.incumbent(args);
        let log = std::fs::File::create(place.path("s.log")).unwrap();
        command.args(listen).stdout(writer).stderr(log);
        let mut server = place.start_as_it_is("s", command);
        server.logged("nobody reads standard output");
        ends_when_asked(&mut server, 0);
    }
    for signal in [Signal::INT, Signal::TERM] {
        let (_out, writer) = full_pipe();
        let mut command = loud(&place, &["observe"]);
        let log = std::fs::File::create(place.path("o.log")).unwrap();
        command.stdout(writer).stderr(log);
        let mut observer = place.start_as_it_is("o", command);
        until("it follows", || !observer.log().is_empty());
        observer.signal(signal);
        observer.ended();
    }
}

#[test]
fn short_commands_end_though_nobody_reads_their_messages() {
    let place = Place::new().with_store();
    let _a = place.node("a", &[], "exec sleep 1000");
    place.active("a");
    let _b = place.node("b", &[], "exec sleep 1000");
    front::standing_by(&place, &["b"]);
    for args in [
        &["status"][..],
        &["resign"],
        &["records", "put", "x", "1", "--force"],
        &["records", "ls"],
        &["records", "get", "none"],
        &["observe", "--lines", "1"],
        &["purge", "--yes"],
        &["fly"],
    ] {
        let (_log, writer) = full_pipe();
        let mut command = loud(&place, args);
        command.stdout(Stdio::null()).stderr(writer);
        let mut child = place.start_as_it_is("short", command);
        child.ended();
    }
}

/// Runs the command with its standard output on a full disk.
pub(crate) fn on_a_full_disk(mut command: Command) -> Done {
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    command.stdout(full);
    finished_with_stdout(command)
}

#[test]
fn what_cannot_be_printed_is_a_failure_of_every_command() {
    let place = Place::new().with_store();
    place.ask(&["records", "put", "x", "1"]).assert_code(0);
    let _a = place.node("a", &[], "exec sleep 1000");
    place.active("a");
    let _b = place.node("b", &[], "exec sleep 1000");
    front::standing_by(&place, &["b"]);
    for args in [
        &["--help"][..],
        &["--version"],
        &["help"],
        &["run", "--help"],
        &["completions", "bash"],
        &["man"],
        &["status"],
        &["status", "--format", "table"],
        &["observe", "--lines", "1"],
        &["observe", "--lines", "1", "--format", "table"],
        &["records", "ls"],
        &["records", "ls", "--format", "table"],
        &["records", "get", "x"],
        &["resign", "--timeout", "60s"],
        &["serve", "--listen", "127.0.0.1:0"],
        &["gateway", "--listen", "127.0.0.1:0"],
        &["gateway", "--listen", "127.0.0.1:0", "--tcp"],
    ] {
        let done = on_a_full_disk(place.incumbent(args));
        assert_eq!(done.code, Some(1), "{args:?}: {}", done.err);
        let words = "cannot write to standard output: No space left on device";
        assert!(done.err.contains(words), "{args:?}: {}", done.err);
    }
    // A command that prints nothing is not affected.
    let quiet = on_a_full_disk(place.incumbent(&["records", "put", "y", "2", "--force"]));
    quiet.assert_code(0);
}

#[test]
fn nothing_that_is_stored_reaches_a_terminal_as_it_is() {
    let place = Place::new().with_store();
    let evil = "\"\u{1b}[2J\u{9b}31m\u{202e}x\u{7f}\"";
    let raw = evil.replace('\u{1b}', "\\u001b");
    place
        .ask(&["records", "put", "x", &raw, "--force"])
        .assert_code(0);
    let is_safe = |text: &str| !text.contains(['\u{1b}', '\u{9b}', '\u{202e}', '\u{7f}']);
    for args in [
        &["records", "ls", "--format", "table"][..],
        &["records", "ls", "--format", "json"],
    ] {
        let done = place.ask(args).assert_code(0);
        assert!(is_safe(&done.out), "{args:?}: {:?}", done.out);
    }
    // In a pipe, the output is the same byte for byte.
    let stored = place.ask(&["records", "get", "x"]).assert_code(0);
    assert_eq!(stored.out, format!("{raw}\n"));
    for args in [&["records", "get", "\u{202e}"][..], &["\u{9b}31m"]] {
        let refused = place.ask(args).assert_code(2);
        assert!(is_safe(&refused.err), "{:?}", refused.err);
    }
}
