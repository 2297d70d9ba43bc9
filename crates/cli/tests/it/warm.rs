//! `incumbent run --standby warm` and `incumbent sidecar`, with real processes.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;

use rustix::process::Signal;
use serde_json::Value;

use crate::harness::{
    Answer, Node, Place, eventually, finished, kill, over_tcp, over_unix, parent, runs, stop, until,
};

/// A lease that no test here waits for.
const LONG: [&str; 2] = ["--lease", "2m"];

/// A command that follows its role in a shell, notes each as `HOLDER ROLE NUMBER EPOCH PID`, and
/// acknowledges. `$PID` is that of the command.
const FOLLOW: &str = r#"
    echo "$INCUMBENT_RECORDS_SOCKET" > $INCUMBENT_HOLDER-socket
    "$INCUMBENT_EXE" role follow | while read -r role number epoch; do
        echo "$INCUMBENT_HOLDER $role $number $epoch $$" >> roles
        if [ $role = stepping-down ]; then "$INCUMBENT_EXE" role acknowledge $number > /dev/null; fi
    done
"#;

/// The same, and it does not acknowledge.
const DEAF: &str = r#"
    echo "$INCUMBENT_RECORDS_SOCKET" > $INCUMBENT_HOLDER-socket
    "$INCUMBENT_EXE" role follow | while read -r role number epoch; do
        echo "$INCUMBENT_HOLDER $role $number $epoch $$" >> roles
    done
"#;

/// One line of `roles`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Told {
    holder: String,
    role: String,
    number: u64,
    epoch: Option<u64>,
    pid: i32,
}

fn told(place: &Place) -> Vec<Told> {
    let text = std::fs::read_to_string(place.path("roles")).unwrap_or_default();
    let lines = text
        .split_inclusive('\n')
        .filter(|line| line.ends_with('\n'));
    let parse = |line: &str| {
        let words: Vec<_> = line.split_whitespace().collect();
        Told {
            holder: words[0].to_owned(),
            role: words[1].to_owned(),
            number: words[2].parse().unwrap(),
            epoch: words[3].parse().ok(),
            pid: words[4].parse().unwrap(),
        }
    };
    lines.map(parse).collect()
}

/// Waits until this holder has been told this role so many times, and returns the last.
#[track_caller]
fn is_told(place: &Place, holder: &str, role: &str, times: usize) -> Told {
    eventually(&format!("{holder} is told {role}, {times} times"), || {
        let all = told(place);
        let of_it: Vec<_> = all
            .into_iter()
            .filter(|told| told.holder == holder && told.role == role)
            .collect();
        (of_it.len() >= times).then(|| of_it.last().cloned())?
    })
}

fn warm(place: &Place, name: &str, flags: &[&str], script: &str) -> Node {
    let all = [&["--standby", "warm"][..], flags].concat();
    place.node(name, &all, script)
}

fn standing_by(place: &Place, names: &[&str]) {
    crate::gateway::front::standing_by(place, names);
}

fn ask(
    place: &Place,
    holder: &str,
    method: &str,
    path: &str,
    headers: &[&str],
    body: &str,
) -> Answer {
    let socket = place.noted(&format!("{holder}-socket"));
    over_unix(&socket, method, path, headers, body).unwrap()
}

#[test]
fn kill_9_of_the_leader_and_the_command_that_stood_by_leads() {
    let place = Place::new();
    let mut a = warm(&place, "a", &LONG, FOLLOW);
    let first = is_told(&place, "a", "leader", 1);
    let _b = warm(&place, "b", &LONG, FOLLOW);
    let stood_by = is_told(&place, "b", "standby", 1);
    standing_by(&place, &["b"]);
    a.kill();
    let second = is_told(&place, "b", "leader", 1);
    // The same process, which was there before; the old one is gone.
    assert_eq!(second.pid, stood_by.pid);
    assert!(second.epoch > first.epoch);
    assert!(!runs(first.pid));
    assert_eq!(place.active("b")["holder"], "b");
}

