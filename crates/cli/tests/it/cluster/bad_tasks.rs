//! Tasks that print without end, never start, ignore SIGTERM, or leave processes behind; and jobs
//! that cannot be.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::Signal;
use serde_json::json;

use super::running::{COUNT, Cluster, assert_gapless, gone, lines, raw, task_pids, tasks};
use super::witness::now;
use crate::harness::{kill, runs, until};

/// Logs of a task keep a few files of 8 MiB; this is far above all of them.
const DISK_OF_A_LOG: u64 = 64 * 1024 * 1024;

/// All files below a directory.
fn files(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let below = entries.flat_map(|entry| {
        let is_dir = entry.file_type().is_ok_and(|of| of.is_dir());
        match is_dir {
            true => files(&entry.path()),
            false => vec![entry.path()],
        }
    });
    below.collect()
}

fn size(files: &[PathBuf]) -> u64 {
    let sizes = files.iter().filter_map(|file| fs::metadata(file).ok());
    sizes.map(|found| found.len()).sum()
}

#[test]
fn a_task_that_prints_without_end_fills_no_disk_and_delays_nobody() {
    let cluster = Cluster::new();
    cluster.run(&["--name", "counts", "--tasks", "2"], COUNT);
    let pids = task_pids(&cluster.running("counts", 1));
    let _log = cluster.follow("log", &["counts"]);
    let printing = cluster.run(&["--name", "prints"], "exec yes 'an endless line'");
    let id = printing["id"].as_str().unwrap().to_owned();
    cluster.running("prints", 1);
    let its_logs = || {
        let of_tasks = files(&cluster.place.path("cluster/tasks"));
        let is_log = |file: &PathBuf| {
            let path = file.to_string_lossy();
            path.contains(&id) && path.contains("/log/")
        };
        of_tasks.into_iter().filter(is_log).collect::<Vec<_>>()
    };
    // A name is the offset of the first byte: the first file is given up for newer ones.
    until("its log has rotated", || {
        let logs = its_logs();
        let is_first = |file: &PathBuf| {
            let stem = file.file_stem().unwrap_or_default().to_string_lossy();
            stem.bytes().all(|digit| digit == b'0')
        };
        !logs.is_empty() && !logs.iter().any(is_first)
    });
    let kept = size(&its_logs());
    assert!(kept < DISK_OF_A_LOG, "{kept} bytes are kept");
    let tail = cluster.ask(&["job", "logs", "prints", "--tail", "3"]);
    let tail = tail.assert_code(0).out;
    // The last line may be cut where the log ended just then.
    let is_line = |line: &str| "an endless line".starts_with(line);
    assert!(
        tail.lines().count() <= 3 && tail.lines().all(is_line),
        "{tail:?}"
    );
    // The others go on, and are heard.
    let before = lines(&cluster, "log.out", 0, 1).len();
    until("the other log goes on", || {
        (0..2).all(|rank| lines(&cluster, "log.out", rank, 1).len() > before + 10)
    });
    for rank in 0..2 {
        assert_gapless(&lines(&cluster, "log.out", rank, 1));
    }
    assert_eq!(task_pids(&cluster.running("counts", 1)), pids);
    let canceled = cluster.ask(&["job", "cancel", "prints", "--wait"]);
    canceled.assert_code(0);
}

#[test]
fn what_a_task_has_forked_ends_with_it_however_it_ends() {
    let cluster = Cluster::new();
    let note = cluster.place.path("forked");
    // One in a session of its own, one whose parent is gone.
    let script = format!(
        "setsid sh -c 'echo $$ >> {0}; exec sleep 1000' & (sh -c 'echo $$ >> {0}; exec sleep 1000' &); \
         echo $$ >> {0}; exec sleep 1000",
        note.display()
    );
    let forked = || {
        let text = fs::read_to_string(&note).unwrap_or_default();
        let pids: Vec<i32> = text.lines().filter_map(|line| line.parse().ok()).collect();
        (text.lines().count() == 3 && text.ends_with('\n')).then_some(pids)
    };
    let begun = |name: &str| {
        let _ = fs::remove_file(&note);
        cluster.run(&["--name", name], &script);
        until("all three processes run", || {
            forked().is_some_and(|pids| pids.iter().all(|pid| runs(*pid)))
        });
        forked().unwrap()
    };

    let pids = begun("canceled");
    let canceled = cluster.ask(&["job", "cancel", "canceled", "--wait"]);
    canceled.assert_code(0);
    assert!(!pids.iter().any(|pid| runs(*pid)), "none when it is said");

    let pids = begun("killed");
    let task = task_pids(&cluster.running("killed", 1))[0];
    kill(task, Signal::KILL);
    gone("what it has forked is gone", &pids);
    cluster.ask(&["job", "cancel", "killed"]).assert_code(0);

    let pids = begun("orphaned");
    let job = cluster.job("orphaned", "runs", |job| job["state"] == "running");
    kill(cluster.node_of(&tasks(&job)[0]), Signal::KILL);
    gone("what it has forked is gone", &pids);
}

