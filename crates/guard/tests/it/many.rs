//! Many commands of one runner.

use std::ffi::OsStr;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::time::{Duration, Instant};

use futures::future::join_all;
use incumbent_guard::{Guarded, Spec};
use rustix::process::{Signal, getpid, getuid, set_child_subreaper};

use crate::support::{
    Ended, Notes, eventually, exists, guard_of, is_stopped, kill, refused, runs, sleep, start,
    waits,
};

/// Commands that start side by side in the everyday tests, which share their machine.
const SOME: usize = 50;

/// How long guards are watched that have nothing to do. Whatever they did from time to time, they
/// would do it meanwhile.
const IDLE: Duration = Duration::from_secs(3);

#[test]
fn the_address_of_a_killed_runner_is_refused_only_after_the_last_of_its_commands() {
    refused_only_after_the_last_of(20);
}

#[test]
#[ignore = "takes six hundred processes"]
fn the_address_of_a_killed_runner_is_refused_only_after_the_last_of_hundreds() {
    refused_only_after_the_last_of(300);
}

fn refused_only_after_the_last_of(count: usize) {
    // Without a new parent in this session, the kernel would continue the stopped guard when the
    // runner dies.
    set_child_subreaper(Some(getpid())).unwrap();
    let notes = Notes::new();
    let options = ["apart", "listen", &format!("count={count}")];
    let mut runner = Ended(
        notes
            .runner_of(&options, "sleep")
            .arg("1000")
            .spawn()
            .unwrap(),
    );
    let address: SocketAddr = notes.read("address").parse().unwrap();
    let commands = notes.pids("command");
    assert_eq!(commands.len(), count);
    let slow = guard_of(commands[7].cast_unsigned());
    kill(slow, Signal::STOP);
    eventually("one guard is stopped", || is_stopped(slow));

    runner.0.kill().unwrap();
    runner.0.wait().unwrap();
    eventually("the other commands are dead", || {
        commands.iter().filter(|&&pid| runs(pid)).count() == 1
    });
    assert!(runs(commands[7]));
    TcpStream::connect(address).expect("the last guard holds the listener");

    kill(slow, Signal::CONT);
    eventually("the address is refused", || refused(address));
    assert!(!commands.iter().any(|&pid| exists(pid)));
}

#[tokio::test]
async fn a_listener_outlives_its_runners_copy_until_the_last_command_has_ended() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let specs = (0..SOME).map(|_| {
        let mut spec = sleep();
        spec.liveness = Some(listener.try_clone().unwrap().into());
        spec
    });
    let mut all = all_of(specs).await;
    drop(listener);
    while let Some(mut guarded) = all.pop() {
        TcpStream::connect(address).expect("it is held");
        guarded.stop(Duration::ZERO).unwrap();
        guarded.wait().await.unwrap();
    }
    assert!(refused(address));
}

#[tokio::test]
async fn a_low_limit_of_open_files_does_not_prevent_many_from_starting_side_by_side() {
    // Users without rights may have no more descriptors on their way than the limit says.
    if getuid().is_root() {
        return as_nobody(
            "many::a_low_limit_of_open_files_does_not_prevent_many_from_starting_side_by_side",
        );
    }
    let specs = (0..4 * SOME).map(|_| {
        let mut spec = sleep();
        spec.open_files = Some(16);
        spec
    });
    assert_eq!(all_of(specs).await.len(), 4 * SOME);
}

/// Runs a test of this program as a user without rights.
fn as_nobody(claim: &str) {
    let nobody = |program: &OsStr, args: &[&str]| {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
        command.current_dir("/").arg(program).args(args);
        command.output()
    };
    let this = std::env::current_exe().unwrap();
    let can = |program: &OsStr| nobody(program, &["--list"]).is_ok_and(|it| it.status.success());
    if !can(this.as_os_str()) {
        eprintln!("SKIPPED: this program cannot be run as nobody here");
        return;
    }
    let ended = nobody(this.as_os_str(), &["--exact", claim]).unwrap();
    let said = String::from_utf8_lossy(&ended.stdout);
    assert!(said.contains("1 passed"), "{said}");
}

#[tokio::test]
async fn the_guard_of_a_sleeping_command_does_not_wake_up() {
    let guarded = start(sleep()).await;
    let guard = guard_of(guarded.pid());
    eventually("it waits", || waits(guard));
    let before = switches(guard);
    idle();
    assert_eq!(switches(guard), before);
}