#[test]
fn a_hand_over_leaves_both_commands_running() {
    let place = Place::new();
    let _a = warm(&place, "a", &LONG, FOLLOW);
    let a = is_told(&place, "a", "leader", 1);
    let _b = warm(&place, "b", &LONG, FOLLOW);
    standing_by(&place, &["b"]);
    place.ask(&["resign"]).assert_code(0);
    let b = is_told(&place, "b", "leader", 1);
    let stepped = is_told(&place, "a", "stepping-down", 1);
    assert_eq!(stepped.epoch, a.epoch);
    is_told(&place, "a", "standby", 2);
    standing_by(&place, &["a"]);
    // And back.
    place.ask(&["resign"]).assert_code(0);
    let again = is_told(&place, "a", "leader", 2);
    assert_eq!(again.pid, a.pid);
    assert!(again.epoch > b.epoch && again.number > a.number);
    is_told(&place, "b", "standby", 2);
    assert!(runs(a.pid) && runs(b.pid));
}

#[test]
fn a_deposed_leader_that_does_not_acknowledge_is_killed_before_the_lease_ends() {
    let place = Place::new();
    let flags = ["--lease", "3s"];
    let a = warm(&place, "a", &flags, DEAF);
    let first = is_told(&place, "a", "leader", 1);
    let _b = warm(&place, "b", &flags, FOLLOW);
    standing_by(&place, &["b"]);
    // This process does nothing any more: its guard does it alone.
    stop(a.pid());
    let second = is_told(&place, "b", "leader", 1);
    assert!(!runs(first.pid), "it was dead before the next one was told");
    assert!(second.epoch > first.epoch);
    kill(a.pid(), Signal::CONT);
    // A new process stands by in its place.
    let again = eventually("a stands by anew", || {
        let told = told(&place);
        told.into_iter()
            .find(|told| told.holder == "a" && told.pid != first.pid)
    });
    assert_eq!(again.role, "standby");
}

#[test]
fn a_leader_that_does_not_acknowledge_a_hand_over_is_killed_after_its_time() {
    let place = Place::new();
    let flags = [&LONG[..], &["--stop-timeout", "200ms"]].concat();
    let a = warm(&place, "a", &flags, DEAF);
    let first = is_told(&place, "a", "leader", 1);
    let _b = warm(&place, "b", &LONG, FOLLOW);
    standing_by(&place, &["b"]);
    place.ask(&["resign"]).assert_code(0);
    is_told(&place, "b", "leader", 1);
    assert!(!runs(first.pid));
    a.logged("did not acknowledge in time");
    let again = eventually("a stands by anew", || {
        let told = told(&place);
        told.into_iter()
            .find(|told| told.holder == "a" && told.pid != first.pid)
    });
    assert_eq!(again.role, "standby");
}

#[test]
fn a_command_that_dies_standing_by_is_started_again_and_one_that_dies_leading_ends_its_node() {
    let place = Place::new();
    let mut a = warm(&place, "a", &LONG, FOLLOW);
    let first = is_told(&place, "a", "leader", 1);
    let _b = warm(&place, "b", &LONG, FOLLOW);
    let stood_by = is_told(&place, "b", "standby", 1);
    standing_by(&place, &["b"]);
    kill(stood_by.pid, Signal::KILL);
    let again = is_told(&place, "b", "standby", 2);
    assert_ne!(again.pid, stood_by.pid);
    standing_by(&place, &["b"]);
    kill(first.pid, Signal::KILL);
    let second = is_told(&place, "b", "leader", 1);
    assert_eq!(second.pid, again.pid);
    assert_eq!(a.code(), Some(128 + 9));
}

