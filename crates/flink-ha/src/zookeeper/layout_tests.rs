use super::*;
use crate::fixtures::{ZNODES, made, tree};
use crate::model::ProblemKind;

const FILE: &str = "org.apache.flink.runtime.state.filesystem.FileStateHandle";

/// One of what Flink has written.
fn captured() -> (Tree, String) {
    let tree = tree(ZNODES[0].1);
    let job = children(&tree, "/jobs").next().unwrap().to_owned();
    (tree, job)
}

/// The only problem of a tree.
fn problem(tree: &Tree) -> (String, ProblemKind, String) {
    let problems = understand(tree).problems;
    let [problem] = &problems[..] else {
        panic!("{problems:#?}");
    };
    (problem.key.clone(), problem.kind, problem.reason.clone())
}

#[test]
fn all_that_flink_wrote_is_understood_and_has_no_problems() {
    for (graphs, lines) in ZNODES {
        let cluster = understand(&tree(lines));
        assert_eq!(cluster.problems, []);
        let [election] = &cluster.elections[..] else {
            panic!("{:?}", cluster.elections);
        };
        assert_eq!(election.key, "/leader/latch");
        assert!(
            election
                .holder
                .as_ref()
                .unwrap()
                .ends_with("-latch-0000000000")
        );
        assert_eq!(election.waiting.len(), 1);
        let (id, job) = cluster.jobs.first_key_value().unwrap();
        let names: Vec<_> = cluster.leaders.keys().cloned().collect();
        let of_job = format!("job-{id}");
        assert_eq!(
            names,
            ["dispatcher", &of_job, "resourcemanager", "restserver"]
        );
        for (name, entry) in &cluster.leaders {
            assert_eq!(entry.owner, election.owner);
            let scheme = if name == "restserver" {
                "http://127.0.0.1:"
            } else {
                "pekko.tcp://flink@127.0.0.1:"
            };
            assert!(entry.leader.address.starts_with(scheme), "{entry:?}");
        }
        let graph = job.graph.as_ref().unwrap();
        assert_eq!(graph.key, format!("/{graphs}/{id}"));
        assert_eq!((graph.deleting, graph.locks.len()), (false, 1));
        let [checkpoint] = &job.checkpoints[..] else {
            panic!("{:?}", job.checkpoints);
        };
        assert_eq!(job.counter, Some(checkpoint.id + 1));
        let handle = checkpoint.entry.handle.as_ref().unwrap();
        let path = handle.path.as_ref().unwrap();
        assert!(path.starts_with("file:/tmp/flink-capture/ha/cluster/completedCheckpoint"));
        assert_eq!((&*handle.class, handle.size.is_some()), (FILE, true));
    }
}

#[test]
fn a_leader_of_another_session_is_stale() {
    let (mut tree, _) = captured();
    tree.get_mut("/leader/dispatcher/connection_info")
        .unwrap()
        .data = made()["leader-ipv6"].clone();
    let (key, kind, reason) = problem(&tree);
    assert_eq!(
        (&*key, kind),
        ("/leader/dispatcher/connection_info", ProblemKind::Stale)
    );
    assert!(
        reason.contains("8b5f5a4e-1c55-4f0c-9d2e-000000000001"),
        "{reason}"
    );
}

#[test]
fn a_leader_that_does_not_hold_the_latch_is_stale() {
    let (mut tree, _) = captured();
    tree.get_mut("/leader/rest_server/connection_info")
        .unwrap()
        .owner = 0xe;
    assert!(
        problem(&tree)
            .2
            .contains("0xe is not that of the latch's holder, 0x1")
    );
    tree.get_mut("/leader/rest_server/connection_info")
        .unwrap()
        .owner = 0;
    assert!(problem(&tree).2.contains("no ephemeral node"));
    let (mut tree, _) = captured();
    tree.retain(|path, _| !path.starts_with("/leader/latch/"));
    let problems = understand(&tree).problems;
    assert_eq!(problems.len(), 4, "{problems:?}");
    assert!(
        problems
            .iter()
            .all(|problem| problem.reason == "nobody holds the latch")
    );
}

