use super::*;
use crate::fixtures::{ZNODES, made, tree};
use crate::model::{ProblemKind, Severity};

const FILE: &str = "org.apache.flink.runtime.state.filesystem.FileStateHandle";

/// The nodes of a Flink 1.20.3, and its job.
fn captured() -> (Tree, String) {
    let tree = tree(ZNODES[0].1);
    let job = children(&tree, "/jobs").next().unwrap().to_owned();
    (tree, job)
}

/// The only problem of a tree: its key, its kind and its reason.
fn problem(tree: &Tree) -> (String, ProblemKind, String) {
    let problems = understand("source", tree).problems;
    let [problem] = &problems[..] else {
        panic!("{problems:#?}");
    };
    (problem.key.clone(), problem.kind, problem.reason.clone())
}

#[test]
fn all_that_flink_wrote_is_understood_and_has_no_problems() {
    for (graphs, lines) in ZNODES {
        let cluster = understand("source", &tree(lines));
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
        assert_eq!(election.waiting.as_ref().map(Vec::len), Some(1));
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
        let graph = job.plan.as_ref().unwrap();
        assert_eq!(graph.key, format!("/{graphs}/{id}"));
        assert_eq!((graph.deleting, graph.locks.len()), (false, 1));
        let [checkpoint] = &job.checkpoints[..] else {
            panic!("{:?}", job.checkpoints);
        };
        assert_eq!(job.counter, Some(checkpoint.id + 1));
        let handle = checkpoint.pointer.handle.as_ref().unwrap();
        let path = handle.path.as_ref().unwrap();
        assert!(path.starts_with("file:/tmp/flink-capture/ha/cluster/completedCheckpoint"));
        assert_eq!((&*handle.class, handle.size.is_some()), (FILE, true));
    }
}

#[test]
fn the_application_of_flink_2_3_is_read() {
    let cluster = understand("source", &tree(ZNODES[2].1));
    let (id, application) = cluster.applications.first_key_value().unwrap();
    assert_eq!(application.key, format!("/applications/{id}"));
    assert_eq!((application.deleting, application.locks.len()), (false, 1));
    let path = application.handle.as_ref().unwrap().path.as_ref().unwrap();
    assert!(path.contains("/submittedApplication"), "{path}");
    assert!(cluster.jobs.contains_key(id), "its job has the same id");
}

#[test]
fn an_application_that_cannot_be_recovered_ends_the_job_manager() {
    let mut tree = tree(ZNODES[2].1);
    let id = children(&tree, "/applications").next().unwrap().to_owned();
    let path = format!("/applications/{id}");
    tree.get_mut(&path).unwrap().data = b"text".to_vec();
    let problems = understand("source", &tree).problems;
    let [problem] = &problems[..] else {
        panic!("{problems:#?}");
    };
    assert_eq!(
        (&*problem.key, problem.kind, problem.severity),
        (&*path, ProblemKind::Unreadable, Severity::Critical)
    );
    assert!(
        problem.follows.contains("Its JobManager ends"),
        "{}",
        problem.follows
    );
}

/// The latch's session is the same, so nothing tells which of them is older.
#[test]
fn components_of_several_sessions_are_told_apart_from_stale_ones() {
    let (mut tree, _) = captured();
    tree.get_mut("/leader/dispatcher/connection_info")
        .unwrap()
        .data = made()["leader-ipv6"].clone();
    let (key, kind, reason) = problem(&tree);
    assert_eq!((&*key, kind), ("/leader/latch", ProblemKind::Mixed));
    assert!(
        reason.contains("dispatcher 8b5f5a4e-1c55-4f0c-9d2e-000000000001, resourcemanager "),
        "{reason}"
    );
}

#[test]
fn a_leader_that_does_not_hold_the_latch_is_stale() {
    let (mut tree, _) = captured();
    let entry = "/leader/rest_server/connection_info";
    tree.get_mut(entry).unwrap().owner = 0xe;
    // Its own session id counts no more then.
    tree.get_mut(entry).unwrap().data = made()["leader-ipv6"].clone();
    let (key, kind, reason) = problem(&tree);
    assert_eq!((&*key, kind), (entry, ProblemKind::Stale));
    assert!(
        reason.contains("0xe is not that of the latch's holder, 0x1"),
        "{reason}"
    );
    tree.get_mut(entry).unwrap().owner = 0;
    assert!(problem(&tree).2.contains("not an ephemeral node"));
}

#[test]
fn a_latch_that_nobody_holds_is_a_dead_cluster() {
    let (mut tree, _) = captured();
    tree.retain(|path, _| !path.starts_with("/leader/latch/"));
    let (key, kind, reason) = problem(&tree);
    assert_eq!((&*key, kind), ("/leader/latch", ProblemKind::NoLeader));
    assert_eq!(reason, "nobody holds the latch");
    // As after a copy without the ephemeral nodes.
    tree.retain(|path, _| !path.starts_with("/leader"));
    let (key, kind, _) = problem(&tree);
    assert_eq!((&*key, kind), ("source", ProblemKind::NoLeader));
}