/// A term is given up, and the store does not hear of it.
#[test]
fn nothing_waits_for_a_store_that_does_not_answer_but_the_next_campaign() {
    let place = Place::new();
    let mut serve = place.incumbent(&["serve", "--listen", "127.0.0.1:0"]);
    serve.arg("--data-dir").arg(place.path("data"));
    let store = place.start("store", serve);
    let ha = format!("{}/warm", place.noted("store.out"));
    let flags = [&LONG[..], &["--restart", "always", "--ha", &ha]].concat();
    let _a = warm(&place, "a", &flags, FOLLOW);
    let first = is_told(&place, "a", "leader", 1);
    stop(store.pid());
    kill(first.pid, Signal::KILL);
    let again = is_told(&place, "a", "standby", 2);
    assert_ne!(again.pid, first.pid);
    assert!(!runs(first.pid));
    let role = ask(&place, "a", "GET", "/v1/role", &[], "");
    assert_eq!(role.json()["role"], "standby");
    kill(store.pid(), Signal::CONT);
    let second = is_told(&place, "a", "leader", 2);
    assert_eq!(second.pid, again.pid);
    assert!(second.epoch > first.epoch);
}

#[test]
fn records_are_written_by_the_term_that_leads_and_by_no_other() {
    let place = Place::new();
    let _a = warm(&place, "a", &LONG, FOLLOW);
    let first = is_told(&place, "a", "leader", 1);
    let _b = warm(&place, "b", &LONG, FOLLOW);
    standing_by(&place, &["b"]);
    let open = |holder: &str, headers: &[&str]| {
        ask(&place, holder, "POST", "/v1/records/counter", headers, "")
    };
    let put = |holder: &str, headers: &[&str]| {
        ask(&place, holder, "PUT", "/v1/records/counter", headers, "7")
    };
    // Standing by, it may read, and not write.
    let refused = open("b", &[]);
    assert_eq!(refused.status, 409);
    assert!(refused.body.contains("not-leading"), "{}", refused.body);
    let opened = open("a", &[]);
    let etag = format!("if-match: {}", opened.json()["etag"].as_str().unwrap());
    assert_eq!(put("a", &[&etag]).status, 200);
    let read = ask(&place, "b", "GET", "/v1/records/counter", &[], "");
    assert_eq!(read.json()["data"], 7);

    // The same process leads again, and what it had opened before is of another term.
    place.ask(&["resign"]).assert_code(0);
    is_told(&place, "b", "leader", 1);
    is_told(&place, "a", "standby", 2);
    standing_by(&place, &["a"]);
    place.ask(&["resign"]).assert_code(0);
    let again = is_told(&place, "a", "leader", 2);
    assert_eq!(put("a", &[&etag]).status, 412);
    let of_first = format!("incumbent-epoch: {}", first.epoch.unwrap());
    assert!(open("a", &[&of_first]).body.contains("fenced"));
    let of_now = format!("incumbent-epoch: {}", again.epoch.unwrap());
    assert_eq!(open("a", &[&of_now]).status, 200);
    // To create something, it must say in which term.
    let create = |headers: &[&str]| ask(&place, "a", "PUT", "/v1/records/new", headers, "1").status;
    assert_eq!(create(&["if-none-match: *"]), 428);
    assert_eq!(create(&["if-none-match: *", &of_first]), 409);
    assert_eq!(create(&["if-none-match: *", &of_now]), 200);
}

#[test]
fn signals_tell_the_role_and_a_hook_acknowledges() {
    let place = Place::new();
    let script = r#"
        trap 'echo lead >> $INCUMBENT_HOLDER-signals' USR1
        trap 'echo standby >> $INCUMBENT_HOLDER-signals' USR2
        echo "$INCUMBENT_ROLE $$" > $INCUMBENT_HOLDER-start
        while :; do sleep 0.02; done"#;
    let flags = [
        &LONG[..],
        &["--signal-on-lead", "USR1", "--signal-on-standby", "SIGUSR2"],
        &[
            "--on-lead",
            "echo lead $INCUMBENT_ROLE $INCUMBENT_EPOCH >> $INCUMBENT_HOLDER-hooks",
        ],
        &[
            "--on-standby",
            "echo standby $INCUMBENT_ROLE $INCUMBENT_EPOCH >> $INCUMBENT_HOLDER-hooks",
        ],
    ]
    .concat();
    let _a = warm(&place, "a", &flags, script);
    place.active("a");
    let _b = warm(&place, "b", &flags, script);
    standing_by(&place, &["b"]);
    place.ask(&["resign"]).assert_code(0);
    place.active("b");
    standing_by(&place, &["a"]);
    let start = place.noted("a-start");
    assert!(start.starts_with("standby "), "{start}");
    until("both signals have come", || {
        place.note("a-signals") == "lead\nstandby"
    });
    let hooks = place.note("a-hooks");
    let lines: Vec<_> = hooks.lines().collect();
    assert_eq!(lines, ["lead leader 1", "standby stepping-down 1"]);
    let pid = start.split(' ').nth(1).unwrap().parse().unwrap();
    assert!(runs(pid), "it was never killed");
}

