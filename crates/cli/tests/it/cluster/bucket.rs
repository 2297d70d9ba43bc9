//! A cluster whose files are in a bucket.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use incumbent_s3_double::{Double, Fault, How, Options};

use super::running::{Cluster, task_pids};
use crate::harness::{Place, finished, until};

/// Settings that a task must not see, and no log may show.
const SECRET: &str = "hunter2";

fn start() -> (Double, Cluster) {
    let double = Double::start(Options::default());
    let mut env = double.settings();
    for (name, value) in &mut env {
        if name == "AWS_SECRET_ACCESS_KEY" {
            SECRET.clone_into(value);
        }
    }
    let cluster = Cluster::with_env(Place::new(), &["--blobs", "s3://bucket/prod"], env);
    (double, cluster)
}

/// A program, as a file that is uploaded.
fn program(cluster: &Cluster, script: &str) -> String {
    let path = cluster.place.path("program.sh");
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path.display().to_string()
}

#[test]
fn artifacts_and_ends_of_logs_are_in_the_bucket_and_secrets_are_not_with_the_tasks() {
    let (double, cluster) = start();
    let program = program(&cluster, "env; echo all");
    let run = ["job", "run", "--name", "all", "--wait", "--", &program];
    cluster.ask(&run).assert_code(0);
    let log = cluster.ask(&["job", "logs", "all"]).assert_code(0).out;
    assert!(log.lines().any(|line| line == "all"), "{log}");
    assert!(!log.contains("AWS_") && !log.contains(SECRET), "{log}");

    until("the end of the log is in the bucket", || {
        let objects = double.objects();
        objects.iter().any(|name| name.contains("/logs/"))
    });
    let objects = double.objects();
    assert!(objects.contains(&"bucket/prod/cluster.json".to_owned()));
    let is_artifact = |name: &&String| name.starts_with("bucket/prod/artifacts/");
    assert_eq!(objects.iter().filter(is_artifact).count(), 1, "{objects:?}");
    let said = cluster.place.note("up.log");
    assert!(!said.contains(SECRET), "{said}");
}

#[test]
fn an_outage_of_the_bucket_ends_no_task_and_new_ones_wait_for_its_end() {
    let (double, cluster) = start();
    let program = program(&cluster, "exec sleep 1000");
    let running = ["job", "run", "--name", "old", "--", &program];
    cluster.ask(&running).assert_code(0);
    let before = task_pids(&cluster.running("old", 1));
    double.inject(Fault {
        on: None,
        skip: 0,
        times: None,
        how: How::Answer(503, "ServiceUnavailable"),
    });
    // An artifact of its own cannot be uploaded, and the client is told why.
    fs::write(&program, "#!/bin/sh\nexec sleep 2000\n").unwrap();
    let refused = cluster.ask(&["job", "run", "--name", "new", "--", &program]);
    assert_ne!(refused.code, Some(0));
    assert!(refused.err.contains("s3://bucket/prod"), "{}", refused.err);
    assert_eq!(task_pids(&cluster.running("old", 1)), before);

    double.heal();
    until("the bucket is in use again", || {
        let again = ["job", "run", "--name", "new", "--", &program];
        finished(cluster.incumbent(&again)).code == Some(0)
    });
    cluster.running("new", 1);
    assert_eq!(task_pids(&cluster.running("old", 1)), before);
}
