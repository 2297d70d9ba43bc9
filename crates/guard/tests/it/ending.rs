//! Ways in which a command ends while its runner works.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use incumbent_guard::{BootTime, Deadlines, Exit, GuardLost, LeashError};
use rustix::process::Signal;

use crate::support::{Notes, PATIENCE, eventually, guard_of, is_stopped, kill, runs, start};

#[tokio::test]
async fn stop_lets_a_command_end_cleanly() {
    let notes = Notes::new();
    let mut guarded =
        start(notes.shell("trap 'exit 7' TERM; echo > \"$0/ready\"; while :; do sleep 0.01; done"))
            .await;
    eventually("it is ready", || notes.has("ready"));
    guarded.stop(PATIENCE).unwrap();
    assert_eq!(guarded.wait().await.unwrap().exit, Exit::Code(7));
}

#[tokio::test]
async fn stop_ends_a_stubborn_command_after_the_grace() {
    let notes = Notes::new();
    let mut guarded = start(notes.shell("trap '' TERM; echo > \"$0/ready\"; sleep 1000")).await;
    eventually("it is ready", || notes.has("ready"));
    let grace = Duration::from_millis(200);
    let earliest = BootTime::now() + grace;
    guarded.stop(grace).unwrap();
    assert_eq!(guarded.wait().await.unwrap().exit, Exit::Signal(9));
    assert!(BootTime::now() >= earliest);
}

#[tokio::test]
async fn stop_wakes_a_stopped_command_so_that_it_can_end_cleanly() {
    let notes = Notes::new();
    let script = "trap 'exit 7' TERM; kill -STOP $$; while :; do sleep 0.01; done";
    let mut guarded = start(notes.shell(script)).await;
    eventually("it is stopped", || is_stopped(guarded.pid().cast_signed()));
    guarded.stop(PATIENCE).unwrap();
    assert_eq!(guarded.wait().await.unwrap().exit, Exit::Code(7));
}

#[tokio::test]
async fn grace_does_not_outlast_the_hard_deadline() {
    let notes = Notes::new();
    // A busy machine may need longer than the first ones for the start.
    for hard in [300, 3_000, 30_000].map(Duration::from_millis) {
        let mut spec = notes.shell("trap '' TERM; sleep 1000");
        spec.deadlines.hard = BootTime::now() + hard;
        let mut guarded = start(spec).await;
        if guarded.stop(Duration::from_secs(1000)).is_err() {
            continue;
        }
        let exit = tokio::time::timeout(PATIENCE, guarded.wait())
            .await
            .unwrap();
        // SIGTERM ends it if the signal came before the trap was set.
        let exit = exit.map(|end| end.exit);
        assert!(matches!(exit, Ok(Exit::Signal(9 | 15))), "{exit:?}");
        return;
    }
    panic!("it was never stopped before its deadline");
}

#[tokio::test]
async fn extensions_from_a_plain_thread_keep_it_alive() {
    let notes = Notes::new();
    let soon = || Deadlines {
        term: BootTime::now() + Duration::from_secs(2),
        hard: BootTime::now() + Duration::from_secs(3),
    };
    let mut spec = notes.shell("trap '' TERM; while :; do sleep 0.01; done");
    spec.deadlines = soon();
    let first_hard = spec.deadlines.hard;
    let mut guarded = start(spec).await;
    let leash = guarded.leash();
    let renewing = AtomicBool::new(true);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            eventually("it is told to end", || {
                leash.extend(soon()).unwrap();
                !renewing.load(Ordering::Relaxed)
            });
        });
        eventually("the first deadline is past", || {
            BootTime::now() > first_hard
        });
        assert!(runs(guarded.pid().cast_signed()));
        renewing.store(false, Ordering::Relaxed);
    });
    let exit = tokio::time::timeout(PATIENCE, guarded.wait())
        .await
        .unwrap();
    assert_eq!(exit.unwrap().exit, Exit::Signal(9));
}

#[tokio::test]
async fn signals_are_forwarded_to_the_group() {
    let notes = Notes::new();
    let script = "trap 'wait; exit 3' USR1; sh -c 'trap \"echo > $0/seen; exit\" USR1; echo > $0/ready; while :; do sleep 0.01; done' \"$0\" & \
                  wait; wait; exit 3";
    let mut guarded = start(notes.shell(script)).await;
    eventually("it is ready", || notes.has("ready"));
    guarded.signal(Signal::USR1.as_raw()).unwrap();
    assert_eq!(guarded.wait().await.unwrap().exit, Exit::Code(3));
    assert!(notes.has("seen"));
    assert!(matches!(
        guarded.signal(0),
        Err(LeashError::NoSuchSignal(0))
    ));
    assert!(matches!(guarded.signal(1), Err(LeashError::Gone)));
}

#[tokio::test]
async fn dropping_ends_it_though_a_leash_remains() {
    let notes = Notes::new();
    let guarded = start(notes.shell("sleep 1000 & echo $! > \"$0/member\"; wait")).await;
    let (command, member) = (guarded.pid().cast_signed(), notes.pid("member"));
    let leash = guarded.leash();
    drop(guarded);
    eventually("all are dead", || !runs(command) && !runs(member));
    assert!(matches!(
        leash.extend(Deadlines::NEVER),
        Err(LeashError::Gone)
    ));
}

#[tokio::test]
async fn waiting_can_be_interrupted_and_repeated() {
    let notes = Notes::new();
    let mut guarded =
        start(notes.shell("until [ -e \"$0/go\" ]; do sleep 0.01; done; exit 9")).await;
    for _ in 0..3 {
        let early = tokio::time::timeout(Duration::from_millis(5), guarded.wait()).await;
        assert!(early.is_err());
    }
    std::fs::write(notes.path().join("go"), "").unwrap();
    assert_eq!(guarded.wait().await.unwrap().exit, Exit::Code(9));
    assert_eq!(guarded.wait().await.unwrap().exit, Exit::Code(9));
}

#[tokio::test]
async fn signals_to_all_processes_of_the_name_leave_the_guard_alone() {
    let notes = Notes::new();
    let script = "trap 'exit 7' TERM; echo > \"$0/ready\"; while :; do sleep 0.01; done";
    let mut guarded = start(notes.shell(script)).await;
    eventually("it is ready", || notes.has("ready"));
    let guard = guard_of(guarded.pid());
    for signal in [Signal::TERM, Signal::INT, Signal::HUP, Signal::USR1] {
        kill(guard, signal);
    }
    // The command also gets a SIGTERM from outside, as from a service manager, and still has its
    // grace.
    kill(guarded.pid().cast_signed(), Signal::TERM);
    assert_eq!(guarded.wait().await.unwrap().exit, Exit::Code(7));
}

#[tokio::test]
async fn a_killed_guard_takes_the_command_and_its_group_along() {
    let notes = Notes::new();
    let mut guarded =
        start(notes.shell("trap '' TERM; sleep 1000 & echo $! > \"$0/member\"; wait")).await;
    let (command, member) = (guarded.pid().cast_signed(), notes.pid("member"));
    kill(guard_of(guarded.pid()), Signal::KILL);
    let lost = guarded.wait().await.unwrap_err();
    assert!(
        matches!(lost, GuardLost::Died { status: Some(_) }),
        "{lost:?}"
    );
    assert!(lost.to_string().contains("signal: 9"), "{lost}");
    assert!(!runs(command) && !runs(member));
}
