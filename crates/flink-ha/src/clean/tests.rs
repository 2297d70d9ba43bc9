use super::*;
use crate::fixtures::{MAPS, ZNODES, maps, stopped, tree};
use crate::model::FileState;
use crate::zookeeper::{Node, Tree};
use crate::{kubernetes, zookeeper};

const ENDED: &str = "0000000000000000000000000000000e";

fn nodes() -> Tree {
    stopped(tree(ZNODES[0].1))
}

fn read(nodes: &Tree) -> Contents {
    zookeeper::contents("source", nodes)
}

fn on_kubernetes() -> Contents {
    kubernetes::contents("source", "cluster", &maps(MAPS[2].1))
}

fn node(data: &[u8]) -> Node {
    Node {
        data: data.to_vec(),
        owner: 0,
        version: 0,
    }
}

fn found(contents: &Contents, life: &Life, request: &CleanRequest) -> Vec<Finding> {
    clean(contents, life, request).unwrap().findings
}

fn usual(contents: &Contents) -> Vec<Finding> {
    found(contents, &Life::Nobody, &CleanRequest::default())
}

fn kinds(findings: &[Finding]) -> Vec<(&'static str, bool)> {
    let findings = findings.iter();
    findings
        .map(|it| (it.kind.name(), it.kept.is_none()))
        .collect()
}

fn leads() -> Life {
    Life::Leads("somebody".into())
}

/// The only checkpoint of the only job.
fn checkpoint(nodes: &Tree) -> (String, u64, String) {
    let contents = read(nodes);
    let (job, found) = contents.cluster.jobs.first_key_value().unwrap();
    let [checkpoint] = &found.checkpoints[..] else {
        panic!("{found:?}");
    };
    (job.clone(), checkpoint.id, checkpoint.pointer.key.clone())
}

/// Adds a copy of the job's checkpoint with another number.
fn add_checkpoint(nodes: &mut Tree, id: u64) {
    let (job, _, key) = checkpoint(&self::nodes());
    let new = format!("/jobs/{job}/checkpoints/{id:019}");
    let data = self::nodes()[&key].data.clone();
    nodes.insert(new.clone(), node(&data));
    nodes.insert(format!("{new}/locks"), node(b""));
}

#[test]
fn of_a_sound_cluster_nothing_goes_but_entries_of_dead_leaders() {
    for (_, lines) in ZNODES {
        let mut nodes = stopped(tree(lines));
        // Curator's directories for leaders.
        nodes.retain(|path, _| !path.starts_with("/leader/job-"));
        assert_eq!(usual(&read(&nodes)), []);
    }
    for (_, json) in MAPS {
        let contents = kubernetes::contents("source", "cluster", &maps(json));
        assert_eq!(kinds(&usual(&contents)), [("leader", true); 4]);
        assert_eq!(found(&contents, &leads(), &CleanRequest::default()), []);
    }
}

#[test]
fn leaders_of_ended_jobs_go_while_another_leads() {
    let mut contents = on_kubernetes();
    let entry = contents.cluster.leaders["dispatcher"].clone();
    contents
        .cluster
        .leaders
        .insert(format!("job-{ENDED}"), entry);
    let findings = found(&contents, &leads(), &CleanRequest::default());
    assert_eq!(kinds(&findings), [("leader", true)]);
}

