//! A command that is kept apart from its runner: what it receives is what it was given.

use std::fs::File;
use std::io::{Read, Write};
use std::time::Duration;

use incumbent_guard::{BootTime, Cause, Deadlines, Environment, Exit, Guarded, SpawnError, Stream};

use crate::support::{Notes, PATIENCE, eventually, runs, start};

#[test]
fn has_no_variable_and_no_descriptor_of_its_runner() {
    let notes = Notes::new();
    let script = "env | sort; ls /proc/$$/fd";
    let output = notes
        .runner(&["apart", "leak", "listen"], script)
        .env("INCUMBENT_NODE_SECRET", "s3cret")
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    // The first is made by the shell.
    let expected = format!(
        "PWD={}\n0\n1\n2\n",
        std::env::current_dir().unwrap().display()
    );
    assert_eq!(text, expected);
    assert!(notes.has("leaked"), "there was a descriptor to pass on");
}

#[test]
fn a_descriptor_that_is_not_closed_on_exec_is_passed_on_otherwise() {
    let notes = Notes::new();
    let script = "ls /proc/$$/fd";
    let count = |options| {
        let output = notes.runner(options, script).output().unwrap();
        String::from_utf8(output.stdout).unwrap().lines().count()
    };
    assert_eq!(count(&["leak"]), count(&[]) + 1);
}

#[test]
fn finds_no_secret_of_the_runner_in_its_guard() {
    let notes = Notes::new();
    // The guard, and whatever of it the command may read.
    let script = "tr '\\0' '\\n' < /proc/$PPID/environ; tr '\\0' '\\n' < /proc/$PPID/cmdline
        ls -l /proc/$PPID/fd";
    for options in [&["apart", "leak"][..], &[]] {
        let output = notes
            .runner(options, script)
            .env("INCUMBENT_NODE_SECRET", "s3cret")
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.contains("__guard"), "it could look: {text}");
        assert!(!text.contains("s3cret"), "{options:?}: {text}");
        assert!(!text.contains("INCUMBENT"), "{options:?}: {text}");
        assert!(!text.contains("memfd"), "no file with variables: {text}");
    }
}

#[tokio::test]
async fn receives_what_it_is_given_and_loader_variables_do_not_reach_the_guard() {
    let notes = Notes::new();
    let mut spec = notes.apart("env > \"$0/env\"; exit 3");
    spec.env = [
        ("PATH", "/bin:/usr/bin"),
        ("TASK", "=1= "),
        ("LD_PRELOAD", "/no/such.so"),
    ]
    .map(|(name, value)| (name.into(), value.into()))
    .into();
    assert_eq!(start(spec).await.wait().await.unwrap().exit, Exit::Code(3));
    let text = notes.read("env");
    let mut seen: Vec<_> = text
        .lines()
        .filter(|line| {
            !["PWD=", "_=", "SHLVL=", "OLDPWD="]
                .iter()
                .any(|own| line.starts_with(own))
        })
        .collect();
    seen.sort_unstable();
    assert_eq!(
        seen,
        ["LD_PRELOAD=/no/such.so", "PATH=/bin:/usr/bin", "TASK==1= "]
    );
}

#[tokio::test]
async fn is_looked_up_in_the_path_of_its_own_environment() {
    let notes = Notes::new();
    let program = notes.path().join("only-here");
    std::fs::copy("/bin/true", &program).unwrap();
    let mut spec = notes.apart("");
    (spec.program, spec.args) = ("only-here".into(), Vec::new());
    spec.env.push(("PATH".into(), notes.path().into()));
    assert_eq!(start(spec).await.wait().await.unwrap().exit, Exit::Code(0));

    let mut spec = notes.apart("");
    (spec.program, spec.args) = ("only-here".into(), Vec::new());
    let error = Guarded::spawn(spec).await.unwrap_err();
    assert!(matches!(error, SpawnError::NotFound { .. }), "{error:?}");
}

#[tokio::test]
async fn a_variable_that_cannot_be_is_refused_without_its_value() {
    let mut spec = Notes::new().apart("true");
    spec.env.push(("A=B".into(), "s3cret".into()));
    let error = Guarded::spawn(spec).await.unwrap_err();
    assert!(matches!(error, SpawnError::Environment { .. }), "{error:?}");
    assert!(
        !format!("{error} {error:?}").contains("s3cret"),
        "{error:?}"
    );
}

#[tokio::test]
async fn has_a_limit_of_open_files_of_its_own() {
    let notes = Notes::new();
    let own = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let hard = own
        .maximum
        .map_or("unlimited".to_owned(), |hard| hard.to_string());
    for (given, expected) in [(100, "100"), (u64::MAX - 1, hard.as_str())] {
        let mut spec = notes.apart("ulimit -Sn > \"$0/soft\"; ulimit -Hn > \"$0/hard\"");
        spec.open_files = Some(given);
        start(spec).await.wait().await.unwrap();
        assert_eq!(notes.read("hard"), hard);
        if own.maximum.is_some() || given == 100 {
            assert_eq!(notes.read("soft"), expected);
        }
    }
}