#[test]
fn a_hook_that_hangs_costs_the_term_and_ends_with_it() {
    let place = Place::new();
    let flags = [
        &LONG[..],
        &[
            "--ready-timeout",
            "300ms",
            "--stop-timeout",
            "300ms",
            "--restart",
            "always",
        ],
        &["--on-lead", "echo $$ >> hook; exec sleep 1000"],
    ]
    .concat();
    let _a = warm(&place, "a", &flags, "echo $$ >> command; exec sleep 1000");
    let hook: i32 = place.noted("hook").lines().next().unwrap().parse().unwrap();
    let command: i32 = place
        .noted("command")
        .lines()
        .next()
        .unwrap()
        .parse()
        .unwrap();
    until("both are gone", || !runs(hook) && !runs(command));
    until("it is started again", || {
        place.note("command").lines().count() > 1
    });
}

#[test]
fn ended_in_order_the_command_is_asked_and_its_code_is_passed_on() {
    let place = Place::new();
    let script = "trap 'exit 5' TERM; echo up >> up; while :; do sleep 0.01; done";
    let flags = [&LONG[..], &["--warm-when", "started"]].concat();
    let mut a = warm(&place, "a", &flags, script);
    place.active("a");
    let mut b = warm(&place, "b", &flags, script);
    standing_by(&place, &["b"]);
    b.signal(Signal::TERM);
    assert_eq!(b.code(), Some(0));
    a.signal(Signal::TERM);
    assert_eq!(a.code(), Some(5));
    place.ask(&["status"]).assert_code(3);
    until("nothing is left", || place.processes().is_empty());
}

#[test]
fn the_runner_that_is_killed_takes_a_standby_along() {
    let place = Place::new();
    let mut a = warm(&place, "a", &LONG, FOLLOW);
    let command = is_told(&place, "a", "leader", 1);
    let guard = parent(command.pid);
    a.kill();
    until("nothing is left", || !runs(command.pid) && !runs(guard));
}

#[test]
fn flags_that_contradict_each_other_are_refused() {
    let place = Place::new();
    for (flags, words) in [
        (&["--on-lead", "true"][..], "--standby warm"),
        (&["--warm-when", "started"], "--standby warm"),
        (&["--standby", "warm", "--records", "off"], "--on-standby"),
        (&["--standby", "warm", "--signal-on-lead", "KILL"], "USR1"),
        (&["--standby", "warm", "--warm-when", "never"], "started"),
    ] {
        let all = [&["run"], flags, &["--", "true"]].concat();
        let done = place.ask(&all).assert_code(2);
        assert!(done.err.contains(words), "{words:?} in {}", done.err);
    }
    let outside = place.ask(&["role"]).assert_code(2);
    assert!(
        outside.err.contains("INCUMBENT_RECORDS_SOCKET"),
        "{}",
        outside.err
    );
}