#[test]
fn what_is_left_of_an_ended_job_is_one_finding_with_all_its_keys() {
    let mut nodes = nodes();
    let (_, _, key) = checkpoint(&nodes);
    let data = nodes[&key].data.clone();
    for (path, data) in [
        (format!("/jobs/{ENDED}"), &b""[..]),
        (format!("/jobs/{ENDED}/checkpoints"), b""),
        (
            format!("/jobs/{ENDED}/checkpoints/0000000000000000004"),
            &data,
        ),
        (
            format!("/jobs/{ENDED}/checkpoints/0000000000000000005"),
            b"text",
        ),
        (
            format!("/jobs/{ENDED}/checkpoint_id_counter"),
            &[0, 0, 0, 6],
        ),
        (format!("/leader/job-{ENDED}"), b""),
    ] {
        nodes.insert(path, node(data));
    }
    nodes.retain(|path, _| !path.starts_with("/leader/job-") || path.contains(ENDED));
    for life in [Life::Nobody, leads()] {
        let findings = found(&read(&nodes), &life, &CleanRequest::default());
        assert_eq!(kinds(&findings), [("leader", true), ("ended-job", true)]);
        assert_eq!(findings[1].keys.len(), 3, "{:?}", findings[1].keys);
        assert_eq!(findings[1].files.len(), 1);
        assert_eq!(findings[1].changes, [Change::Job(ENDED.into())]);
    }
}

#[test]
fn a_job_without_a_plan_that_runs_stays() {
    let mut contents = on_kubernetes();
    let (id, job) = contents.cluster.jobs.iter_mut().next().unwrap();
    job.plan = None;
    let id = id.clone();
    assert!(contents.cluster.leaders.contains_key(&format!("job-{id}")));
    let findings = found(&contents, &leads(), &CleanRequest::default());
    assert_eq!(kinds(&findings), [("ended-job", false)]);
}

/// What Flink does with each is in `damage.rs`.
#[test]
fn a_broken_checkpoint_goes_by_itself_only_if_a_newer_one_is_sound() {
    let (job, id, key) = checkpoint(&nodes());
    for (data, kind) in [
        (b"text".to_vec(), "unreadable"),
        (crate::fixtures::made()["kept-file"].clone(), "broken"),
    ] {
        let with = |others: &[u64]| {
            let mut nodes = self::nodes();
            nodes.get_mut(&key).unwrap().data = data.clone();
            for other in others {
                add_checkpoint(&mut nodes, *other);
            }
            let counter = format!("/jobs/{job}/checkpoint_id_counter");
            nodes.get_mut(&counter).unwrap().data = vec![0, 0, 1, 0];
            nodes.retain(|path, _| !path.starts_with("/leader/job-"));
            usual(&read(&nodes))
        };
        let findings = with(&[]);
        assert_eq!(kinds(&findings), [(kind, false)]);
        assert!(findings[0].follows.contains("without any state"));
        assert!(
            findings[0]
                .kept
                .as_ref()
                .unwrap()
                .ends_with(&format!("--remove {key}"))
        );
        let findings = with(&[id - 1]);
        assert_eq!(kinds(&findings), [(kind, false)]);
        assert!(
            findings[0]
                .follows
                .contains(&format!("back to checkpoint {}", id - 1))
        );
        let findings = with(&[id - 1, id + 1]);
        assert_eq!(kinds(&findings), [(kind, true)]);
        assert!(
            findings[0]
                .follows
                .contains(&format!("on from checkpoint {}", id + 1))
        );
    }
}

#[test]
fn a_handle_whose_file_is_gone_is_found_once_files_were_looked_at() {
    let mut contents = read(&nodes());
    contents.cluster.leaders.clear();
    contents.empty_leaders.clear();
    assert_eq!(usual(&contents), []);
    for pointer in contents.cluster.pointers_mut() {
        pointer.file = Some(FileState::Missing);
    }
    let findings = usual(&contents);
    // The job's own, and its checkpoint's. Both change what Flink does.
    assert_eq!(kinds(&findings), [("broken", false), ("broken", false)]);
    assert!(findings[0].why.starts_with("its file is gone: file:/"));
    assert!(findings[0].follows.contains("forgets this job"));
}