#[tokio::test]
async fn reads_and_writes_the_descriptors_that_it_is_given() {
    let notes = Notes::new();
    let (stdin, mut to) = std::io::pipe().unwrap();
    let (mut from, stdout) = std::io::pipe().unwrap();
    let errors = notes.path().join("errors");
    let mut spec = notes.apart("read line; echo \"got $line\"; echo wrong >&2");
    spec.stdin = Stream::Given(stdin.into());
    spec.stdout = Stream::Given(stdout.into());
    spec.stderr = Stream::Given(File::create(&errors).unwrap().into());
    let mut guarded = start(spec).await;
    to.write_all(b"a line\n").unwrap();
    let end = guarded.wait().await.unwrap();
    assert_eq!((end.exit, end.cause), (Exit::Code(0), Cause::Own));
    // The pipe ends, as neither the runner nor the guard holds it any more.
    let mut text = String::new();
    from.read_to_string(&mut text).unwrap();
    assert_eq!(text, "got a line\n");
    assert_eq!(std::fs::read_to_string(errors).unwrap(), "wrong\n");
}

#[tokio::test]
async fn has_dev_null_where_nothing_is_given() {
    let notes = Notes::new();
    let script = "cat; seen=$(for fd in 0 1 2; do readlink /proc/$$/fd/$fd; done)
        echo \"$seen\" > \"$0/streams\"";
    let mut guarded = start(notes.apart(script)).await;
    assert_eq!(guarded.wait().await.unwrap().exit, Exit::Code(0));
    assert_eq!(notes.read("streams"), "/dev/null\n/dev/null\n/dev/null");
}

#[tokio::test]
async fn runs_without_a_deadline_and_ends_with_its_runner() {
    let notes = Notes::new();
    let spec = notes.apart("trap '' TERM; sleep 1000 & echo $! > \"$0/member\"; wait");
    assert_eq!(spec.deadlines, Deadlines::NEVER);
    let guarded = start(spec).await;
    let (command, member) = (guarded.pid().cast_signed(), notes.pid("member"));
    // An extension does not bring a deadline.
    guarded
        .extend(Deadlines {
            term: BootTime::now(),
            hard: BootTime::now(),
        })
        .unwrap();
    assert!(runs(command));
    drop(guarded);
    eventually("all are dead", || !runs(command) && !runs(member));
}

#[tokio::test]
async fn the_end_tells_a_deadline_from_a_stop_and_from_a_person() {
    let ends = |cause| async move {
        let notes = Notes::new();
        let mut spec = notes.apart("echo > \"$0/ready\"; while :; do sleep 0.01; done");
        if cause == Cause::Deadline {
            spec.deadlines.hard = BootTime::now() + Duration::from_millis(200);
        }
        let mut guarded = start(spec).await;
        match cause {
            Cause::Own => {
                let pid = rustix::process::Pid::from_raw(guarded.pid().cast_signed()).unwrap();
                rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
            }
            Cause::Stop => guarded.stop(Duration::ZERO).unwrap(),
            Cause::Deadline => {}
        }
        tokio::time::timeout(PATIENCE, guarded.wait())
            .await
            .unwrap()
            .unwrap()
    };
    for cause in [Cause::Own, Cause::Stop, Cause::Deadline] {
        let end = ends(cause).await;
        assert_eq!((end.exit, end.cause), (Exit::Signal(9), cause));
        assert!(!end.core_dumped);
    }
}

#[tokio::test]
async fn a_core_dump_is_reported_where_one_was_written() {
    let notes = Notes::new();
    let mut spec = notes.apart("ulimit -c unlimited; kill -ABRT $$");
    spec.current_dir = Some(notes.path().into());
    let end = start(spec).await.wait().await.unwrap();
    assert_eq!(end.exit, Exit::Signal(6));
    let files = std::fs::read_dir(notes.path()).unwrap().count();
    let pattern = std::fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap();
    if pattern.starts_with('|') || pattern.contains('/') {
        eprintln!("SKIPPED: cores are not written into the directory here: {pattern}");
    } else {
        assert_eq!(end.core_dumped, files == 1);
    }
}

#[tokio::test]
async fn an_inherited_environment_can_be_had_with_descriptors_of_its_own() {
    let notes = Notes::new();
    let mut spec = notes.apart("echo \"$PATH\" > \"$0/path\"");
    spec.environment = Environment::Inherited {
        without: Vec::new(),
    };
    start(spec).await.wait().await.unwrap();
    assert_eq!(notes.read("path"), std::env::var("PATH").unwrap());
}