#[test]
fn the_example_in_python_counts_on_whoever_is_killed() {
    if crate::gateway::front::missing("python3", "--version") {
        return;
    }
    let place = Place::new();
    let example = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../examples/standby/counter.py"
    );
    let start = |name: &str| {
        let mut command = place.incumbent(&["run", "--holder", name, "--standby", "warm"]);
        command
            .args(LONG)
            .args(["--restart", "always", "--", "python3", example]);
        command.env("LOADING", "0");
        place.start(name, command)
    };
    let mut a = start("a");
    let counted = |name: &str| -> Vec<u64> {
        let out = place.note(&format!("{name}.out"));
        let lines = out.lines().filter(|line| line.starts_with("epoch "));
        lines
            .filter_map(|line| line.rsplit(' ').next()?.parse().ok())
            .collect()
    };
    until("a counts", || counted("a").len() >= 3);
    let _b = start("b");
    standing_by(&place, &["b"]);
    a.kill();
    until("b counts", || counted("b").len() >= 3);
    let (before, after) = (counted("a"), counted("b"));
    // The last write of the killed one may have landed without its having said so.
    let last = before.last().unwrap();
    assert!(
        (last + 1..=last + 2).contains(&after[0]),
        "{before:?} {after:?}"
    );
    place.ask(&["resign"]).assert_code(0);
}

/// The address at which a sidecar answers.
fn sidecar(place: &Place, name: &str, flags: &[&str]) -> (Node, String) {
    let mut command = place.incumbent(&["sidecar", "--holder", name, "--listen", "127.0.0.1:0"]);
    command.args(flags);
    let node = place.start(name, command);
    let url = place.noted(&format!("{name}.out"));
    (node, url.strip_prefix("http://").unwrap().to_owned())
}

fn get(address: &str, path: &str) -> Answer {
    over_tcp(address, "GET", path, &[], "").unwrap()
}

#[test]
fn a_sidecar_says_who_leads_and_hands_over_when_the_application_has_stopped() {
    let place = Place::new();
    let flags = ["--lease", "2m", "--stop-timeout", "1m"];
    let (mut a, at_a) = sidecar(&place, "pod-a", &flags);
    let leads = |address: &str| get(address, "/").json()["leads"] == true;
    until("pod-a leads", || leads(&at_a));
    let (_b, at_b) = sidecar(&place, "pod-b", &flags);
    until("pod-b knows", || get(&at_b, "/").json()["name"] == "pod-a");
    let (of_a, of_b) = (get(&at_a, "/").json(), get(&at_b, "/").json());
    assert_eq!(
        (&of_a["name"], &of_a["epoch"]),
        (&Value::from("pod-a"), &of_b["epoch"])
    );
    assert_eq!(
        (&of_b["leads"], &of_b["self"]),
        (&Value::from(false), &Value::from("pod-b"))
    );
    assert_eq!(
        [&at_a, &at_b].map(|at| get(at, "/leaderz").status),
        [200, 503]
    );
    assert_eq!(
        [&at_a, &at_b].map(|at| get(at, "/readyz").status),
        [200, 200]
    );

    for (method, path) in [("POST", "/"), ("DELETE", "/v1/role")] {
        let wrong = over_tcp(&at_a, method, path, &[], "").unwrap();
        assert_eq!(wrong.status, 405, "{method} {path}");
        assert!(
            wrong.head.to_lowercase().contains("allow: get"),
            "{}",
            wrong.head
        );
        assert!(wrong.body.contains("wrong-method"), "{}", wrong.body);
    }

    // Asked to end, it leads no more, and nobody else does before the application has stopped.
    a.signal(Signal::TERM);
    let role = eventually("the application is told", || {
        let role = get(&at_a, "/v1/role").json();
        (role["role"] == "stepping-down").then_some(role)
    });
    assert!(!leads(&at_a) && !leads(&at_b));
    let acknowledge = format!("/v1/role/acknowledge?number={}", role["number"]);
    // Not by a page in a browser.
    let foreign = over_tcp(&at_a, "POST", &acknowledge, &["origin: http://evil"], "").unwrap();
    assert_eq!(foreign.status, 403);
    let wrong = over_tcp(&at_a, "POST", "/v1/role/acknowledge?number=99", &[], "").unwrap();
    assert_eq!(wrong.status, 409);
    let done = over_tcp(&at_a, "POST", &acknowledge, &[], "");
    assert!(done.is_ok_and(|done| done.status == 200));
    until("pod-b leads", || leads(&at_b));
    assert_eq!(a.code(), Some(0));
}

