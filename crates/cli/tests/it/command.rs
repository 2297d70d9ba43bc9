//! The command: how it starts, becomes ready, receives signals, and ends.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::Duration;

use rustix::process::Signal;

use crate::harness::{
    NOTE, Place, finished, free_port, kill, over_tcp, parent, runs, timed, until,
};

/// Starts a child in the group of the command, one in its own session, and an orphan. Each one
/// notes its id.
const FAMILY: &str = r#"
    sleep 1000 & echo $! > member
    setsid sh -c 'echo $$ > session; while :; do sleep 1000; done' &
    (setsid sh -c 'sh -c "echo \$\$ > orphan; while :; do sleep 1000; done" & exit' &)
    until [ -s session ] && [ -s orphan ]; do sleep 0.01; done
    echo $$ > command
"#;

const FAMILY_NAMES: [&str; 4] = ["member", "session", "orphan", "command"];

fn family(place: &Place) -> [i32; 4] {
    place.noted("command");
    FAMILY_NAMES.map(|name| place.noted(name).parse().unwrap())
}

#[test]
fn the_exit_code_of_the_command_is_passed_on() {
    let place = Place::new();
    for (script, code) in [
        ("true", 0),
        ("exit 7", 7),
        ("kill -TERM $$", 128 + 15),
        ("kill -9 $$", 128 + 9),
    ] {
        let mut node = place.node("a", &[], script);
        assert_eq!(node.code(), Some(code), "{script}");
    }
    // The term was given up each time, so no node has to wait for a lease.
    place.ask(&["status"]).assert_code(3);
}

#[test]
fn a_command_that_cannot_start_is_named() {
    let place = Place::new();
    let missing = place
        .ask(&["run", "--", "no-such-program"])
        .assert_code(127);
    assert!(
        missing.err.contains("command not found: no-such-program"),
        "{}",
        missing.err
    );
    std::fs::write(place.path("plain"), "text").unwrap();
    let plain = place.ask(&["run", "--", "./plain"]).assert_code(126);
    assert!(
        plain.err.contains("cannot execute ./plain"),
        "{}",
        plain.err
    );
    assert!(place.ask(&["run"]).assert_code(2).err.contains("COMMAND"));
}

