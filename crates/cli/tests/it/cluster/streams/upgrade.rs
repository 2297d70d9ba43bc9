//! A job that was changed starts from what the old one has left, or is refused.

use super::super::running::Cluster;
use super::job::Streaming;

const OFTEN: &str = "[checkpoints]\ninterval = \"200ms\"";

#[test]
fn a_changed_job_goes_on_from_the_savepoint_or_is_refused_with_a_list() {
    let cluster = Cluster::new();
    let job = Streaming::new(cluster.place.path("stream"), "old", 40_000, 2);
    let file = job.job_file(2, 10, OFTEN);
    cluster.ask(&["job", "run", &file]).assert_code(0);
    cluster.job("old", "has a checkpoint", |view| {
        view["checkpoint"]["number"].as_u64() >= Some(1)
    });
    cluster.ask(&["job", "stop", "old"]).assert_code(0);
    let start = |name: &str, tasks: &str, version: u32| {
        let version = Streaming::version(version);
        let version = version.each_ref().map(String::as_str);
        let flags = ["--name", name, "--tasks", tasks, "--restore", "old"];
        let run = [&["job", "run", &file], &flags[..], &version].concat();
        cluster.ask(&run).assert_code(0);
        cluster.job(name, "has ended", |view| {
            matches!(view["state"].as_str(), Some("finished" | "failed"))
        })
    };

    let refused = start("misfit", "2", 3);
    assert_eq!(refused["state"], "failed", "{refused:#}");
    let why = cluster.ask(&["job", "why", "misfit"]).assert_code(0).out;
    for name in ["sevenths", "fifths", "chain"] {
        assert!(why.contains(name), "{name} in {why}");
    }

    let ended = start("new", "3", 2);
    assert_eq!(ended["state"], "finished", "{ended:#}");
    job.assert_right();
}
