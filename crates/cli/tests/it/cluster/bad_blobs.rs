//! Blobs that are full, denied or gone, and artifacts that are damaged or lost.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::running::{COUNT, Cluster, get, task_pids};
use crate::disk::SmallDisk;
use crate::harness::{Place, runs, until};

/// A program, as a file that is uploaded. Each version is another artifact.
fn program(cluster: &Cluster, version: u32, length: usize) -> String {
    let path = cluster.place.path("program.sh");
    let filling = "#".repeat(length);
    let text = format!("#!/bin/sh\n# {version}\nexec sleep 1000\n{filling}\n");
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path.display().to_string()
}

/// Uploads it with a job that cannot run for want of slots, and returns its file in the blobs.
fn uploaded(cluster: &Cluster, program: &str) -> std::path::PathBuf {
    let known = artifacts(cluster);
    let run = [
        "job", "run", "--name", "upload", "--tasks", "9", "--", program,
    ];
    cluster.ask(&run).assert_code(0);
    let canceled = cluster.ask(&["job", "cancel", "upload", "--wait"]);
    canceled.assert_code(0);
    let mut new = artifacts(cluster);
    new.retain(|path| !known.contains(path));
    assert_eq!(new.len(), 1, "{new:?}");
    new.remove(0)
}

fn artifacts(cluster: &Cluster) -> Vec<std::path::PathBuf> {
    let dir = cluster.place.path("cluster/blobs/artifacts");
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).collect()
}

/// The job file of a program that is not restarted.
fn once(cluster: &Cluster, name: &str, program: &str) -> String {
    let path = cluster.place.path(&format!("{name}.toml"));
    let text = format!(
        "name = \"{name}\"\ncommand = [\"{{artifact}}\"]\nartifact = \"{program}\"\n[restart]\nstrategy = \"none\"\n"
    );
    fs::write(&path, text).unwrap();
    path.display().to_string()
}

#[test]
fn an_artifact_that_was_altered_starts_nothing_and_can_be_replaced() {
    let cluster = Cluster::new();
    let program = program(&cluster, 1, 0);
    let stored = uploaded(&cluster, &program);
    let good = fs::read(&stored).unwrap();
    let altered = String::from_utf8(good.clone())
        .unwrap()
        .replace("1000", "2000");
    fs::write(&stored, altered).unwrap();
    let file = once(&cluster, "altered", &program);
    assert_eq!(
        cluster.ask(&["job", "run", "--wait", &file]).code,
        Some(122)
    );
    let why = cluster.ask(&["job", "why", "altered"]).assert_code(0).out;
    let digest = stored.file_name().unwrap().to_str().unwrap();
    let advice = format!("PUT /v1/artifacts/{digest}");
    assert!(why.contains("is damaged") && why.contains(&advice), "{why}");

    // The advice is true.
    let address = cluster.url.strip_prefix("http://").unwrap();
    let host = format!("host: {address}");
    let text = String::from_utf8(good).unwrap();
    let path = format!("/v1/artifacts/{digest}");
    let put = super::running::raw(address, "PUT", &path, &[&host], &text).unwrap();
    assert_eq!(put.status, 200, "{}", put.body);
    cluster.ask(&["job", "run", &file]).assert_code(0);
    cluster.running("altered", 1);
}

#[test]
fn an_artifact_that_was_cut_short_is_sent_again_and_a_lost_one_is_asked_for() {
    let cluster = Cluster::new();
    let first = program(&cluster, 1, 0);
    let stored = uploaded(&cluster, &first);
    fs::write(&stored, "#!/bin/sh\n").unwrap();
    cluster
        .ask(&["job", "run", "--name", "short", "--", &first])
        .assert_code(0);
    cluster.running("short", 1);

    let second = program(&cluster, 2, 0);
    let stored = uploaded(&cluster, &second);
    let digest = stored.file_name().unwrap().to_str().unwrap().to_owned();
    fs::remove_file(&stored).unwrap();
    let address = cluster.url.strip_prefix("http://").unwrap();
    let host = format!("host: {address}");
    let job = serde_json::json!({
        "name": "lost",
        "command": ["{artifact}"],
        "artifact": {"digest": digest, "name": "program.sh", "size": 1},
        "restart": {"strategy": "none"},
    });
    let path = "/v1/jobs/0123456789abcdef0123456789abcdef";
    super::running::raw(address, "PUT", path, &[&host], &job.to_string()).unwrap();
    cluster.job("0123456789abcdef0123456789abcdef", "has failed", |job| {
        job["state"] == "failed"
    });
    let why = cluster.ask(&["job", "why", "lost"]).assert_code(0).out;
    assert!(
        why.contains(&digest) && why.contains("submit the job again with the file"),
        "{why}"
    );
}