#[test]
fn a_sidecar_does_not_claim_to_end_an_application_that_does_not_acknowledge() {
    let place = Place::new();
    let flags = ["--lease", "2m", "--stop-timeout", "100ms"];
    let (a, at) = sidecar(&place, "a", &flags);
    until("a leads", || get(&at, "/").json()["leads"] == true);
    place.ask(&["resign"]).assert_code(0);
    a.logged("a sidecar cannot end it");
    assert!(!a.log().contains("ending it"), "{}", a.log());
}

#[test]
fn a_sidecar_streams_the_role_and_offers_records_to_who_has_the_token() {
    let place = Place::new();
    std::fs::write(place.path("token"), "0123456789abcdef\n").unwrap();
    let token = place.path("token").display().to_string();
    let (_a, at) = sidecar(&place, "a", &["--lease", "2m", "--token-file", &token]);
    until("a leads", || get(&at, "/").json()["leads"] == true);
    let refused = get(&at, "/v1/role");
    assert_eq!(refused.status, 401);
    assert!(refused.body.contains("--token-file"), "{}", refused.body);
    let header = "authorization: Bearer 0123456789abcdef";
    let opened = over_tcp(&at, "POST", "/v1/records/counter", &[header], "").unwrap();
    assert_eq!(opened.status, 200, "{}", opened.body);
    let mut stream = std::net::TcpStream::connect(&at).unwrap();
    write!(
        stream,
        "GET /v1/role/events HTTP/1.1\r\nhost: a\r\n{header}\r\n\r\n"
    )
    .unwrap();
    let lines = BufReader::new(stream).lines();
    let first = lines
        .map(Result::unwrap)
        .find(|line| line.starts_with('{'))
        .unwrap();
    assert!(first.contains(r#""role":"leader""#), "{first}");

    let (_b, at) = sidecar(&place, "b", &["--lease", "2m"]);
    let refused = over_tcp(&at, "POST", "/v1/records/counter", &[], "").unwrap();
    assert_eq!(refused.status, 403);
    assert!(refused.body.contains("--token-file"), "{}", refused.body);
    let mut command = place.incumbent(&["sidecar", "--listen", "0.0.0.0:0"]);
    command.env_remove("INCUMBENT_TOKEN_FILE");
    let open = finished(command).assert_code(2);
    assert!(open.err.contains("--token-file"), "{}", open.err);
}

#[test]
fn the_stream_begins_with_the_role_and_has_every_change() {
    let place = Place::new();
    let script = "echo $INCUMBENT_RECORDS_SOCKET > socket; exec sleep 1000";
    let flags = [
        &LONG[..],
        &["--warm-when", "started", "--stop-timeout", "100ms"],
    ]
    .concat();
    let _a = warm(&place, "a", &flags, script);
    let socket = place.noted("socket");
    place.active("a");
    let mut stream = UnixStream::connect(&socket).unwrap();
    write!(stream, "GET /v1/role/events HTTP/1.1\r\nhost: a\r\n\r\n").unwrap();
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    let mut next = || -> Value {
        let line = lines.find(|line| line.starts_with('{')).unwrap();
        serde_json::from_str(&line).unwrap()
    };
    let first = next();
    assert_eq!(
        (&first["role"], &first["epoch"]),
        (&Value::from("leader"), &Value::from(1))
    );
    assert_eq!(first["acknowledge_within_seconds"], Value::Null);
    place.ask(&["resign"]).assert_code(0);
    let second = next();
    assert_eq!(second["role"], "stepping-down");
    assert!(second["number"].as_u64() > first["number"].as_u64());
    assert!(second["acknowledge_within_seconds"].as_f64().unwrap() <= 0.1);
    assert!(
        second["why"].as_str().unwrap().contains("hand over"),
        "{second}"
    );
}