#[test]
fn the_command_finds_its_term_in_its_environment() {
    let place = Place::new();
    let script = "env | grep ^INCUMBENT_ | sort; $I status > status";
    for epoch in 1..=2 {
        let mut command = place.incumbent(&["--group", "ours", "run", "--holder", "me"]);
        command.args(["--", "sh", "-c", script]);
        let done = finished(command).assert_code(0);
        for line in [
            format!("INCUMBENT_EPOCH={epoch}"),
            "INCUMBENT_HOLDER=me".into(),
            "INCUMBENT_GROUP=ours".into(),
            format!("INCUMBENT_HA={}", place.address()),
        ] {
            assert!(
                done.out.lines().any(|l| l == line),
                "{line} in {}",
                done.out
            );
        }
        assert!(
            done.out.contains("INCUMBENT_RECORDS_SOCKET="),
            "{}",
            done.out
        );
        assert!(
            !done.out.contains("INCUMBENT_RECORDS_TOKEN="),
            "{}",
            done.out
        );
    }
    // Inside the command, the program uses the same place and group.
    assert!(place.note("status").contains(r#""group":"ours""#));
}

#[test]
fn without_an_address_a_directory_of_the_users_own_is_used() {
    let place = Place::new();
    let mut command = place.incumbent(&["run", "--", "sh", "-c", "echo $INCUMBENT_HA"]);
    command.env_remove("INCUMBENT_HA");
    let done = finished(command).assert_code(0);
    let own = place.path("home/.local/state/incumbent");
    assert_eq!(done.out.trim(), format!("file://{}", own.display()));
    assert!(own.is_dir());
}

#[test]
fn sigterm_asks_the_command_and_waits_for_it() {
    let place = Place::new();
    let script = format!("{FAMILY} trap 'echo > asked; exit 3' TERM; while :; do sleep 0.01; done");
    let mut node = place.node("a", &["--ready-now"], &script);
    let pids = family(&place);
    node.signal(Signal::TERM);
    assert_eq!(node.code(), Some(3));
    assert!(place.path("asked").exists());
    assert_eq!(
        pids.map(runs),
        [false; 4],
        "all it started has ended with it"
    );
    place.ask(&["status"]).assert_code(3);
}

#[test]
fn a_command_that_does_not_end_is_killed_with_all_it_started() {
    let place = Place::new();
    let script = format!("{FAMILY} trap 'echo > asked' TERM; while :; do sleep 0.01; done");
    let mut node = place.node("a", &["--stop-timeout", "300ms"], &script);
    let pids = family(&place);
    node.signal(Signal::TERM);
    assert_eq!(node.code(), Some(128 + 9));
    assert!(place.path("asked").exists());
    assert_eq!(pids.map(runs), [false; 4]);
}

#[test]
fn a_second_sigterm_kills_at_once() {
    let place = Place::new();
    let script = "trap 'echo asked > asked' TERM; echo > up; while :; do sleep 0.01; done";
    let mut node = place.node("a", &["--stop-timeout", "1h", "--lease", "10m"], script);
    place.noted("up");
    node.signal(Signal::TERM);
    place.noted("asked");
    assert!(node.is_running());
    node.signal(Signal::TERM);
    assert_eq!(node.code(), Some(128 + 9));
}

#[test]
fn kill_9_of_the_runner_takes_all_along() {
    let place = Place::new();
    let script = format!("{FAMILY} trap '' TERM HUP INT; while :; do sleep 0.01; done");
    let mut node = place.node("a", &[], &script);
    let pids = family(&place);
    node.kill();
    until("all are dead", || pids.iter().all(|&pid| !runs(pid)));
    until("nothing is left", || place.processes().is_empty());
}

#[test]
fn a_killed_guard_ends_the_command_and_the_term() {
    let place = Place::new();
    let mut node = place.node("a", &[], "echo $$ > command; exec sleep 1000");
    let command: i32 = place.noted("command").parse().unwrap();
    kill(parent(command), Signal::KILL);
    assert_eq!(node.code(), Some(125));
    assert!(!runs(command));
    assert!(
        node.log().contains("guard of the command"),
        "{}",
        node.log()
    );
    place.ask(&["status"]).assert_code(3);
}

#[test]
fn a_command_that_fails_is_started_again_in_the_same_term_until_it_succeeds() {
    let place = Place::new();
    let script = "echo $INCUMBENT_EPOCH >> tries; [ $(wc -l < tries) -ge 3 ]";
    let mut node = place.node("a", &["--restart", "on-failure"], script);
    assert_eq!(node.code(), Some(0));
    assert_eq!(place.note("tries"), "1\n1\n1");
}

#[test]
fn a_command_is_always_started_again_until_the_runner_is_told_to_end() {
    let place = Place::new();
    let script = "echo x >> tries; [ $(wc -l < tries) -ge 3 ] && exec sleep 1000; exit 0";
    let mut node = place.node("a", &["--restart", "always"], script);
    until("the third try runs", || {
        place.note("tries").lines().count() == 3
    });
    node.signal(Signal::TERM);
    assert_eq!(node.code(), Some(128 + 15));
}

#[test]
fn a_runner_that_waits_to_start_its_command_again_still_hands_over() {
    let place = Place::new();
    // The pauses grow longer than this test waits.
    let failing = format!("{NOTE} exit 1");
    let _a = place.node("a", &["--restart", "always"], &failing);
    let epoch = place.started(4).epoch;
    let in_its_term = || {
        let starts = place.starts();
        starts.iter().filter(|start| start.epoch == epoch).count()
    };
    let tries = in_its_term();
    let _b = place.node("b", &[], &format!("{NOTE} exec sleep 1000"));
    let (done, took) = timed(|| place.ask(&["resign", "--to", "b"]));
    // If the disk is too slow for b to take over in time, a leads again, and has handed over all
    // the same.
    let is_too_slow = done.err.contains("the leader handed over, but b did not");
    assert!(
        done.code == Some(0) || is_too_slow,
        "{:?} {:?}",
        done.out,
        done.err
    );
    // On a machine that is slow enough, the pause was over before the request was there.
    assert!(
        in_its_term() == tries || took > Duration::from_secs(3),
        "handed over only when the pause was over, after {took:?}"
    );
}

#[test]
fn endpoints_are_published_once_they_accept_connections() {
    let place = Place::new();
    let port = free_port();
    let endpoint = format!("web=http://127.0.0.1:{port}/x");
    let node = place.node("a", &["--publish", &endpoint], "echo > up; exec sleep 1000");
    place.noted("up");
    let status = place.status();
    assert_eq!(status["state"], "activating", "{status}");
    assert_eq!(status["endpoints"], serde_json::json!({}));
    let _server = TcpListener::bind(("127.0.0.1", port)).unwrap();
    let status = place.active("a");
    let address = format!("http://127.0.0.1:{port}/x");
    assert_eq!(status["endpoints"]["web"], address);
    node.logged(&address);
}

#[test]
fn a_url_can_say_whether_the_command_is_ready() {
    let place = Place::new();
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/healthy?now", server.local_addr().unwrap());
    let published = format!("web=127.0.0.1:{}", free_port());
    let _node = place.node(
        "a",
        &["--publish", &published, "--ready", &url],
        "exec sleep 1000",
    );
    let answer = |status: &str| {
        let (mut stream, _) = server.accept().unwrap();
        let mut request = [0; 1024];
        let length = stream.read(&mut request).unwrap();
        write!(stream, "HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n").unwrap();
        String::from_utf8_lossy(&request[..length]).into_owned()
    };
    assert!(answer("503 Not yet").starts_with("GET /healthy?now HTTP/1.1\r\n"));
    assert_eq!(place.status()["state"], "activating");
    answer("503 Not yet");
    answer("204 Yes");
    assert!(place.active("a")["endpoints"]["web"].is_string());
}

#[test]
fn a_command_can_be_ready_at_once() {
    let place = Place::new();
    let endpoint = format!("web=127.0.0.1:{}", free_port());
    let mut command = place.incumbent(&["run", "--holder", "a", "--publish", &endpoint]);
    command
        .args(["--", "sleep", "1000"])
        .env("INCUMBENT_READY_NOW", "1");
    let _node = place.start("a", command);
    assert!(place.active("a")["endpoints"]["web"].is_string());
}

#[test]
fn a_command_that_is_not_ready_in_time_costs_the_term() {
    let place = Place::new();
    let endpoint = format!("web=127.0.0.1:{}", free_port());
    let script = format!("{NOTE} exec sleep 1000");
    let a = place.node(
        "a",
        &["--publish", &endpoint, "--ready-timeout", "300ms"],
        &script,
    );
    place.started(1);
    let _b = place.node("b", &[], &script);
    assert_eq!(place.active("b")["state"], "active");
    let told = a.logged("the command is not ready after 300ms: nothing accepts connections");
    let endpoint = endpoint.replace('=', ", ");
    assert!(
        told.contains("WARN") && told.contains(&endpoint),
        "{told}: {endpoint}"
    );
    place.assert_one_at_a_time();
}

#[test]
fn signals_are_passed_on_to_a_command_and_to_none_that_comes_later() {
    let place = Place::new();
    let script =
        "trap 'echo hup >> told' HUP; trap 'echo usr1 >> told' USR1; trap 'echo usr2 >> told' USR2
        echo >> up; while :; do sleep 0.01; done";
    let mut a = place.node("a", &[], script);
    place.noted("up");
    for (signal, word) in [
        (Signal::HUP, "hup"),
        (Signal::USR1, "usr1"),
        (Signal::USR2, "usr2"),
    ] {
        a.signal(signal);
        until(word, || place.note("told").ends_with(word));
    }
    // A standby has no command that could get the signal. It must not deliver the signal to a
    // command that starts later.
    let mut b = place.node("b", &[], "echo > b-up; exec sleep 1000");
    b.logged("active");
    b.signal(Signal::HUP);
    b.signal(Signal::USR1);
    b.logged("signal dropped: no command runs");
    a.signal(Signal::TERM);
    a.code();
    place.noted("b-up");
    place.active("b");
    assert!(b.is_running());
    b.signal(Signal::USR1);
    assert_eq!(b.code(), Some(128 + 10));
}

#[test]
fn signals_that_are_ignored_at_the_start_stay_ignored() {
    let place = Place::new();
    let mut command = place.program("sh");
    let script = "grep SigIgn /proc/self/status > ignored; echo > up; exec sleep 1000";
    command
        .args(["-c", "trap '' HUP USR1; exec \"$I\" run -- sh -c \"$0\""])
        .arg(script);
    let mut node = place.start("a", command);
    place.noted("up");
    let ignored = place.note("ignored");
    let mask = u64::from_str_radix(ignored.split_whitespace().last().unwrap(), 16).unwrap();
    assert_eq!(mask & 0x201, 0x201, "HUP and USR1 in {ignored}");
    assert_eq!(mask & 0x4002, 0, "neither INT nor TERM in {ignored}");
    node.signal(Signal::HUP);
    node.signal(Signal::USR1);
    node.signal(Signal::TERM);
    assert_eq!(node.code(), Some(128 + 15), "only the last one is heard");
}

#[test]
fn exit_codes_survive_a_parent_that_ignores_its_children() {
    let place = Place::new();
    let mut command = place.program("sh");
    command.args(["-c", "trap '' CHLD; exec \"$I\" run -- sh -c 'exit 3'"]);
    finished(command).assert_code(3);
}

#[test]
fn the_command_reads_what_the_runner_is_given() {
    let place = Place::new();
    std::fs::write(place.path("input"), "hello\n").unwrap();
    let mut command = place.incumbent(&["run", "--", "cat"]);
    command.stdin(std::fs::File::open(place.path("input")).unwrap());
    assert_eq!(finished(command).assert_code(0).out, "hello\n");
}

#[test]
fn nothing_is_left_in_the_temporary_directory() {
    let place = Place::new();
    let left = || std::fs::read_dir(place.path("tmp")).unwrap().count();
    assert_eq!(place.node("a", &[], "true").code(), Some(0));
    assert_eq!(left(), 0);
    let mut killed = place.node("a", &[], "echo > up; exec sleep 1000");
    place.noted("up");
    killed.kill();
    assert_eq!(left(), 1, "a killed one cannot tidy up");
    // A directory younger than a minute stays: it may belong to another node that is about to
    // listen.
    let directory = std::fs::read_dir(place.path("tmp")).unwrap().next();
    let directory = std::fs::File::open(directory.unwrap().unwrap().path()).unwrap();
    directory.set_modified(std::time::UNIX_EPOCH).unwrap();
    assert_eq!(place.node("a", &[], "true").code(), Some(0));
    assert_eq!(left(), 0, "the next one does");
}

#[test]
fn a_socket_path_that_is_too_long_is_named() {
    let place = Place::new();
    let long = place.path(&"long".repeat(25));
    std::fs::create_dir(&long).unwrap();
    let mut command = place.incumbent(&["run", "--", "true"]);
    command.env("TMPDIR", &long);
    let done = finished(command).assert_code(125);
    assert!(
        done.err.contains(long.to_str().unwrap()) && done.err.contains("TMPDIR"),
        "{}",
        done.err
    );
    assert_eq!(std::fs::read_dir(&long).unwrap().count(), 0);
}

#[test]
fn a_runner_inside_a_command_has_records_of_its_own() {
    let place = Place::new();
    let inner = "$I --group inner run --records tcp -- sh -c '$I records put who 2; $I records get who' ; $I records put who 1";
    assert_eq!(place.node("a", &[], inner).code(), Some(0));
    assert_eq!(place.read(&["records", "get", "who"]).out, "1\n");
    let of_inner = place.read(&["--group", "inner", "records", "get", "who"]);
    assert_eq!(of_inner.out, "2\n");
}

#[test]
fn records_can_be_reached_by_a_guarded_port() {
    let place = Place::new();
    let script = "$I records put x '{\"a\":1}' && $I records get x > got
        echo $INCUMBENT_RECORDS_URL $INCUMBENT_RECORDS_TOKEN > told; exec sleep 1000";
    let _node = place.node("a", &["--records", "tcp"], script);
    let told = place.noted("told");
    let (url, token) = told.split_once(' ').unwrap();
    assert_eq!(place.note("got"), r#"{"a":1}"#);
    let address = url.strip_prefix("http://").unwrap();
    let refused = over_tcp(address, "GET", "/v1/records/x", &[], "").unwrap();
    assert_eq!(refused.status, 401);
    assert_eq!(refused.json()["type"], "urn:incumbent:problem:unauthorized");
    let bearer = format!("authorization: Bearer {token}");
    let given = over_tcp(address, "GET", "/v1/records/x", &[&bearer], "").unwrap();
    assert_eq!(
        (given.status, given.json()["data"]["a"].as_i64()),
        (200, Some(1))
    );
    let off = place.ask(&["--group", "off", "run", "--records", "off", "--", "env"]);
    assert!(!off.out.contains("INCUMBENT_RECORDS_"), "{}", off.out);
}