/// The figures of the guard. They mean something in a release build:
///
/// ```console
/// $ cargo test --release -p incumbent-guard --test it -- --ignored --nocapture thousand
/// ```
///
/// `INCUMBENT_GUARD=target/release/incumbent` measures guards that are that program.
#[tokio::test]
#[ignore = "takes a thousand processes, and half a minute"]
async fn a_thousand_sleeping_commands_cost_less_than_a_twentieth_of_a_core() {
    const MANY: usize = 1000;
    let spec = || {
        let mut spec = sleep();
        if let Some(program) = std::env::var_os("INCUMBENT_GUARD") {
            spec.executable = program.into();
        }
        spec
    };
    let mut plain = Vec::new();
    let mut starts = Vec::new();
    let mut ends = Vec::new();
    for _ in 0..100 {
        let begin = now();
        let mut unguarded = Command::new("sleep").arg("1000").spawn().unwrap();
        plain.push(begin.elapsed());
        unguarded.kill().unwrap();
        unguarded.wait().unwrap();
        let begin = now();
        let mut guarded = start(spec()).await;
        starts.push(begin.elapsed());
        let begin = now();
        guarded.stop(Duration::ZERO).unwrap();
        guarded.wait().await.unwrap();
        ends.push(begin.elapsed());
    }
    for (what, mut times) in [
        ("started without a guard", plain),
        ("started with a guard", starts),
        ("killed and reported", ends),
    ] {
        times.sort_unstable();
        eprintln!("{what}: median {:?}, 90 % {:?}", times[50], times[90]);
    }

    let begin = now();
    let mut all = all_of((0..MANY).map(|_| spec())).await;
    eprintln!("{MANY} started side by side: {:?}", begin.elapsed());

    let guards: Vec<i32> = all.iter().map(|guarded| guard_of(guarded.pid())).collect();
    eventually("all guards wait", || {
        guards.iter().all(|&guard| waits(guard))
    });
    let count = guards.len();
    for what in ["Rss", "Pss", "Private_Dirty"] {
        let sum: u64 = guards.iter().map(|&guard| kilobytes(guard, what)).sum();
        eprintln!("a guard's {what}: {} KiB", sum / count as u64);
    }
    let so_far = || -> (Duration, u64) {
        let times = guards.iter().map(|&guard| used(guard)).sum();
        (times, guards.iter().map(|&guard| switches(guard)).sum())
    };
    let before = so_far();
    idle();
    let after = so_far();
    let share = (after.0 - before.0).as_secs_f64() / IDLE.as_secs_f64() * 100.0;
    let switched = after.1 - before.1;
    eprintln!("{MANY} idle guards: {share:.1} % of a core, {switched} switches in {IDLE:?}");

    let begin = now();
    for guarded in &all {
        guarded.stop(Duration::ZERO).unwrap();
    }
    for ended in join_all(all.iter_mut().map(Guarded::wait)).await {
        ended.unwrap();
    }
    eprintln!("{MANY} ended side by side: {:?}", begin.elapsed());
    assert!(share < 5.0, "{share} %");
}

async fn all_of(specs: impl Iterator<Item = Spec>) -> Vec<Guarded> {
    join_all(specs.map(start)).await
}

#[expect(clippy::disallowed_methods, reason = "a figure of real processes")]
fn now() -> Instant {
    Instant::now()
}

/// Lets time pass in which nothing may happen.
#[expect(
    clippy::disallowed_methods,
    reason = "what does not happen cannot be waited for"
)]
fn idle() {
    std::thread::sleep(IDLE);
}

/// How often a process began to run, or was taken off its processor.
fn switches(pid: i32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let counts = status
        .lines()
        .filter_map(|line| line.split_once("ctxt_switches:"));
    counts
        .map(|(_, count)| count.trim().parse::<u64>().unwrap())
        .sum()
}

/// Processor time of a process so far.
fn used(pid: i32) -> Duration {
    let times = std::fs::read_to_string(format!("/proc/{pid}/schedstat")).unwrap();
    Duration::from_nanos(times.split(' ').next().unwrap().parse().unwrap())
}

fn kilobytes(pid: i32, what: &str) -> u64 {
    let rollup = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap();
    let line = rollup
        .lines()
        .find_map(|line| line.strip_prefix(&format!("{what}:")));
    line.unwrap()
        .trim()
        .trim_end_matches(" kB")
        .parse()
        .unwrap()
}
