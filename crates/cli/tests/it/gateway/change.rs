//! Changes of leader under load: the leader is killed, resigns, gets SIGTERM, or is stopped.

use rustix::process::Signal;

use crate::harness::{Place, finished, free_port, kill, runs, stop, timed, until};

use super::front::{self, Front, answers, curl, no_curl, standing_by, taken_apart};
use super::load::Load;

/// A lease short enough for a test. Only stopped nodes need it: the death of the others is proven.
const LEASE: &[&str] = &["--lease", "2s", "--log", "warn"];

/// Two nodes, the first of which leads, and a gateway.
fn pair(place: &Place, gateway: &[&str]) -> (crate::harness::Node, crate::harness::Node, Front) {
    let a = front::node(place, "a", LEASE);
    place.started(1);
    place.active("a");
    let b = front::node(place, "b", LEASE);
    standing_by(place, &["b"]);
    let front = front::gateway(place, gateway);
    answers(place, &front, "a");
    (a, b, front)
}

#[test]
fn no_request_fails_when_leaders_are_killed() {
    if no_curl() {
        return;
    }
    let place = Place::new();
    let (mut a, mut b, front) = pair(&place, &[]);
    let load = Load::begin(&place, &front.address);
    load.goes_on();
    a.kill();
    place.active("b");
    load.goes_on();
    let _c = front::node(&place, "c", LEASE);
    standing_by(&place, &["c"]);
    // Only the server is killed: its node notices, and resigns.
    kill(place.started(2).pid, Signal::KILL);
    until("b has ended", || !b.is_running());
    place.active("c");
    load.goes_on();
    let account = load.end();
    account.assert_all_answered(10.0);
    let leaders = ["holder=a epoch=1", "holder=b epoch=2", "holder=c epoch=3"];
    assert_eq!(account.leaders, leaders);
}

#[test]
fn no_request_fails_when_leaders_resign_or_are_told_to_end() {
    if no_curl() {
        return;
    }
    let place = Place::new();
    let (a, b, front) = pair(&place, &[]);
    let load = Load::begin(&place, &front.address);
    for to in ["b", "a", "b"] {
        load.goes_on();
        place.ask(&["resign", "--to", to]).assert_code(0);
        place.active(to);
    }
    load.goes_on();
    standing_by(&place, &["a"]);
    b.signal(Signal::TERM);
    place.active("a");
    load.goes_on();
    let account = load.end();
    account.assert_all_answered(10.0);
    assert_eq!(account.leaders.len(), 5, "{:?}", account.leaders);
    drop(a);
}

#[test]
fn posts_without_a_key_are_carried_out_once_each_when_the_leader_resigns() {
    if no_curl() {
        return;
    }
    let place = Place::new();
    let (_a, _b, front) = pair(&place, &[]);
    assert_posts_survive_resigning(&place, &front);
}

/// The command ends at once on SIGTERM, and its unfinished requests are lost. So it must get
/// SIGTERM only after it has received no new request for a while.
#[test]
fn posts_to_a_command_that_finishes_nothing_are_carried_out_once_each_when_the_leader_resigns() {
    if no_curl() {
        return;
    }
    let place = Place::new();
    let hasty = |name: &str| {
        let address = format!("127.0.0.1:{}", free_port());
        let publish = format!("web={address}");
        let flags = ["--lease", "10s", "--linger", "2s"];
        let mut command = front::node_at(&place, name, &address, &publish, &flags);
        command.env("BACKEND_HASTY", "1");
        place.start(name, command)
    };
    let _a = hasty("a");
    place.active("a");
    let _b = hasty("b");
    standing_by(&place, &["b"]);
    let front = front::gateway(&place, &[]);
    assert_posts_survive_resigning(&place, &front);
}

fn assert_posts_survive_resigning(place: &Place, front: &Front) {
    let url = front.url("/count?wait=5");
    let posts = |from: usize| {
        let script = format!(
            "for n in $(seq {from} {}); do curl -sS --max-time 50 --noproxy '*' -w '%{{http_code}} ' -d post-$n '{url}'; done",
            from + 149
        );
        let mut command = place.program("sh");
        command.args(["-c", &script]);
        std::thread::spawn(move || finished(command))
    };
    let clients: Vec<_> = [0, 1000].map(posts).into();
    for to in ["b", "a"] {
        let before = place.note("counted").lines().count();
        until("some are counted", || {
            place.note("counted").lines().count() > before + 20
        });
        place.ask(&["resign", "--to", to]).assert_code(0);
        place.active(to);
    }
    for client in clients {
        let done = client.join().unwrap().assert_code(0);
        assert_eq!(done.out.matches("200 ").count(), 150, "{}", done.out);
    }
    let counted = place.note("counted");
    let mut bodies: Vec<_> = counted
        .lines()
        .filter_map(|line| line.split(' ').next())
        .collect();
    assert_eq!(bodies.len(), 300);
    bodies.sort_unstable();
    bodies.dedup();
    assert_eq!(bodies.len(), 300, "each once");
}

