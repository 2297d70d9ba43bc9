//! The actions of the guard when the runner is gone or stopped.

use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use incumbent_guard::BootTime;
use rustix::process::{Signal, getpid, set_child_subreaper};

use crate::support::{
    Ended, FAMILY, FAMILY_NAMES, Notes, eventually, exists, guard_of, is_stopped, kill, refused,
    runs,
};

#[test]
fn a_killed_runner_is_refused_at_its_address_only_after_all_are_dead() {
    // Several times, since a failure would depend on the order of events.
    for options in [&["listen"][..], &["apart", "listen"]].repeat(3) {
        let notes = Notes::new();
        let mut runner = Ended(
            notes
                .runner(options, &format!("{FAMILY} wait"))
                .spawn()
                .unwrap(),
        );
        let address: SocketAddr = notes.read("address").parse().unwrap();
        let family = FAMILY_NAMES.map(|name| notes.pid(name));
        assert!(family.iter().all(|&pid| runs(pid)), "{family:?}");

        runner.0.kill().unwrap();
        eventually("the address is refused", || refused(address));
        let left: Vec<_> = family.iter().filter(|&&pid| exists(pid)).collect();
        assert!(left.is_empty(), "{left:?} of {family:?}");
    }
}

#[test]
fn the_address_of_a_killed_runner_is_not_refused_while_its_command_lives() {
    // Without a new parent in this session, the kernel would continue the stopped guard when the
    // runner dies.
    set_child_subreaper(Some(getpid())).unwrap();
    let notes = Notes::new();
    let mut runner = Ended(notes.runner(&["listen"], "sleep 1000").spawn().unwrap());
    let address: SocketAddr = notes.read("address").parse().unwrap();
    let command = notes.pid("command");
    let guard = guard_of(command.cast_unsigned());
    kill(guard, Signal::STOP);
    eventually("the guard is stopped", || is_stopped(guard));

    runner.0.kill().unwrap();
    runner.0.wait().unwrap();
    assert!(runs(command));
    TcpStream::connect(address).expect("the guard holds the listener");

    kill(guard, Signal::CONT);
    eventually("the address is refused", || refused(address));
    assert!(!exists(command));
}

#[test]
fn a_stopped_runner_has_its_command_asked_at_term_and_ended_at_hard() {
    asked_at_term_and_ended_at_hard(&["term=1500", "hard=2500", "listen"]);
}

#[test]
fn a_command_apart_has_its_deadlines_without_help_of_the_runner() {
    asked_at_term_and_ended_at_hard(&["apart", "term=1500", "hard=2500", "listen"]);
}

fn asked_at_term_and_ended_at_hard(options: &[&str]) {
    let notes = Notes::new();
    let script = "trap 'echo > \"$0/asked\"' TERM
        setsid sleep 1000 & echo $! > \"$0/session\"
        echo > \"$0/ready\"
        while :; do sleep 0.01; done";
    let runner = Ended(notes.runner(options, script).spawn().unwrap());
    let (command, session) = (notes.pid("command"), notes.pid("session"));
    eventually("it is ready", || notes.has("ready"));
    kill(runner.pid(), Signal::STOP);
    eventually("the runner is stopped", || is_stopped(runner.pid()));

    eventually("the command is asked", || notes.has("asked"));
    assert!(BootTime::now() >= moment(&notes, "term"));
    eventually("all are dead", || !runs(command) && !runs(session));
    assert!(BootTime::now() >= moment(&notes, "hard"));
    assert!(is_stopped(runner.pid()));
}

#[test]
fn a_runner_that_returns_in_time_hears_how_its_command_ended() {
    let notes = Notes::new();
    let mut runner = Ended(notes.runner(&["hard=700"], "sleep 1000").spawn().unwrap());
    let command = notes.pid("command");
    kill(runner.pid(), Signal::STOP);
    eventually("the command is dead", || !runs(command));
    kill(runner.pid(), Signal::CONT);
    assert_eq!(runner.0.wait().unwrap().code(), Some(128 + 9));
}

#[test]
fn a_killed_guard_takes_the_command_along_without_help_of_the_runner() {
    let notes = Notes::new();
    let mut runner = Ended(notes.runner_of(&[], "sleep").arg("1000").spawn().unwrap());
    let command = notes.pid("command");
    kill(runner.pid(), Signal::STOP);
    eventually("the runner is stopped", || is_stopped(runner.pid()));
    kill(guard_of(command.cast_unsigned()), Signal::KILL);
    eventually("the command is dead", || !runs(command));
    kill(runner.pid(), Signal::CONT);
    assert_eq!(
        runner.0.wait().unwrap().code(),
        Some(70),
        "the guard was lost"
    );
}

fn moment(notes: &Notes, name: &str) -> BootTime {
    BootTime::from_boot(Duration::from_nanos(notes.read(name).parse().unwrap()))
}