#[test]
fn what_cannot_be_read_is_named() {
    let (mut tree, job) = captured();
    let checkpoint = children(&tree, &format!("/jobs/{job}/checkpoints"))
        .next()
        .unwrap()
        .to_owned();
    let checkpoint = format!("/jobs/{job}/checkpoints/{checkpoint}");
    tree.get_mut(&checkpoint).unwrap().data.truncate(100);
    let (key, kind, reason) = problem(&tree);
    assert_eq!((key, kind), (checkpoint, ProblemKind::Unreadable));
    assert!(reason.contains("the bytes end in the middle"), "{reason}");
    assert!(
        understand(&tree).jobs[&job].checkpoints[0]
            .entry
            .handle
            .is_none()
    );
    let (mut tree, job) = captured();
    tree.get_mut("/leader/dispatcher/connection_info")
        .unwrap()
        .data = b"text".to_vec();
    tree.get_mut(&format!("/jobs/{job}/checkpoint_id_counter"))
        .unwrap()
        .data = b"text!".to_vec();
    let cluster = understand(&tree);
    assert_eq!(cluster.problems.len(), 2, "{:?}", cluster.problems);
    assert!(!cluster.leaders.contains_key("dispatcher"));
    assert_eq!(cluster.jobs[&job].counter, None);
}

#[test]
fn what_jobs_leave_behind_is_told() {
    let (mut tree, job) = captured();
    // The counter first, then the locks, then the graph.
    tree.get_mut(&format!("/jobs/{job}/checkpoint_id_counter"))
        .unwrap()
        .data = vec![0, 0, 0, 1];
    let (key, kind, reason) = problem(&tree);
    assert_eq!((key, kind), (job.clone(), ProblemKind::CounterBehind));
    assert!(
        reason.starts_with("the next checkpoint would be 1, and there is "),
        "{reason}"
    );
    let (mut tree, job) = captured();
    tree.retain(|path, _| !path.starts_with(&format!("/jobgraphs/{job}/locks")));
    let (key, kind, _) = problem(&tree);
    assert_eq!(
        (key, kind),
        (format!("/jobgraphs/{job}"), ProblemKind::Deleting)
    );
    tree.retain(|path, _| !path.starts_with("/jobgraphs/"));
    let (key, kind, _) = problem(&tree);
    assert_eq!((key, kind), (job.clone(), ProblemKind::Orphaned));
    tree.retain(|path, _| !path.starts_with("/jobs/"));
    let (key, kind, _) = problem(&tree);
    assert_eq!(
        (key, kind),
        (
            format!("/leader/job-{job}/connection_info"),
            ProblemKind::Orphaned
        )
    );
}

#[test]
fn what_is_not_known_is_told_once() {
    let (mut tree, _) = captured();
    for path in ["/applications", "/applications/1", "/applications/1/a"] {
        tree.insert(
            path.into(),
            Node {
                data: Vec::new(),
                owner: 0,
            },
        );
    }
    let (key, kind, _) = problem(&tree);
    assert_eq!((&*key, kind), ("/applications", ProblemKind::Unknown));
}

/// With a look through all unknown nodes for each of them it would take minutes.
#[test]
fn many_unknown_nodes_are_told_in_time() {
    let (mut tree, _) = captured();
    for number in 0..50_000 {
        for path in [format!("/x{number}"), format!("/jobs/x{number}/a")] {
            let node = Node {
                data: Vec::new(),
                owner: 0,
            };
            tree.insert(path, node);
        }
    }
    let (tell, told) = std::sync::mpsc::sync_channel(1);
    std::thread::spawn(move || tell.send(understand(&tree).problems.len()));
    let told = told.recv_timeout(std::time::Duration::from_secs(60));
    assert_eq!(told, Ok(100_000));
}

#[test]
fn a_latch_of_each_component_is_read_as_before_1_15() {
    let (mut tree, _) = captured();
    tree.retain(|path, _| !path.starts_with("/leader/latch"));
    for (component, data) in [
        ("dispatcher", "leader-ipv6"),
        ("rest_server", "leader-letters"),
    ] {
        let latch = format!("/leader/{component}/latch");
        for number in [11, 9] {
            let path = format!("{latch}/_c_00-latch-{number:010}");
            tree.insert(
                path,
                Node {
                    data: Vec::new(),
                    owner: number,
                },
            );
        }
        tree.insert(
            latch,
            Node {
                data: Vec::new(),
                owner: 0,
            },
        );
        tree.get_mut(&format!("/leader/{component}/connection_info"))
            .unwrap()
            .data = made()[data].clone();
    }
    let cluster = understand(&tree);
    assert_eq!(cluster.problems, []);
    assert_eq!(cluster.elections.len(), 2);
    assert_eq!(
        cluster.elections[0].holder.as_deref(),
        Some("_c_00-latch-0000000009")
    );
}

#[test]
fn no_tree_makes_it_panic() {
    let (whole, _) = captured();
    for left_out in whole.keys() {
        let (mut tree, _) = captured();
        tree.remove(left_out);
        let _ = understand(&tree);
        let (mut tree, _) = captured();
        tree.get_mut(left_out).unwrap().data.clear();
        let _ = understand(&tree);
        tree.get_mut(left_out).unwrap().owner = u64::MAX;
        let _ = understand(&tree);
    }
}