#[test]
fn a_post_to_a_killed_leader_is_carried_out_once_at_most_and_with_a_key_repeated() {
    if no_curl() {
        return;
    }
    let place = Place::new();
    let (mut a, _b, front) = pair(&place, &[]);
    let post = |body: &str, flags: &[&str]| {
        let mut command = curl(&place);
        command
            .args(["-d", body])
            .args(flags)
            .arg(front.url("/count?wait=30000"));
        std::thread::spawn(move || finished(command))
    };
    let plain: Vec<_> = ["p0", "p1", "p2"].map(|body| post(body, &[])).into();
    until("all were begun", || {
        place.note("counted").lines().count() == 3
    });
    a.kill();
    let until_answered = || plain.into_iter().map(|client| client.join().unwrap());
    let (answers, took) = timed(|| until_answered().collect::<Vec<_>>());
    assert!(took.as_secs() < 10, "{took:?}");
    for done in answers {
        let problem = taken_apart(&done.out).assert_retryable(&["502", "503"]);
        assert_eq!(problem["processed"], "unknown");
    }
    place.active("b");
    let counted = place.note("counted");
    assert_eq!(counted.lines().count(), 3, "none was repeated: {counted}");

    // With a key the next leader gets the request. It knows the request, so it answers sooner.
    let _c = front::node(&place, "c", LEASE);
    standing_by(&place, &["c"]);
    let mut command = curl(&place);
    command.args(["-d", "keyed", "-H", "Idempotency-Key: k1"]);
    command.arg(front.url("/count?wait=3000"));
    let keyed = std::thread::spawn(move || finished(command));
    until("it was begun", || {
        place.note("counted").lines().count() == 4
    });
    kill(place.started(2).pid, Signal::KILL);
    let got = taken_apart(&keyed.join().unwrap().out);
    assert_eq!(
        (got.status.as_str(), got.body.as_str()),
        ("200", "counted keyed holder=c epoch=3\n")
    );
    let counted = place.note("counted");
    let keyed: Vec<_> = counted
        .lines()
        .filter(|line| line.starts_with("keyed k1 "))
        .collect();
    assert_eq!(
        keyed,
        ["keyed k1 holder=b epoch=2", "keyed k1 holder=c epoch=3"]
    );
}

#[test]
fn requests_wait_for_a_leader_that_is_stopped_for_a_moment() {
    if no_curl() {
        return;
    }
    let place = Place::new();
    let (a, _b, front) = pair(&place, &[]);
    let load = Load::begin(&place, &front.address);
    load.goes_on();
    let server = place.started(1).pid;
    stop(server);
    stop(a.pid());
    // The stop is shorter than the lease.
    until_passed(500);
    kill(a.pid(), Signal::CONT);
    kill(server, Signal::CONT);
    load.goes_on();
    let account = load.end();
    account.assert_all_answered(5.0);
    assert_eq!(account.leaders, ["holder=a epoch=1"]);
    assert!(account.longest > 0.4, "somebody waited");
}

#[test]
fn requests_to_a_leader_stopped_past_its_lease_go_to_the_next() {
    if no_curl() {
        return;
    }
    let place = Place::new();
    let (a, _b, front) = pair(&place, &[]);
    let load = Load::begin(&place, &front.address);
    load.goes_on();
    let server = place.started(1).pid;
    let guard = crate::harness::parent(server);
    // All processes are stopped, as if the host slept. No process is left to kill the server.
    for pid in [a.pid(), guard, server] {
        stop(pid);
    }
    place.active("b");
    load.goes_on();
    for pid in [server, guard, a.pid()] {
        kill(pid, Signal::CONT);
    }
    until("the old server is dead", || !runs(server));
    load.goes_on();
    let account = load.end();
    // A request waits for the lease, and then as long as a deposed leader is tolerated.
    account.assert_all_answered(15.0);
    assert_eq!(account.leaders, ["holder=a epoch=1", "holder=b epoch=2"]);
}

#[expect(
    clippy::disallowed_methods,
    reason = "how long somebody is stopped is what is tested"
)]
fn until_passed(milliseconds: u64) {
    std::thread::sleep(std::time::Duration::from_millis(milliseconds));
}
