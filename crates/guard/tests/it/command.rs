//! What the command receives: arguments, environment, directory and stdin, but no descriptors of
//! the runner.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use incumbent_guard::{BootTime, Deadlines, Exit, SpawnError};

use crate::support::{Notes, start};

#[tokio::test]
async fn runs_with_its_arguments_environment_directory_and_exit_code() {
    let notes = Notes::new();
    let mut spec = notes.shell("echo \"$1 $GREETING $PWD\" > \"$0/seen\"; exit 42");
    spec.args.push("an argument".into());
    spec.env.push(("GREETING".into(), "hello".into()));
    spec.current_dir = Some("/usr".into());
    let exit = start(spec).await.wait().await.unwrap().exit;
    assert_eq!((exit, exit.exit_code()), (Exit::Code(42), 42));
    assert_eq!(notes.read("seen"), "an argument hello /usr");
}

#[tokio::test]
async fn a_death_by_signal_is_reported_as_such() {
    let exit = start(Notes::new().shell("kill -SEGV $$"))
        .await
        .wait()
        .await
        .unwrap()
        .exit;
    assert_eq!((exit, exit.exit_code()), (Exit::Signal(11), 139));
}

#[tokio::test]
async fn leads_its_own_process_group() {
    let notes = Notes::new();
    let mut guarded = start(notes.shell("cut -d' ' -f5 /proc/$$/stat > \"$0/group\"")).await;
    guarded.wait().await.unwrap();
    assert_eq!(notes.read("group"), guarded.pid().to_string());
}

#[test]
fn reads_the_runners_stdin_if_that_is_a_pipe() {
    let notes = Notes::new();
    let mut runner = notes
        .runner_of(&[], "cat")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    runner
        .stdin
        .take()
        .unwrap()
        .write_all(b"through the pipe")
        .unwrap();
    let output = runner.wait_with_output().unwrap();
    assert_eq!(output.stdout, b"through the pipe");
    assert!(output.status.success());
}

#[test]
fn inherits_neither_listener_nor_control_socket() {
    let notes = Notes::new();
    let mut guarded = notes.runner_of(&["listen"], "ls");
    // Descriptors that this test was started with are passed on by every program.
    let expected = list_descriptors(&mut Command::new("ls"));
    assert_eq!(list_descriptors(&mut guarded), expected);
    assert!(notes.has("address"), "there was a listener");
}

fn list_descriptors(ls: &mut Command) -> String {
    ls.arg("/proc/self/fd")
        .stdin(Stdio::null())
        .stderr(Stdio::null());
    String::from_utf8(ls.output().unwrap().stdout).unwrap()
}

#[test]
fn a_command_that_is_not_there_is_127_and_named() {
    for program in ["no-such-command", "/no/such/command"] {
        let output = Notes::new().runner_of(&[], program).output().unwrap();
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(127), "{message}");
        assert!(
            message.contains(&format!("command not found: {program}")),
            "{message}"
        );
    }
}

#[test]
fn a_command_that_cannot_be_executed_is_126_and_named() {
    let notes = Notes::new();
    let file = notes.path().join("plain");
    std::fs::write(&file, "no program").unwrap();
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o644)).unwrap();
    for program in [file.to_str().unwrap(), "/etc"] {
        let output = notes.runner_of(&[], program).output().unwrap();
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(126), "{message}");
        assert!(
            message.contains(&format!("cannot execute {program}")),
            "{message}"
        );
    }
}

#[test]
fn a_parent_that_ignores_its_children_changes_nothing() {
    let notes = Notes::new();
    let probe = notes.runner(
        &[],
        "grep SigIgn /proc/self/status > \"$0/ignored\"; exit 3",
    );
    let status = wrapped(&["sh", "-c", "trap '' CHLD; exec \"$@\"", "sh"], &probe).status();
    assert_eq!(status.unwrap().code(), Some(3));
    let ignored = notes.read("ignored");
    let mask = u64::from_str_radix(ignored.split_whitespace().last().unwrap(), 16).unwrap();
    assert_eq!(mask & (1 << 16), 0, "no SIGCHLD in {ignored}");
}

#[test]
fn what_is_ignored_at_the_start_stays_so_in_the_command() {
    let notes = Notes::new();
    let probe = notes.runner(&[], "grep SigIgn /proc/self/status > \"$0/ignored\"");
    let trap = "trap '' HUP INT; exec \"$@\"";
    wrapped(&["sh", "-c", trap, "sh"], &probe).status().unwrap();
    let ignored = notes.read("ignored");
    let mask = u64::from_str_radix(ignored.split_whitespace().last().unwrap(), 16).unwrap();
    assert_eq!(mask & 0x3, 0x3, "{ignored}");
}

#[test]
fn no_signal_is_blocked_in_the_command() {
    // Not through a shell: some begin with none blocked in any case.
    let notes = Notes::new();
    let mut runner = notes.runner_of(&[], "grep");
    let output = runner
        .args(["SigBlk", "/proc/self/status"])
        .output()
        .unwrap();
    let blocked = String::from_utf8(output.stdout).unwrap();
    assert_eq!(blocked.trim(), "SigBlk:\t0000000000000000");
}

#[test]
fn the_proc_of_another_pid_namespace_is_refused() {
    if !Command::new("unshare")
        .args(["-pf", "true"])
        .status()
        .is_ok_and(|it| it.success())
    {
        eprintln!("skipped: a pid namespace cannot be made here");
        return;
    }
    let notes = Notes::new();
    let probe = notes.runner(&[], "echo > \"$0/ran\"");
    let output = wrapped(&["unshare", "-pf"], &probe).output().unwrap();
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(125), "{message}");
    assert!(message.contains("/proc is not that of"), "{message}");
    assert!(!notes.has("ran"));
}

/// `command`, written as arguments of another program.
fn wrapped(by: &[&str], command: &Command) -> Command {
    let mut outer = Command::new(by[0]);
    outer
        .args(&by[1..])
        .arg(command.get_program())
        .args(command.get_args());
    outer
}

#[tokio::test]
async fn what_prevents_a_start_is_told_apart() {
    let mut spec = Notes::new().shell("true");
    spec.current_dir = Some("/no/such/directory".into());
    let error = incumbent_guard::Guarded::spawn(spec).await.unwrap_err();
    assert!(matches!(error, SpawnError::Directory { .. }), "{error:?}");

    let mut spec = Notes::new().shell("true");
    spec.executable = "/bin/true".into();
    let error = incumbent_guard::Guarded::spawn(spec).await.unwrap_err();
    assert!(matches!(error, SpawnError::Lost(_)), "{error:?}");

    let notes = Notes::new();
    let mut spec = notes.shell("touch \"$0/ran\"");
    spec.deadlines = Deadlines {
        term: BootTime::now(),
        hard: BootTime::now(),
    };
    let error = incumbent_guard::Guarded::spawn(spec).await.unwrap_err();
    assert!(matches!(error, SpawnError::TooLate), "{error:?}");
    assert!(!notes.has("ran"));
}
