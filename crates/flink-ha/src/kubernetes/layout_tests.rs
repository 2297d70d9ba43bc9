use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::*;
use crate::fixtures::{MAPS, OLDER_MAPS, made, maps};
use crate::model::ProblemKind;

const ID: &str = "8b5f5a4e-1c55-4f0c-9d2e-000000000001";
const JOB: &str = "00000000000000000000000000000001";

/// One of what Flink has written: the ConfigMap of the cluster, that of the job, and the job's id.
fn captured() -> (ConfigMap, ConfigMap, String) {
    let mut maps = maps(MAPS[0].1);
    maps.sort_by_key(|map| map.metadata.name.clone());
    let [cluster, job]: [ConfigMap; 2] = maps.try_into().unwrap();
    let Some(Use::Job(id)) = use_of(&job, "cluster") else {
        panic!("{job:?}");
    };
    (cluster, job, id)
}

fn data(map: &mut ConfigMap) -> &mut BTreeMap<String, String> {
    map.data.as_mut().unwrap()
}

fn problem(maps: &[ConfigMap]) -> (String, ProblemKind, String) {
    let problems = understand("cluster", maps).problems;
    let [problem] = &problems[..] else {
        panic!("{problems:#?}");
    };
    (problem.key.clone(), problem.kind, problem.reason.clone())
}

fn named(name: &str, pairs: &[(&str, &str)]) -> ConfigMap {
    let mut map = ConfigMap::default();
    map.metadata.name = Some(name.to_owned());
    let pairs = pairs
        .iter()
        .map(|&(key, value)| (key.to_owned(), value.to_owned()));
    map.data = Some(pairs.collect());
    map
}

#[test]
fn all_that_flink_wrote_is_understood_and_has_no_problems() {
    for (graph_key, json) in MAPS {
        let cluster = understand("cluster", &maps(json));
        assert_eq!(cluster.problems, []);
        let [election] = &cluster.elections[..] else {
            panic!("{:?}", cluster.elections);
        };
        let lock = election.lock.as_ref().unwrap();
        assert!(
            election.holder.is_some() && lock.lease_duration.is_some() && lock.renewed.is_some()
        );
        assert_eq!(lock.transitions, Some(0));
        let (id, job) = cluster.jobs.first_key_value().unwrap();
        let names: Vec<_> = cluster.leaders.keys().cloned().collect();
        let of_job = format!("job-{id}");
        assert_eq!(
            names,
            ["dispatcher", &of_job, "resourcemanager", "restserver"]
        );
        let graph = job.graph.as_ref().unwrap();
        assert_eq!(
            graph.key,
            format!("cluster-cluster-config-map/{graph_key}{id}")
        );
        let [checkpoint] = &job.checkpoints[..] else {
            panic!("{:?}", job.checkpoints);
        };
        assert_eq!(job.counter, Some(checkpoint.id + 1));
        let path = checkpoint
            .entry
            .handle
            .as_ref()
            .unwrap()
            .path
            .as_ref()
            .unwrap();
        assert!(
            path.starts_with("file:/tmp/flink-capture/ha/")
                && path.contains("/completedCheckpoint")
        );
    }
}

#[test]
fn only_ha_data_of_this_cluster_are_its() {
    let job = format!("cluster-{JOB}-config-map");
    let older = format!("cluster-{JOB}-jobmanager-leader");
    for name in [
        "cluster-cluster-config-map",
        "cluster-dispatcher-leader",
        &job,
        &older,
    ] {
        assert!(is_of(&named(name, &[]), "cluster"), "{name}");
    }
    let other = format!("cluster-b-{JOB}-config-map");
    for name in [
        "flink-config-cluster",
        "cluster-b-cluster-config-map",
        "cluster-b-dispatcher-leader",
        "cluster",
        &other,
    ] {
        assert!(!is_of(&named(name, &[]), "cluster"), "{name}");
    }
}

#[test]
fn stale_and_unreadable_leaders_are_told() {
    let (mut cluster, job, _) = captured();
    let key = format!("{LEADER}restserver");
    data(&mut cluster).insert(key.clone(), format!("{ID},http://old:8081"));
    let (at, kind, reason) = problem(&[cluster.clone(), job.clone()]);
    assert_eq!(at, format!("cluster-cluster-config-map/{key}"));
    assert!(
        kind == ProblemKind::Stale && reason.contains(ID),
        "{reason}"
    );
    data(&mut cluster).insert(key.clone(), "http://old:8081".into());
    assert_eq!(
        problem(&[cluster.clone(), job.clone()]).1,
        ProblemKind::Unreadable
    );
    data(&mut cluster).remove(&key);
    let gone = format!("{LEADER}job-{JOB}");
    let session = leader(&cluster, &Component::Dispatcher)
        .unwrap()
        .unwrap()
        .session;
    data(&mut cluster).insert(gone, format!("{session},pekko.tcp://a"));
    assert_eq!(problem(&[cluster, job]).1, ProblemKind::Orphaned);
}