#[test]
fn a_task_that_ignores_sigterm_is_killed_after_its_grace() {
    let cluster = Cluster::new();
    let script = "trap '' TERM; while :; do sleep 0.02; done";
    cluster.run_file("stubborn", script, "grace = \"1s\"");
    let pids = task_pids(&cluster.running("stubborn", 1));
    let since = now();
    let canceled = cluster.ask(&["job", "cancel", "stubborn", "--wait"]);
    canceled.assert_code(0);
    assert!(!pids.iter().any(|pid| runs(*pid)));
    assert!(since.elapsed() >= Duration::from_secs(1));
    assert_eq!(cluster.show("stubborn")["state"], "canceled");
}

#[test]
fn what_never_starts_is_told_with_its_reason_and_what_to_do() {
    let cluster = Cluster::new();
    let at = |name: &str| cluster.place.path(name).display().to_string();
    fs::write(at("lost.sh"), "#!/no/such/interpreter\n").unwrap();
    fs::set_permissions(at("lost.sh"), fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(at("plain.sh"), "#!/bin/sh\n").unwrap();
    let once = "[restart]\nstrategy = \"none\"\n";
    for (name, text, words) in [
        (
            "absent",
            "command = [\"/no/such/program\"]\n".to_owned(),
            &["/no/such/program", "install it"][..],
        ),
        (
            "interpreter",
            format!(
                "command = [\"{{artifact}}\"]\nartifact = \"{}\"\n",
                at("lost.sh")
            ),
            &["interpreter"],
        ),
        (
            "directory",
            "command = [\"/tmp\"]\n".to_owned(),
            &["/tmp", "denied"],
        ),
        (
            "secret",
            "command = [\"true\"]\n[env-files]\nKEY = \"/no/such/secret\"\n".to_owned(),
            &["KEY", "/no/such/secret", "machine of each TaskManager"],
        ),
    ] {
        let text = format!("name = \"{name}\"\n{text}{once}");
        fs::write(at("job.toml"), text).unwrap();
        let run = cluster.ask(&["job", "run", "--wait", &at("job.toml")]);
        assert!(
            matches!(run.code, Some(122 | 126 | 127)),
            "{name}: {:?} {}",
            run.code,
            run.err
        );
        let why = cluster.ask(&["job", "why", name]).assert_code(0).out;
        for word in words {
            assert!(why.contains(word), "{word:?} in {why}");
        }
        assert_eq!(cluster.show(name)["cause"]["kind"], "not_started");
    }
    // Found before anything is submitted.
    let refused = cluster.ask(&["job", "run", "--", &at("plain.sh")]);
    let refused = refused.assert_code(2);
    assert!(refused.err.contains("chmod +x"), "{}", refused.err);
}

#[test]
fn jobs_that_cannot_be_are_refused_by_the_command_and_by_every_node() {
    let cluster = Cluster::new();
    for tasks in ["0", "1001"] {
        let refused = cluster.ask(&["job", "run", "--tasks", tasks, "--", "true"]);
        let refused = refused.assert_code(2);
        assert!(
            refused.err.contains("1 to 1000") && refused.err.contains(tasks),
            "{}",
            refused.err
        );
    }
    let path = "/v1/jobs/0123456789abcdef0123456789abcdef";
    for job in [
        json!({"name": "x", "command": ["true"], "tasks": 0}),
        json!({"name": "x", "command": []}),
        json!({"name": "x", "command": ["{rnak}"]}),
        json!({"name": "x", "command": ["true"], "taks": 2}),
        json!({"name": "x", "command": ["true"], "artifact": {"digest": "no", "name": "a", "size": 1}}),
    ] {
        for node in cluster.nodes() {
            let address = node["address"].as_str().unwrap();
            let host = format!("host: {address}");
            let answer = raw(address, "PUT", path, &[&host], &job.to_string()).unwrap();
            assert!(
                [400, 422].contains(&answer.status),
                "{job}: {} {}",
                answer.status,
                answer.body
            );
            assert!(answer.json()["detail"].is_string());
        }
    }
    assert_eq!(cluster.ask(&["job", "ls"]).assert_code(0).out, "");
}
