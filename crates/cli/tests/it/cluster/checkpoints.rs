//! What is shown of checkpoints and savepoints, what jobs start from, and what is refused.

use serde_json::{Value, json};

use super::counters::{Counting, assert_counted, cluster, published};
use super::running::{Cluster, raw};
use crate::harness::until;

fn savepoint(cluster: &Cluster, job: &str) -> String {
    let made = cluster
        .ask(&["job", "savepoint", job])
        .assert_code(0)
        .json();
    made["id"].as_str().unwrap().to_owned()
}

fn table(cluster: &Cluster, args: &[&str]) -> String {
    let all = [args, &["--format", "table"]].concat();
    cluster.ask(&all).assert_code(0).out
}

#[test]
fn a_job_counts_each_number_once_and_finishes() {
    let Some(cluster) = cluster(&[]) else {
        return;
    };
    let counting = Counting {
        limit: 100,
        ..Counting::default()
    };
    let id = counting.run(&cluster)["id"].as_str().unwrap().to_owned();
    let ended = cluster.finished("count");
    assert_eq!(ended["restarts"], 0, "{ended}");
    assert_counted(&cluster, &id, 100);
}

#[test]
fn checkpoints_are_shown_to_people_and_to_programs() {
    let Some(cluster) = cluster(&[]) else {
        return;
    };
    Counting::default().run(&cluster);
    let job = cluster.checkpointed("count", 5);
    let checkpoints = &job["checkpoints"];
    assert_eq!(checkpoints["interval_ms"], 200);
    let completed = checkpoints["completed"].as_array().unwrap();
    assert!(
        !completed.is_empty() && completed.len() <= 3,
        "{completed:?}"
    );
    let last = &job["checkpoint"];
    assert_eq!((&last["tasks"], &last["attempt"]), (&json!(2), &json!(1)));
    assert!(last["bytes"].as_u64() > Some(0), "{last}");
    let show = table(&cluster, &["job", "show", "count"]);
    for words in [
        "interval   0.2 s, 3 kept",
        "checkpoint ",
        " ago: ",
        "PROGRESS",
        "counted to ",
    ] {
        assert!(show.contains(words), "{words:?} in {show}");
    }
    let list = table(&cluster, &["job", "ls"]);
    assert!(
        list.contains("CHECKPOINT") && list.contains(" ago"),
        "{list}"
    );
    let why = cluster.ask(&["job", "why", "count"]).assert_code(0).out;
    assert!(why.contains("its last completed checkpoint is "), "{why}");
    // The tasks' own metrics, from any node.
    let address = cluster.url.strip_prefix("http://").unwrap();
    until("the metrics of both tasks are there", || {
        let answer = raw(
            address,
            "GET",
            "/v1/metrics",
            &[&format!("host: {address}")],
            "",
        );
        let text = answer.map(|answer| answer.body).unwrap_or_default();
        let of = |rank: &str| {
            let mut lines = text.lines().filter(|line| line.starts_with("counted{"));
            lines.any(|line| line.contains(rank) && line.contains("node=") && line.contains("job="))
        };
        of("rank=\"0\"") && of("rank=\"1\"")
    });
}

#[test]
fn a_rank_that_never_acknowledges_is_named_and_ends_the_attempt() {
    let Some(cluster) = cluster(&[]) else {
        return;
    };
    let counting = Counting {
        flags: &["--env", "DEAF=1"],
        ..Counting::default()
    };
    // The command line has no timeout; a job file has.
    let file = cluster.place.path("deaf.toml");
    let args = counting.args(&cluster);
    let command = args.iter().position(|arg| arg == "--").unwrap();
    let env = args.windows(2).filter(|two| two[0] == "--env");
    let env: Vec<_> = env.map(|two| two[1].split_once('=').unwrap()).collect();
    let env: String = env
        .iter()
        .map(|(name, value)| format!("{name} = {}\n", json!(value)))
        .collect();
    let text = format!(
        "name = \"count\"\ntasks = 2\nfenced = true\ncommand = {}\n[env]\n{env}\
         [checkpoints]\ninterval = \"100ms\"\ntimeout = \"2s\"\n",
        json!(args[command + 1..])
    );
    std::fs::write(&file, text).unwrap();
    cluster
        .ask(&["job", "run", file.to_str().unwrap()])
        .assert_code(0);
    cluster.job("count", "has an aborted checkpoint", |view| {
        view["checkpoints"]["last_aborted"]["late"] == json!([1])
    });
    let failed = cluster.job("count", "has failed once", |view| {
        view["cause"]["kind"] == "checkpoints_failed"
    });
    assert_eq!(failed["cause"]["rank"], 1, "{failed}");
    let why = cluster.ask(&["job", "why", "count"]).assert_code(0).out;
    assert!(why.contains("rank 1 had not acknowledged it"), "{why}");
    let show = table(&cluster, &["job", "show", "count"]);
    assert!(
        show.contains("3 checkpoints in a row were not completed"),
        "{show}"
    );
}