#[test]
fn unreadable_entries_are_named_with_the_reason() {
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
    let cluster = understand("source", &tree);
    assert!(cluster.jobs[&job].checkpoints[0].pointer.handle.is_none());
    // Flink passes over it, and there is no other.
    assert_eq!(cluster.problems[0].severity, Severity::Critical);
    let follows = &cluster.problems[0].follows;
    assert!(follows.contains("starts without any state"), "{follows}");
    let (mut tree, job) = captured();
    tree.get_mut("/leader/dispatcher/connection_info")
        .unwrap()
        .data = b"text".to_vec();
    tree.get_mut(&format!("/jobs/{job}/checkpoint_id_counter"))
        .unwrap()
        .data = b"text!".to_vec();
    let cluster = understand("source", &tree);
    assert_eq!(cluster.problems.len(), 2, "{:?}", cluster.problems);
    assert!(!cluster.leaders.contains_key("dispatcher"));
    assert_eq!(cluster.jobs[&job].counter, None);
}

#[test]
fn what_jobs_leave_behind_is_reported() {
    let (mut tree, job) = captured();
    let counter = format!("/jobs/{job}/checkpoint_id_counter");
    tree.get_mut(&counter).unwrap().data = vec![0, 0, 0, 1];
    let (key, kind, reason) = problem(&tree);
    assert_eq!((key, kind), (job.clone(), ProblemKind::CounterBehind));
    assert!(
        reason.starts_with("the next checkpoint would be 1, and there is "),
        "{reason}"
    );
    tree.remove(&counter);
    let (key, kind, reason) = problem(&tree);
    assert_eq!((key, kind), (job.clone(), ProblemKind::CounterBehind));
    assert!(reason.starts_with("the counter is missing"), "{reason}");
    let (mut tree, job) = captured();
    tree.retain(|path, _| !path.starts_with(&format!("/jobgraphs/{job}/locks")));
    let problems = understand("source", &tree).problems;
    let [problem] = &problems[..] else {
        panic!("{problems:#?}");
    };
    assert_eq!(
        (&*problem.key, problem.kind, problem.severity),
        (
            &*format!("/jobgraphs/{job}"),
            ProblemKind::Deleting,
            Severity::Critical
        )
    );
    assert!(
        problem.follows.contains("does not start it"),
        "{}",
        problem.follows
    );
    tree.retain(|path, _| !path.starts_with("/jobgraphs/"));
    let (key, kind, _) = self::problem(&tree);
    assert_eq!((key, kind), (job.clone(), ProblemKind::Orphaned));
    tree.retain(|path, _| !path.starts_with("/jobs/"));
    let (key, kind, _) = self::problem(&tree);
    assert_eq!(
        (key, kind),
        (
            format!("/leader/job-{job}/connection_info"),
            ProblemKind::Orphaned
        )
    );
}

/// As after a copy from a ConfigMap that forgot the wrapper around each value.
#[test]
fn a_value_of_another_class_ends_the_job_manager() {
    let (mut tree, job) = captured();
    let plan = format!("/jobgraphs/{job}");
    tree.get_mut(&plan).unwrap().data = made()["kept-file"].clone();
    let (key, kind, reason) = problem(&tree);
    assert_eq!((key, kind), (plan, ProblemKind::WrongClass));
    assert!(
        reason.contains("StateHandleWithDeleteMarker, not of"),
        "{reason}"
    );
}

#[test]
fn an_execution_plan_goes_before_a_job_graph() {
    let (mut tree, job) = captured();
    for path in ["", "/locks"] {
        let node = Node {
            data: made()["handle-file"].clone(),
            owner: 0,
            version: 0,
        };
        tree.insert(format!("/execution-plans/{job}{path}"), node);
    }
    let (key, kind, _) = problem(&tree);
    assert_eq!(
        (key, kind),
        (format!("/jobgraphs/{job}"), ProblemKind::Outdated)
    );
    let plan = &understand("source", &tree).jobs[&job].plan;
    assert_eq!(
        plan.as_ref().unwrap().key,
        format!("/execution-plans/{job}")
    );
}

#[test]
fn unknown_nodes_are_one_note_for_the_topmost() {
    let (mut tree, _) = captured();
    for path in ["/custom-plans", "/custom-plans/1", "/custom-plans/1/a"] {
        tree.insert(
            path.into(),
            Node {
                data: Vec::new(),
                owner: 0,
                version: 0,
            },
        );
    }
    let (key, kind, _) = problem(&tree);
    assert_eq!((&*key, kind), ("/custom-plans", ProblemKind::Unknown));
}

/// A search through all unknown nodes for each of them would take minutes.
#[test]
fn many_unknown_nodes_are_reported_in_time() {
    let (mut tree, _) = captured();
    for number in 0..50_000 {
        for path in [format!("/x{number}"), format!("/jobs/x{number}/a")] {
            let node = Node {
                data: Vec::new(),
                owner: 0,
                version: 0,
            };
            tree.insert(path, node);
        }
    }
    let (send, receive) = std::sync::mpsc::sync_channel(1);
    std::thread::spawn(move || send.send(understand("source", &tree).problems.len()));
    let count = receive.recv_timeout(std::time::Duration::from_secs(60));
    assert_eq!(count, Ok(100_000));
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
                    version: 0,
                },
            );
        }
        tree.insert(
            latch,
            Node {
                data: Vec::new(),
                owner: 0,
                version: 0,
            },
        );
        tree.get_mut(&format!("/leader/{component}/connection_info"))
            .unwrap()
            .data = made()[data].clone();
    }
    let cluster = understand("source", &tree);
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
        let _ = understand("source", &tree);
        let (mut tree, _) = captured();
        tree.get_mut(left_out).unwrap().data.clear();
        let _ = understand("source", &tree);
        tree.get_mut(left_out).unwrap().owner = u64::MAX;
        let _ = understand("source", &tree);
    }
}