#[test]
fn older_checkpoints_go_only_if_asked_for_and_only_while_nobody_leads() {
    let mut nodes = nodes();
    let (_, id, _) = checkpoint(&nodes);
    for other in [id - 2, id - 1, id + 1] {
        add_checkpoint(&mut nodes, other);
    }
    let mut contents = read(&nodes);
    contents.empty_leaders.clear();
    contents.cluster.problems.clear();
    assert_eq!(usual(&contents), []);
    let request = CleanRequest {
        retain: Some(2),
        ..CleanRequest::default()
    };
    let findings = found(&contents, &Life::Nobody, &request);
    assert_eq!(
        kinds(&findings),
        [("superseded", true), ("superseded", true)]
    );
    let keys: Vec<_> = findings.iter().map(|it| it.keys[0].as_str()).collect();
    assert!(keys[0].ends_with(&(id - 1).to_string()) && keys[1].ends_with(&(id - 2).to_string()));
    let findings = found(&contents, &leads(), &request);
    assert_eq!(
        kinds(&findings),
        [("superseded", false), ("superseded", false)]
    );
}

#[test]
fn a_counter_that_is_behind_gone_or_unreadable_is_set_above_the_newest_checkpoint() {
    let (job, id, _) = checkpoint(&nodes());
    let counter = format!("/jobs/{job}/checkpoint_id_counter");
    for data in [Some(&[0, 0, 0, 1][..]), Some(b"text!"), None] {
        let mut nodes = self::nodes();
        nodes.retain(|path, _| !path.starts_with("/leader/job-"));
        match data {
            Some(data) => nodes.get_mut(&counter).unwrap().data = data.to_vec(),
            None => drop(nodes.remove(&counter)),
        }
        let findings = usual(&read(&nodes));
        assert_eq!(kinds(&findings), [("counter", true)]);
        let next = id + 1;
        let job = job.clone();
        assert_eq!(findings[0].changes, [Change::Counter { job, next }]);
        let findings = found(&read(&nodes), &leads(), &CleanRequest::default());
        assert_eq!(kinds(&findings), [("counter", false)]);
    }
}

#[test]
fn what_is_named_goes_and_nothing_else() {
    let (job, id, key) = checkpoint(&nodes());
    let contents = read(&nodes());
    let asked = |remove: &[&str], counters: &[(&str, u64)]| {
        let request = CleanRequest {
            remove: remove.iter().map(|key| (*key).to_owned()).collect(),
            counters: counters
                .iter()
                .map(|(job, next)| ((*job).to_owned(), *next))
                .collect(),
            ..CleanRequest::default()
        };
        clean(&contents, &Life::Nobody, &request)
    };
    let one = asked(&[&key], &[]).unwrap();
    assert_eq!(kinds(&one.findings), [("named", true)]);
    assert!(one.findings[0].follows.contains("without any state"));
    assert_eq!(one.changes(), [Change::Entry(key.clone())]);
    assert!(
        asked(&["/none"], &[])
            .unwrap_err()
            .contains("no entry /none")
    );
    let set = asked(&[], &[(&job, id + 1)]).unwrap();
    assert_eq!(kinds(&set.findings), [("counter", true)]);
    // Numbers of checkpoints that are there are never used again.
    assert!(
        asked(&[], &[(&job, id)])
            .unwrap_err()
            .contains(&(id + 1).to_string())
    );
    assert!(asked(&[], &[("none", 7)]).is_err());
    // A leader would notice.
    let request = CleanRequest {
        remove: vec![key],
        ..CleanRequest::default()
    };
    let led = found(&contents, &leads(), &request);
    assert_eq!(kinds(&led), [("named", false)]);
}

#[test]
fn an_unfinished_copy_goes_as_a_whole() {
    let mut contents = read(&nodes());
    contents.gate = Some(Gate::Copying {
        from: "there".into(),
        fingerprint: String::new(),
    });
    let findings = usual(&contents);
    assert_eq!(kinds(&findings), [("half-done-copy", true)]);
    assert_eq!(findings[0].keys.len(), contents.entries.len());
    assert_eq!(findings[0].changes, [Change::Copy]);
}