#[test]
fn a_savepoint_outlives_its_job_and_starts_another() {
    let Some(cluster) = cluster(&[]) else {
        return;
    };
    Counting::default().run(&cluster);
    cluster.checkpointed("count", 1);
    let id = savepoint(&cluster, "count");
    let of_job = cluster.show("count");
    assert_eq!(of_job["savepoints"][0]["id"], id.as_str(), "{of_job}");
    assert_eq!(of_job["state"], "running", "it goes on");
    let again = cluster.ask(&["job", "savepoint", "count", "--savepoint", &id]);
    assert_eq!(again.assert_code(0).json()["id"], id.as_str());
    cluster
        .ask(&["job", "cancel", "count", "--wait"])
        .assert_code(0);
    let listed = cluster.ask(&["savepoint", "ls"]).assert_code(0).json();
    assert_eq!(
        (&listed["id"], &listed["has_job"]),
        (&json!(id), &json!(true))
    );
    cluster.ask(&["job", "rm", "count"]).assert_code(0);
    let listed = cluster.ask(&["savepoint", "ls"]).assert_code(0).json();
    assert_eq!(
        (&listed["name"], &listed["has_job"]),
        (&json!("count"), &json!(false))
    );
    let list = table(&cluster, &["savepoint", "ls"]);
    assert!(
        list.starts_with("ID") && list.contains("count (removed)"),
        "{list}"
    );

    // By the beginning of its id, with another number of tasks.
    let at = listed["checkpoint"]["number"].as_u64().unwrap();
    let limit = 400;
    let counting = Counting {
        name: "again",
        tasks: 3,
        limit,
        pace: "0.001",
        flags: &["--restore", &id[..8]],
    };
    let job = counting.run(&cluster)["id"].as_str().unwrap().to_owned();
    let ended = cluster.finished("again");
    let from = ended["checkpoints"]["restored_from"].as_str().unwrap();
    assert!(
        from.contains(&id) && from.contains(&at.to_string()),
        "{from}"
    );
    // What the first one had counted is not counted again.
    let found = published(&cluster, &job);
    assert_eq!(found.len(), 8);
    for (counter, numbers) in found {
        let first = numbers[0];
        assert!(
            first > 1 || counter > 7,
            "counter {counter} begins at {first}"
        );
        let expected: Vec<u64> = (first..=limit).collect();
        assert_eq!(numbers, expected, "counter {counter}");
    }
    cluster.ask(&["savepoint", "rm", &id[..8]]).assert_code(0);
    assert_eq!(cluster.ask(&["savepoint", "ls"]).assert_code(0).out, "");
    cluster.ask(&["savepoint", "show", &id]).assert_code(6);
}

#[test]
fn what_a_job_starts_from_is_a_job_a_checkpoint_or_a_savepoint_and_nothing_else() {
    let Some(cluster) = cluster(&[]) else {
        return;
    };
    Counting::default().run(&cluster);
    cluster.checkpointed("count", 1);
    cluster.ask(&["job", "stop", "count"]).assert_code(0);
    let job = cluster.show("count");
    let number = job["checkpoint"]["number"].to_string();
    let start = |name: &str, from: &str| {
        let counting = Counting {
            name,
            flags: &["--restore", from],
            ..Counting::default()
        };
        let args = counting.args(&cluster);
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        cluster.ask(&args)
    };
    for (name, from) in [
        ("by-name", "count".to_owned()),
        ("by-number", format!("count@{number}")),
        ("by-id", job["id"].as_str().unwrap().to_owned()),
    ] {
        start(name, &from).assert_code(0);
        let started = cluster.job(name, "has a checkpoint of its own", |view| {
            view["checkpoint"]["number"].is_u64()
        });
        let from = started["checkpoints"]["restored_from"].as_str().unwrap();
        assert!(from.contains(&number), "{from}");
        cluster
            .ask(&["job", "cancel", name, "--wait"])
            .assert_code(0);
    }
    for (from, code, words) in [
        (
            "s3://bucket/savepoints/1",
            2,
            "never from files at a URL or a path",
        ),
        ("/mnt/savepoint", 2, "never from files at a URL or a path"),
        ("count@x", 2, "count@41"),
        ("nobody", 6, "no job and no savepoint"),
        ("nobody@1", 6, "no job"),
        ("0123456789", 6, "no job and no savepoint"),
        (&"a".repeat(32), 6, "no job and no savepoint"),
    ] {
        let refused = start("refused", from).assert_code(code);
        assert!(refused.err.contains(words), "{from}: {}", refused.err);
    }
    // There is no such checkpoint: the leader knows.
    let refused = start("refused", "count@9999999").assert_code(4);
    assert!(refused.err.contains("9999999"), "{}", refused.err);
}

