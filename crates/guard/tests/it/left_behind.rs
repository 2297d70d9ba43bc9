//! What a command has started besides itself, and how it ends.

use std::path::Path;
use std::time::Duration;

use incumbent_guard::{Cause, Event, Exit, Spec};
use rustix::process::Signal;

use crate::support::{
    FAMILY, FAMILY_NAMES, Notes, PATIENCE, PROBE, eventually, exists, guard_of, kill, runs, start,
};

/// The grace of a command that will not use it.
const GRACE: Duration = Duration::from_millis(100);

/// A command as a part of its runner, and one apart from it.
fn both(notes: &Notes, script: &str) -> [Spec; 2] {
    [notes.shell(script), notes.apart(script)]
}

#[tokio::test]
async fn is_dead_before_the_end_of_the_command_is_reported() {
    let notes = Notes::new();
    for spec in both(&notes, &format!("{FAMILY} exit 5")) {
        let end = start(spec).await.wait().await.unwrap();
        assert_eq!((end.exit, end.cause), (Exit::Code(5), Cause::Own));
        assert_eq!(notes.take_family_that_runs(), [""; 0]);
    }
}

#[tokio::test]
async fn is_ended_with_a_command_that_ignores_sigterm() {
    let notes = Notes::new();
    for spec in both(&notes, &format!("{FAMILY} echo > \"$0/ready\"; wait")) {
        let mut guarded = start(spec).await;
        eventually("it is ready", || notes.take("ready"));
        guarded.stop(GRACE).unwrap();
        let end = guarded.wait().await.unwrap();
        assert_eq!((end.exit, end.cause), (Exit::Signal(9), Cause::Stop));
        assert_eq!(notes.take_family_that_runs(), [""; 0]);
    }
}

#[tokio::test]
async fn is_ended_if_it_forks_all_the_time() {
    let notes = Notes::new();
    // A program of its own, so that all of its processes can be found.
    let sleeper = notes.path().join("sleeper");
    std::fs::copy("/bin/sleep", &sleeper).unwrap();
    let script = "trap '' TERM
        setsid sh -c 'trap \"\" TERM HUP; while :; do
            setsid \"$0/sleeper\" 1000 & echo > \"$0/forks\"; sleep 0.01
        done' \"$0\" &
        until [ -e \"$0/forks\" ]; do sleep 0.01; done
        echo > \"$0/ready\"; wait";
    for spec in both(&notes, script) {
        let mut guarded = start(spec).await;
        eventually("it forks", || notes.take("ready"));
        eventually("they run", || processes_of(&sleeper).len() > 3);
        guarded.stop(GRACE).unwrap();
        assert_eq!(guarded.wait().await.unwrap().exit, Exit::Signal(9));
        assert_eq!(processes_of(&sleeper), [0; 0]);
    }
}

#[tokio::test]
async fn is_ended_behind_another_guard() {
    let (outer, inner) = (Notes::new(), Notes::new());
    // The inner guard is a subreaper as well: what its command leaves behind becomes its child.
    let mut spec = outer.apart("\"$1\" \"$2\" -- sh -c \"$3\" \"$2\"");
    spec.args.extend([
        PROBE.into(),
        inner.path().into(),
        format!("{FAMILY} wait").into(),
    ]);
    let mut guarded = start(spec).await;
    let family = FAMILY_NAMES.map(|name| inner.pid(name));
    let inner_guard = guard_of(family[0].cast_unsigned());
    assert!(family.iter().all(|&pid| runs(pid)));
    guarded.stop(Duration::ZERO).unwrap();
    guarded.wait().await.unwrap();
    assert!(!family.iter().any(|&pid| exists(pid)), "{family:?}");
    assert!(!exists(inner_guard));
}

#[tokio::test]
async fn is_reaped_when_it_ends_before_the_command() {
    let notes = Notes::new();
    // The last one ends by a real-time signal.
    let script = "(setsid sh -c 'echo $$ > \"$0/first\"' \"$0\" &)
        (setsid sh -c 'echo $$ > \"$0/second\"; kill -40 $$' \"$0\" &)
        echo > \"$0/ready\"; while :; do sleep 1000; done";
    let guarded = start(notes.apart(script)).await;
    for name in ["first", "second"] {
        let orphan = notes.pid(name);
        eventually("it is reaped", || !exists(orphan));
    }
    assert!(runs(guarded.pid().cast_signed()));
}

#[tokio::test]
async fn a_stop_and_a_continuation_are_reported() {
    let mut guarded = start(Notes::new().apart("while :; do sleep 1000; done")).await;
    let command = guarded.pid().cast_signed();
    for _ in 0..20 {
        kill(command, Signal::STOP);
        let event = tokio::time::timeout(PATIENCE, guarded.next_event())
            .await
            .unwrap();
        assert_eq!(event.unwrap(), Event::Stopped { signal: 19 });
        kill(command, Signal::CONT);
        let event = tokio::time::timeout(PATIENCE, guarded.next_event())
            .await
            .unwrap();
        assert_eq!(event.unwrap(), Event::Continued);
    }
}

/// The processes that run this program.
fn processes_of(program: &Path) -> Vec<i32> {
    let all = std::fs::read_dir("/proc").unwrap().flatten();
    all.filter(|entry| std::fs::read_link(entry.path().join("exe")).is_ok_and(|exe| exe == program))
        .map(|entry| entry.file_name().to_str().unwrap().parse().unwrap())
        .collect()
}
