//! Without a cluster.

use std::process::{Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::job::{LENGTH, SPLITS, all_once, allow, ended, process, published};

#[test]
fn a_job_runs_alone_and_its_output_appears_once() {
    for tasks in ["1", "3"] {
        let dir = tempfile::tempdir().unwrap();
        allow(dir.path(), LENGTH);
        let mut command = process(dir.path(), "");
        let child = command
            .env("INCUMBENT_STREAM_TASKS", tasks)
            .spawn()
            .unwrap();
        let (code, said) = ended(child);
        assert_eq!(code, Some(0), "{said}");
        assert!(said.contains("without a cluster"), "{said}");
        assert_eq!(published(dir.path()), all_once());
    }
}

#[test]
fn ctrl_c_publishes_what_has_been_read_and_ends() {
    let dir = tempfile::tempdir().unwrap();
    allow(dir.path(), 50);
    let job = process(dir.path(), "");
    // The job runs on a thread of a test, and not on the first one of its process, which would take
    // the signal.
    let mut command = Command::new("/usr/bin/env");
    let envs = job
        .get_envs()
        .filter_map(|(name, value)| Some((name, value?)));
    command
        .arg("--block-signal=INT")
        .arg(job.get_program())
        .args(job.get_args())
        .env_clear()
        .envs(envs)
        .env("INCUMBENT_STREAM_TASKS", "2")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    // By checkpoints, while it runs.
    while published(dir.path()).len() < (SPLITS * 50) as usize {
        std::thread::yield_now();
    }
    kill(
        Pid::from_raw(child.id().try_into().unwrap()),
        Signal::SIGINT,
    )
    .unwrap();
    let (code, said) = ended(child);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(published(dir.path()).len() as u64, SPLITS * 50);
}

#[test]
fn a_panic_names_the_operator_and_ends_all_threads() {
    let dir = tempfile::tempdir().unwrap();
    allow(dir.path(), LENGTH);
    let mut command = process(dir.path(), "panic");
    let child = command.env("INCUMBENT_STREAM_TASKS", "2").spawn().unwrap();
    let (code, said) = ended(child);
    assert_eq!(code, Some(101), "{said}");
    let last = said.lines().last().unwrap();
    assert!(
        last.starts_with("this task ends with 101: operator seen panicked at "),
        "{last}"
    );
    assert!(
        last.ends_with("five is not a number for this job"),
        "{last}"
    );
}

#[test]
fn a_sink_that_fails_is_the_last_line() {
    let dir = tempfile::tempdir().unwrap();
    allow(dir.path(), LENGTH);
    let (code, said) = ended(process(dir.path(), "sink").spawn().unwrap());
    assert_eq!(code, Some(1), "{said}");
    let last = said.lines().last().unwrap();
    assert_eq!(
        last,
        "this task ends with 1: sink lines: no space is left on this pretended disk"
    );
}

#[test]
fn a_job_that_is_not_well_formed_says_that_trying_again_is_of_no_use() {
    let dir = tempfile::tempdir().unwrap();
    let (code, said) = ended(process(dir.path(), "names").spawn().unwrap());
    assert_eq!(code, Some(78), "{said}");
    assert!(
        said.lines().last().unwrap().contains("source `numbers`"),
        "{said}"
    );
}