#[test]
fn what_a_waiting_job_starts_from_is_not_removed() {
    let Some(cluster) = cluster(&[]) else {
        return;
    };
    Counting::default().run(&cluster);
    cluster.checkpointed("count", 1);
    let id = savepoint(&cluster, "count");
    cluster
        .ask(&["job", "cancel", "count", "--wait"])
        .assert_code(0);
    // There are not so many slots, so it waits.
    let counting = Counting {
        name: "waits",
        tasks: 9,
        flags: &["--restore", &id],
        ..Counting::default()
    };
    counting.run(&cluster);
    cluster.job("waits", "knows what it starts from", |view| {
        view["checkpoints"]["restored_from"].is_string()
    });
    let refused = cluster.ask(&["savepoint", "rm", &id]).assert_code(4);
    assert!(refused.err.contains("start"), "{}", refused.err);
    cluster
        .ask(&["job", "cancel", "waits", "--wait"])
        .assert_code(0);
    cluster.ask(&["savepoint", "rm", &id]).assert_code(0);
}

#[test]
fn a_savepoint_that_another_version_wrote_is_refused_in_words() {
    let Some(cluster) = cluster(&[]) else {
        return;
    };
    Counting::default().run(&cluster);
    cluster.checkpointed("count", 1);
    let id = savepoint(&cluster, "count");
    cluster
        .ask(&["job", "cancel", "count", "--wait"])
        .assert_code(0);
    cluster.ask(&["job", "rm", "count"]).assert_code(0);
    let marker = format!("cluster/blobs/savepoints/{id}/savepoint.json");
    let marker = cluster.place.path(&marker);
    let text = std::fs::read_to_string(&marker).unwrap();
    let mut json: Value = serde_json::from_str(&text).unwrap();
    json["format"] = 99.into();
    std::fs::write(&marker, json.to_string()).unwrap();
    let listed = cluster.ask(&["savepoint", "ls"]).assert_code(0);
    assert!(
        listed.err.contains(&id) && listed.err.contains("format 99"),
        "{}",
        listed.err
    );
    let counting = Counting {
        name: "later",
        flags: &["--restore", &id],
        ..Counting::default()
    };
    let args = counting.args(&cluster);
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let refused = cluster.ask(&args).assert_code(4);
    assert!(refused.err.contains("format 99"), "{}", refused.err);
}

#[test]
fn a_job_without_checkpoints_is_stopped_and_begins_anew() {
    let cluster = Cluster::new();
    let flags = ["--name", "plain", "--tasks", "2"];
    cluster.run(&flags, "while :; do sleep 0.1; done");
    cluster.running("plain", 1);
    let refused = cluster.ask(&["job", "savepoint", "plain"]).assert_code(4);
    assert!(refused.err.contains("[checkpoints]"), "{}", refused.err);
    let stopped = cluster.ask(&["job", "stop", "plain"]).assert_code(0).json();
    assert_eq!(stopped["state"], "suspended", "{stopped}");
    cluster.ask(&["job", "stop", "plain"]).assert_code(0);
    cluster
        .ask(&["job", "resume", "plain", "--tasks", "3"])
        .assert_code(0);
    let resumed = cluster.running("plain", 2);
    assert_eq!(resumed["tasks"].as_array().unwrap().len(), 3);
    let rescaled = cluster
        .ask(&["job", "rescale", "plain", "1"])
        .assert_code(0)
        .json();
    assert_eq!(rescaled["tasks"].as_array().unwrap().len(), 1);
    assert_eq!(rescaled["restarts"], 0, "{rescaled}");
}
