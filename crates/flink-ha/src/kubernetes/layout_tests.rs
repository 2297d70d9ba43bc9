use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::*;
use crate::fixtures::{MAPS, OLDER_MAPS, made, maps};
use crate::model::{ProblemKind, Severity};

const ID: &str = "8b5f5a4e-1c55-4f0c-9d2e-000000000001";
const JOB: &str = "00000000000000000000000000000001";

/// The ConfigMaps of a Flink 1.20.3: the cluster's and its job's, and the job's id.
fn captured() -> (ConfigMap, ConfigMap, String) {
    let mut maps = maps(MAPS[0].1);
    maps.sort_by_key(|map| map.metadata.name.clone());
    let [cluster, job]: [ConfigMap; 2] = maps.try_into().unwrap();
    let Some(Role::Job(id)) = role(&job, "cluster") else {
        panic!("{job:?}");
    };
    (cluster, job, id)
}

fn data(map: &mut ConfigMap) -> &mut BTreeMap<String, String> {
    map.data.as_mut().unwrap()
}

/// The only problem: its key, its kind and its reason.
fn problem(maps: &[ConfigMap]) -> (String, ProblemKind, String) {
    let problems = understand("source", "cluster", maps).problems;
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
        let cluster = understand("source", "cluster", &maps(json));
        assert_eq!(cluster.problems, []);
        let applications: Vec<_> = cluster.applications.values().collect();
        if json == MAPS[2].1 {
            let [application] = applications[..] else {
                panic!("{applications:?}");
            };
            let path = application.handle.as_ref().unwrap().path.as_ref();
            assert!(path.unwrap().contains("/submittedApplication"), "{path:?}");
        } else {
            assert!(applications.is_empty());
        }
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
        let graph = job.plan.as_ref().unwrap();
        assert_eq!(
            graph.key,
            format!("cluster-cluster-config-map/{graph_key}{id}")
        );
        let [checkpoint] = &job.checkpoints[..] else {
            panic!("{:?}", job.checkpoints);
        };
        assert_eq!(job.counter, Some(checkpoint.id + 1));
        let path = checkpoint
            .pointer
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
fn leaders_that_disagree_are_unreadable_or_are_left_over_are_reported() {
    let (mut cluster, job, id) = captured();
    let key = format!("{LEADER}restserver");
    data(&mut cluster).insert(key.clone(), format!("{ID},http://old:8081"));
    let (at, kind, reason) = problem(&[cluster.clone(), job.clone()]);
    assert_eq!(
        (&*at, kind),
        ("cluster-cluster-config-map", ProblemKind::Mixed)
    );
    assert!(reason.contains(&format!("restserver {ID}")), "{reason}");
    data(&mut cluster).insert(key.clone(), "http://old:8081".into());
    assert_eq!(
        problem(&[cluster.clone(), job.clone()]).1,
        ProblemKind::Unreadable
    );
    data(&mut cluster).remove(&key);
    let of_job = format!("{LEADER}job-{id}");
    let present = data(&mut cluster).insert(of_job.clone(), format!("{ID},pekko.tcp://a"));
    let (at, kind, reason) = problem(&[cluster.clone(), job.clone()]);
    assert_eq!(
        (at, kind),
        (
            format!("cluster-cluster-config-map/{of_job}"),
            ProblemKind::Stale
        )
    );
    assert!(reason.contains(ID), "{reason}");
    data(&mut cluster).insert(of_job, present.unwrap());
    let gone = format!("{LEADER}job-{JOB}");
    data(&mut cluster).insert(gone, format!("{ID},pekko.tcp://a"));
    assert_eq!(problem(&[cluster, job]).1, ProblemKind::Orphaned);
}

#[test]
fn a_lock_that_nobody_holds_and_one_that_is_missing_are_told_apart() {
    let (mut cluster, job, _) = captured();
    let annotations = |cluster: &mut ConfigMap| cluster.metadata.annotations.take().unwrap();
    let mut changed = annotations(&mut cluster);
    changed.insert(
        LOCK.into(),
        r#"{"holderIdentity":"","leaderTransitions":1}"#.into(),
    );
    cluster.metadata.annotations = Some(changed);
    let (key, kind, reason) = problem(&[cluster.clone(), job.clone()]);
    assert_eq!(
        (&*key, kind),
        ("cluster-cluster-config-map", ProblemKind::NoLeader)
    );
    assert_eq!(reason, "nobody holds the lock");
    annotations(&mut cluster);
    let problems = understand("source", "cluster", &[cluster, job]).problems;
    let [problem] = &problems[..] else {
        panic!("{problems:#?}");
    };
    assert_eq!(
        (problem.kind, problem.severity),
        (ProblemKind::NoLeader, Severity::Critical)
    );
    assert!(
        problem.follows.starts_with("Flink elects nobody"),
        "{}",
        problem.follows
    );
}

#[test]
fn a_config_map_without_its_labels_is_read_and_reported() {
    let (cluster, mut job, id) = captured();
    job.metadata.labels.as_mut().unwrap().remove("type");
    let maps = [cluster, job];
    let (key, kind, _) = problem(&maps);
    assert_eq!(
        (key, kind),
        (format!("cluster-{id}-config-map"), ProblemKind::Unlabelled)
    );
    let known = understand("source", "cluster", &maps);
    assert_eq!(known.jobs[&id].checkpoints.len(), 1);
}

#[test]
fn a_value_without_its_delete_marker_ends_the_job_manager() {
    let (cluster, job, id) = captured();
    let bare = STANDARD.encode(&made()["handle-file"]);
    let checkpoint = format!("{CHECKPOINT}0000000000000000004");
    for (which, key) in [(0, format!("{GRAPH}{id}")), (1, checkpoint)] {
        let mut maps = [cluster.clone(), job.clone()];
        assert!(
            data(&mut maps[which])
                .insert(key.clone(), bare.clone())
                .is_some()
        );
        let problems = understand("source", "cluster", &maps).problems;
        let [problem] = &problems[..] else {
            panic!("{problems:#?}");
        };
        assert!(problem.key.ends_with(&key), "{problem:?}");
        assert_eq!(
            (problem.kind, problem.severity),
            (ProblemKind::WrongClass, Severity::Critical)
        );
        assert!(
            problem.follows.contains("Its JobManager ends"),
            "{}",
            problem.follows
        );
    }
}

/// What follows depends on the checkpoints that are left.
#[test]
fn a_damaged_checkpoint_costs_the_state_since_the_one_before_it() {
    let (cluster, job, _) = captured();
    let [older, own, newer] = [3, 4, 5].map(|id| format!("{CHECKPOINT}{id:019}"));
    let good = job.data.as_ref().unwrap()[&own].clone();
    let with = |other: Option<&String>| {
        let mut job = job.clone();
        data(&mut job).insert(own.clone(), "no base64".into());
        data(&mut job).insert(COUNTER.into(), "9".into());
        other.map(|other| data(&mut job).insert(other.clone(), good.clone()));
        let problems = understand("source", "cluster", &[cluster.clone(), job]).problems;
        let [problem] = &problems[..] else {
            panic!("{problems:#?}");
        };
        assert_eq!(problem.kind, ProblemKind::Unreadable);
        (problem.severity, problem.follows.clone())
    };
    let (severity, follows) = with(None);
    assert_eq!(severity, Severity::Critical);
    assert!(
        follows.contains("the job starts without any state"),
        "{follows}"
    );
    let (severity, follows) = with(Some(&older));
    assert_eq!(severity, Severity::Critical);
    assert!(
        follows.contains("goes back to checkpoint 3, which is older"),
        "{follows}"
    );
    let (severity, follows) = with(Some(&newer));
    assert_eq!(severity, Severity::Note);
    assert!(
        follows.contains("restores checkpoint 5, which is newer"),
        "{follows}"
    );
}

#[test]
fn the_clusters_of_a_namespace_are_found_by_their_names() {
    for json in MAPS.map(|(_, json)| json).into_iter().chain([OLDER_MAPS]) {
        let maps = maps(json);
        let mut ids: Vec<_> = maps.iter().filter_map(cluster_of).collect();
        ids.dedup();
        assert_eq!(ids, ["cluster"]);
        assert_eq!(stored_jobs(&maps, "cluster").len(), 1);
        assert_eq!(stored_jobs(&maps, "clust").len(), 0);
        assert!(unlisted_jobs(&maps, "cluster").is_empty());
    }
    let (cluster, _, id) = captured();
    let unlisted = unlisted_jobs(&[cluster], "cluster");
    assert_eq!(unlisted, [format!("cluster-{id}-config-map")]);
}

#[test]
fn what_jobs_leave_behind_is_reported() {
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
    data(&mut job).remove(COUNTER);
    let (_, kind, reason) = problem(&[cluster.clone(), job.clone()]);
    assert_eq!(kind, ProblemKind::CounterBehind);
    assert!(reason.starts_with("the counter is missing"), "{reason}");
    data(&mut job).insert(COUNTER.into(), "9".into());
    let deleting = STANDARD.encode(&made()["deleting-file"]);
    let checkpoint = format!("{CHECKPOINT}0000000000000000002");
    data(&mut job).insert(checkpoint.clone(), deleting);
    let (key, kind, _) = problem(&[cluster.clone(), job.clone()]);
    assert_eq!(key, format!("cluster-{id}-config-map/{checkpoint}"));
    assert_eq!(kind, ProblemKind::Deleting);
    let known = understand("source", "cluster", &[cluster.clone(), job.clone()]);
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
    data(&mut cluster).remove(&format!("{GRAPH}{id}"));
    let (key, kind, _) = problem(&[cluster.clone(), job.clone()]);
    assert_eq!((key, kind), (id.clone(), ProblemKind::Orphaned));
    data(&mut job).insert("something".into(), String::new());
    let problems = understand("source", "cluster", &[cluster, job]).problems;
    assert!(
        problems
            .iter()
            .any(|problem| problem.kind == ProblemKind::Unknown)
    );
}

#[test]
fn the_config_maps_before_1_15_are_read() {
    let mut maps = maps(OLDER_MAPS);
    let cluster = understand("source", "cluster", &maps);
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
    let handles = [&checkpoint.pointer, job.plan.as_ref().unwrap()];
    for entry in handles {
        assert!(entry.handle.as_ref().unwrap().path.is_some(), "{entry:?}");
    }
    assert_eq!(job.counter, Some(checkpoint.id + 1));
    // An address without a session.
    for map in &mut maps {
        data(map).remove(SESSION);
    }
    assert!(understand("source", "cluster", &maps).leaders.is_empty());
    for map in &mut maps {
        data(map).insert(SESSION.into(), "text".into());
    }
    let problems = understand("source", "cluster", &maps).problems;
    assert_eq!(problems.len(), 4, "{problems:?}");
}
