//! Mistakes on the command line, and clusters that are not there.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::Stdio;

use crate::harness::{Place, finished, free_port};

#[test]
fn a_job_without_a_cluster_is_told_how_to_start_one() {
    let place = Place::new();
    let nobody = format!("http://127.0.0.1:{}", free_port());
    for args in [
        &["job", "run", "--name", "hello", "--", "true"][..],
        &["job", "ls"],
        &["job", "show", "hello"],
        &["job", "logs", "hello"],
        &["job", "why", "hello"],
        &["job", "cancel", "hello"],
        &["node", "ls"],
        &["node", "drain", "tm-1"],
    ] {
        let split = args
            .iter()
            .position(|arg| *arg == "--")
            .unwrap_or(args.len());
        let (flags, command) = args.split_at(split);
        let all = [flags, &["--cluster", &nobody], command].concat();
        let done = place.ask(&all).assert_code(7);
        assert!(
            done.err
                .contains(&format!("no cluster answers at {nobody}"))
                && done.err.contains("`incumbent up`"),
            "{args:?}: {}",
            done.err
        );
        assert_eq!(done.out, "");
        // The variable names the cluster as well.
        let mut command = place.incumbent(args);
        command.env("INCUMBENT_CLUSTER", &nobody);
        finished(command).assert_code(7);
    }
    let waiting = ["job", "run", "--cluster", &nobody, "--wait", "--", "true"];
    place.ask(&waiting).assert_code(125);
}

#[test]
fn a_node_that_does_not_answer_is_named_while_it_is_waited_for() {
    let place = Place::new();
    // It has connections, and answers none of them, as a program that was stopped.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let mut command = place.incumbent(&["job", "ls", "--cluster", &url]);
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    let mut asking = command.spawn().unwrap();
    let mut told = String::new();
    let mut err = BufReader::new(asking.stderr.take().unwrap());
    err.read_line(&mut told).unwrap();
    asking.kill().unwrap();
    asking.wait().unwrap();
    assert!(
        told.contains(&format!("{url} does not answer yet")),
        "{told}"
    );
}

#[test]
fn a_cluster_is_not_begun_in_a_store_that_one_process_sees() {
    let place = Place::new();
    for part in [
        &["up", "--listen", "127.0.0.1:0"][..],
        &["job-manager", "--listen", "127.0.0.1:0"],
        &["task-manager", "--listen", "127.0.0.1:0"],
    ] {
        let done = place.ask(&[part, &["--ha", "memory:"]].concat());
        let done = done.assert_code(2);
        assert!(
            done.err.contains("the store memory: exists only inside"),
            "{part:?}: {}",
            done.err
        );
    }
}

#[test]
fn every_given_node_is_named_if_none_answers() {
    let place = Place::new();
    let nodes = [free_port(), free_port()].map(|port| format!("http://127.0.0.1:{port}"));
    let done = place
        .ask(&["node", "ls", "--cluster", &nodes.join(",")])
        .assert_code(7);
    for node in nodes {
        assert!(done.err.contains(&node), "{}", done.err);
    }
}

#[test]
fn a_command_line_that_is_no_job_is_refused_before_anything_is_sent() {
    let place = Place::new();
    std::fs::write(place.path("plain.sh"), "echo hello\n").unwrap();
    for (args, word) in [
        (
            &["job", "run"][..],
            "add -- COMMAND, as in `incumbent job run -- ./program`, or a job file",
        ),
        (
            &["job", "run", "hello.toml", "--", "true"],
            "cannot be used",
        ),
        (&["job", "run", "--tasks", "some", "--", "true"], "some"),
        (&["job", "run", "--env", "LEVEL", "--", "true"], "K=V"),
        (&["job", "run", "--id", "7", "--", "true"], "32 hexadecimal"),
        (
            &["job", "run", "--restore", "latest", "--", "true"],
            "add --checkpoints",
        ),
        (
            &[
                "job",
                "run",
                "--checkpoints",
                "--restore",
                "s3://bucket/savepoint",
                "--",
                "true",
            ],
            "never from files at a URL",
        ),
        (
            &[
                "job",
                "run",
                "--checkpoints",
                "--restore",
                "count@last",
                "--",
                "true",
            ],
            "count@41",
        ),
        (
            &["job", "run", "--checkpoint-interval", "1ms", "--", "true"],
            "checkpoints.interval",
        ),
        (&["job", "stop", "x", "--savepoint", "7"], "32 hexadecimal"),
        (&["job", "rescale", "x"], "<M>"),
        (&["job", "run", "--", "./missing"], "no such file here"),
        (&["job", "run", "--", "./plain.sh"], "chmod +x"),
        (&["job", "run", "--", "./home"], "it is a directory"),
        (
            &["job", "run", "--artifact", "missing", "--", "true"],
            "cannot read the artifact",
        ),
        (&["job", "run", "missing.toml"], "missing.toml"),
        (&["job", "show"], "ID|NAME"),
        (
            &["job", "ls", "--cluster", "ftp://h:1"],
            "http:// or https://",
        ),
        (
            &["job", "ls", "--cluster", "http://h:1/v1"],
            "without a path",
        ),
        (
            &["job", "ls", "--token-file", "missing"],
            "token file missing",
        ),
        (&["node", "forget", "tm-1"], "--yes"),
        (&["task-manager", "--slots", "0"], "--slots"),
        (&["task-manager", "--listen", "here"], "write IP:PORT"),
        (
            &["job-manager", "--cert", "c"],
            "--cert and --key go together",
        ),
        (&["job-manager", "--client-ca", "c"], "--client-ca is for"),
        (&["up", "--job-managers", "0"], "--job-managers"),
        (&["up", "--listen", "8081"], "write IP:PORT"),
    ] {
        let done = place.ask(args).assert_code(2);
        assert!(done.err.contains(word), "{args:?}: {}", done.err);
    }
}

#[test]
fn no_error_repeats_a_secret_of_the_command_line() {
    let place = Place::new();
    let nobody = format!("http://127.0.0.1:{}", free_port());
    for args in [
        &["job", "run", "--env", "s3ntinel", "--", "true"][..],
        &["job", "run", "--env", "KEY=s3ntinel", "--", "true"],
        &["job", "ls", "--cluster", "http://me:s3ntinel@h:1"],
    ] {
        let mut command = place.incumbent(args);
        command.env("INCUMBENT_CLUSTER", &nobody);
        let done = finished(command);
        assert_ne!(done.code, Some(0));
        assert!(!(done.out + &done.err).contains("s3ntinel"), "{args:?}");
    }
}

#[test]
fn the_help_teaches_the_first_steps_and_the_exit_codes() {
    let place = Place::new();
    let help = |args: &[&str]| place.ask(&[args, &["--help"]].concat()).assert_code(0).out;
    for (args, words) in [
        (
            &["up"][..],
            &["Ctrl-C", "incumbent job run --name hello", "XDG_STATE_HOME"][..],
        ),
        (&["job"], &["incumbent up", "Exit codes:", "no cluster"]),
        (
            &["job", "run"],
            &["121  canceled", "128 + the number", "{rank}", "job-file.md"],
        ),
        (&["task-manager"], &["SIGTERM drains it", "--slots"]),
        (
            &["job-manager"],
            &["Beyond loopback, a token is needed", "--blobs"],
        ),
        (&["node", "forget"], &["two attempts", "gone for good"]),
    ] {
        let help = help(args);
        for word in words {
            assert!(
                help.contains(word),
                "{word:?} is missing in {args:?}: {help}"
            );
        }
    }
}
