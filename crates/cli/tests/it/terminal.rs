//! The command and the terminal; commands that are stopped.

use std::process::Command;

use rustix::process::Signal;

use crate::gateway::front::missing;
use crate::harness::{NOTE, Node, Place, finished, kill, runs, until};

const WAIT: &str = "exec sleep 1000";

/// Starts a shell script in its own terminal, with the program `script`. None if that is missing.
pub(crate) fn in_terminal(place: &Place, name: &str, text: &str) -> Option<Node> {
    if missing("script", "--version") {
        return None;
    }
    let file = place.path(&format!("{name}.sh"));
    std::fs::write(&file, text).unwrap();
    let mut command: Command = place.program("script");
    let run = format!("sh {}", file.display());
    command.args(["-qec", &run, "/dev/null"]);
    Some(place.start(name, command))
}

/// `incumbent run` on a script, with its log in a file.
fn run_of(name: &str, script: &str) -> String {
    format!(
        "cat > {name}.command <<'END'\n{NOTE}\n{script}\nEND\n\
         exec $I run --lease 3s --holder {name} -- sh {name}.command 2> {name}.errors\n"
    )
}

fn said(place: &Place, name: &str, words: &str) {
    until(&format!("{name} says {words:?}"), || {
        place.note(&format!("{name}.errors")).contains(words)
    });
}

#[test]
fn a_command_that_reads_the_terminal_does_not_lead() {
    let place = Place::new();
    let Some(_a) = in_terminal(&place, "a", &run_of("a", "exec cat /dev/tty")) else {
        return;
    };
    let first = place.started(1);
    let _b = place.node("b", &[], &format!("{NOTE} {WAIT}"));
    said(&place, "a", "the command was stopped: it read the terminal");
    assert_eq!(place.active("b")["holder"], "b");
    assert!(!runs(first.pid));
    place.assert_one_at_a_time();
}

#[test]
fn a_command_that_writes_to_a_terminal_that_stops_it_does_not_lead() {
    let place = Place::new();
    let script = run_of("a", "echo text > /dev/tty; exec sleep 1000");
    let Some(_a) = in_terminal(&place, "a", &format!("stty tostop\n{script}")) else {
        return;
    };
    place.started(1);
    let _b = place.node("b", &[], &format!("{NOTE} {WAIT}"));
    said(&place, "a", "use `stty -tostop`");
    place.active("b");
    place.assert_one_at_a_time();
}

#[test]
fn on_a_terminal_the_command_reads_nothing() {
    let place = Place::new();
    let script = "exec $I run -- sh -c 'wc -c > read; readlink /proc/self/fd/0 > stdin'\n";
    let Some(mut a) = in_terminal(&place, "a", script) else {
        return;
    };
    assert_eq!(a.code(), Some(0));
    assert_eq!(place.note("read"), "0");
}

#[test]
fn a_command_that_stays_stopped_loses_the_term_and_the_next_node_leads() {
    let place = Place::new();
    let script = format!("{NOTE} {WAIT}");
    let a = place.node("a", &["--lease", "3s"], &script);
    let first = place.started(1);
    let _b = place.node("b", &["--lease", "3s"], &script);
    crate::gateway::front::standing_by(&place, &["b"]);
    kill(first.pid, Signal::STOP);
    a.logged("the command was stopped");
    a.logged("stopped by signal 19 and not continued");
    assert_eq!(place.started(2).holder, "b");
    a.logged("campaigning again after a pause");
    place.assert_one_at_a_time();
}

#[test]
fn a_command_that_is_stopped_for_a_moment_goes_on() {
    let place = Place::new();
    // A command may be stopped for one retry period, here 40 s, before its node gives up.
    let a = place.node("a", &["--lease", "5m"], &format!("{NOTE} {WAIT}"));
    let first = place.started(1);
    kill(first.pid, Signal::STOP);
    a.logged("the command was stopped");
    kill(first.pid, Signal::CONT);
    a.logged("the command runs again");
    assert!(runs(first.pid));
    assert_eq!(place.starts().len(), 1);
    assert_eq!(place.active("a")["epoch"], 1);
}

#[test]
fn sigquit_ends_everything_in_order() {
    let place = Place::new();
    let script = "trap 'echo > asked; exit 3' TERM; echo > up; while :; do sleep 0.01; done";
    let mut node = place.node("a", &["--ready-now"], script);
    place.noted("up");
    node.signal(Signal::QUIT);
    assert_eq!(node.code(), Some(3));
    assert!(place.path("asked").exists());
    place.ask(&["status"]).assert_code(3);
    for args in [&["serve"][..], &["gateway"], &["gateway", "--tcp"]] {
        let mut command = place.incumbent(args);
        command.args(["--listen", "127.0.0.1:0"]);
        let mut server = place.start(args.last().unwrap(), command);
        place.noted(&format!("{}.out", args.last().unwrap()));
        server.signal(Signal::QUIT);
        assert_eq!(server.code(), Some(0), "{args:?}");
    }
}

#[test]
fn the_help_of_run_says_what_the_command_reads() {
    let help = finished(Place::new().incumbent(&["run", "--help"])).out;
    for words in ["standard input of this program", "/dev/null", "stty tostop"] {
        assert!(help.contains(words), "{words}: {help}");
    }
}