#[test]
fn blobs_that_are_gone_are_named_and_stop_nothing_that_needs_none() {
    let cluster = Cluster::new();
    cluster.run(&["--name", "before"], COUNT);
    let pids = task_pids(&cluster.running("before", 1));
    let first = program(&cluster, 1, 0);
    let stored = uploaded(&cluster, &first);
    let digest = stored.file_name().unwrap().to_str().unwrap().to_owned();
    let (here, away) = (
        cluster.place.path("cluster/blobs"),
        cluster.place.path("cluster/blobs-away"),
    );
    fs::rename(&here, &away).unwrap();
    // What was uploaded cannot be fetched now.
    let address = cluster.url.strip_prefix("http://").unwrap();
    let host = format!("host: {address}");
    let job = serde_json::json!({
        "name": "waits",
        "command": ["{artifact}"],
        "artifact": {"digest": digest, "name": "program.sh", "size": 1},
    });
    let id = "0123456789abcdef0123456789abcdef";
    super::running::raw(
        address,
        "PUT",
        &format!("/v1/jobs/{id}"),
        &[&host],
        &job.to_string(),
    );
    until("it says what it waits for", || {
        let why = cluster.ask(&["job", "why", "waits"]).out;
        why.contains("waits for its artifact") && why.contains("the blobs do not answer")
    });
    // What has to be uploaded is refused, with the reason.
    let second = program(&cluster, 2, 0);
    let refused = cluster.ask(&["job", "run", "--name", "refused", "--", &second]);
    let refused = refused.assert_code(7);
    assert!(
        refused.err.contains(here.to_str().unwrap()) && refused.err.contains("--blobs"),
        "{}",
        refused.err
    );
    // The rest goes on.
    cluster.run(&["--name", "plain"], COUNT);
    cluster.running("plain", 1);
    assert_eq!(task_pids(&cluster.running("before", 1)), pids);
    assert!(!here.exists(), "nobody made another one in its place");

    fs::rename(&away, &here).unwrap();
    let job = cluster.running("waits", 1);
    assert_eq!(job["restarts"], 0, "an outage is no failure: {job}");
    assert!(get(&cluster.url, "/v1/cluster").is_some());
}

#[test]
fn full_and_read_only_blobs_are_each_told_in_words_and_keep_nothing() {
    let beside = Place::new();
    let Some(disk) = SmallDisk::mount(&beside.path("disk")) else {
        return;
    };
    let dir = beside.path("disk/blobs");
    let blobs = format!("file://{}", dir.display());
    let cluster = Cluster::with(Place::new(), &["--blobs", &blobs]);
    cluster.run(&["--name", "before"], COUNT);
    let pids = task_pids(&cluster.running("before", 1));
    let program = program(&cluster, 1, 100_000);
    let run = |name: &str| cluster.ask(&["job", "run", "--name", name, "--", &program]);

    disk.fill();
    let refused = run("full");
    assert!(
        refused.code != Some(0)
            && refused.err.contains("are full")
            && refused.err.contains("Make room"),
        "{}",
        refused.err
    );
    // The end of a log cannot be kept; the job ends as it does.
    let done = cluster.ask(&["job", "run", "--wait", "--name", "brief", "--", "true"]);
    assert_eq!(done.code, Some(0), "{}", done.err);
    disk.free();
    assert_eq!(fs::read_dir(dir.join("uploads")).unwrap().count(), 0);

    disk.read_only(true);
    let refused = run("denied");
    assert!(
        refused.code != Some(0) && refused.err.contains("Read-only file system"),
        "{}",
        refused.err
    );
    disk.read_only(false);

    run("full").assert_code(0);
    cluster.running("full", 1);
    assert_eq!(task_pids(&cluster.running("before", 1)), pids);
    assert!(pids.iter().all(|pid| runs(*pid)));
}