#[test]
fn a_lock_that_nobody_holds_makes_its_leaders_stale() {
    let (mut cluster, job, _) = captured();
    let annotations = cluster.metadata.annotations.as_mut().unwrap();
    annotations.insert(
        LOCK.into(),
        r#"{"holderIdentity":"","leaderTransitions":1}"#.into(),
    );
    let problems = understand("cluster", &[cluster, job]).problems;
    assert_eq!(problems.len(), 4, "{problems:?}");
    assert!(
        problems
            .iter()
            .all(|problem| problem.reason == "nobody holds the lock")
    );
}

#[test]
fn what_jobs_leave_behind_is_told() {
    let (mut cluster, mut job, id) = captured();
    data(&mut job).insert(COUNTER.into(), "2".into());
    assert_eq!(
        problem(&[cluster.clone(), job.clone()]).1,
        ProblemKind::CounterBehind
    );
    data(&mut job).insert(COUNTER.into(), "two".into());
    assert_eq!(
        problem(&[cluster.clone(), job.clone()]).1,
        ProblemKind::Unreadable
    );
    data(&mut job).insert(COUNTER.into(), "9".into());
    let deleting = STANDARD.encode(&made()["deleting-file"]);
    let checkpoint = format!("{CHECKPOINT}0000000000000000002");
    data(&mut job).insert(checkpoint.clone(), deleting);
    let (key, kind, _) = problem(&[cluster.clone(), job.clone()]);
    assert_eq!(key, format!("cluster-{id}-config-map/{checkpoint}"));
    assert_eq!(kind, ProblemKind::Deleting);
    let known = understand("cluster", &[cluster.clone(), job.clone()]);
    let ids: Vec<_> = known.jobs[&id]
        .checkpoints
        .iter()
        .map(|one| one.id)
        .collect();
    assert_eq!(ids, [2, 4]);
    data(&mut job).insert(checkpoint.clone(), "AAAA".into());
    assert_eq!(
        problem(&[cluster.clone(), job.clone()]).1,
        ProblemKind::Unreadable
    );
    data(&mut job).remove(&checkpoint);
    data(&mut cluster).remove(&format!("{}{id}", GRAPHS[0]));
    let (key, kind, _) = problem(&[cluster.clone(), job.clone()]);
    assert_eq!((key, kind), (id.clone(), ProblemKind::Orphaned));
    data(&mut job).insert("something".into(), String::new());
    let problems = understand("cluster", &[cluster, job]).problems;
    assert!(
        problems
            .iter()
            .any(|problem| problem.kind == ProblemKind::Unknown)
    );
}

#[test]
fn the_config_maps_before_1_15_are_read() {
    let mut maps = maps(OLDER_MAPS);
    let cluster = understand("cluster", &maps);
    assert_eq!(cluster.problems, []);
    assert_eq!((cluster.elections.len(), cluster.leaders.len()), (4, 4));
    let rest = &cluster.leaders["restserver"];
    assert_eq!(rest.key, "cluster-restserver-leader/sessionId");
    assert!(rest.leader.address.starts_with("http://127.0.0.1:"));
    let (id, job) = cluster.jobs.first_key_value().unwrap();
    assert!(cluster.leaders.contains_key(&format!("job-{id}")));
    let [checkpoint] = &job.checkpoints[..] else {
        panic!("{:?}", job.checkpoints);
    };
    let handles = [&checkpoint.entry, job.graph.as_ref().unwrap()];
    for entry in handles {
        assert!(entry.handle.as_ref().unwrap().path.is_some(), "{entry:?}");
    }
    assert_eq!(job.counter, Some(checkpoint.id + 1));
    // An address without a session.
    for map in &mut maps {
        data(map).remove(SESSION);
    }
    assert!(understand("cluster", &maps).leaders.is_empty());
    for map in &mut maps {
        data(map).insert(SESSION.into(), "text".into());
    }
    assert_eq!(understand("cluster", &maps).problems.len(), 4);
}
