use super::*;
use crate::fixtures::{ZNODES, stopped, tree};
use crate::zookeeper::Node;

/// What a server has after these transactions.
fn made(groups: Vec<Vec<(String, Vec<u8>)>>) -> Tree {
    let mut made = Tree::new();
    for (path, data) in groups.into_iter().flatten() {
        let node = Node {
            data,
            owner: 0,
            version: 0,
        };
        assert!(made.insert(path, node).is_none(), "nothing is made twice");
    }
    made
}

#[test]
fn what_is_taken_from_znodes_makes_the_same_znodes() {
    for (_, lines) in ZNODES {
        let before = stopped(tree(lines));
        let found = contents("source", &before);
        assert_eq!((&found.damaged[..], &found.in_use[..]), (&[][..], &[][..]));
        let after = made(missing(&Tree::new(), &found.entries).unwrap());
        for (path, node) in &before {
            // What all clusters share is made without them.
            let own = path.matches('/').count() > 1 && !path.starts_with("/leader");
            // A lock's node has an address, which nothing reads.
            if own && !path.ends_with("/locks") {
                assert_eq!(after[path].data, node.data, "{path}");
            }
            assert!(!own || after.contains_key(path), "{path}");
        }
        assert_eq!(contents("", &after).values(), found.values());
        // Done once, nothing is missing.
        assert_eq!(missing(&after, &found.entries).unwrap().len(), 0);
    }
}

#[test]
fn everything_that_a_live_process_has_is_seen_as_in_use() {
    for (_, lines) in ZNODES {
        let found = contents("source", &tree(lines));
        for part in ["/leader/latch/", "connection_info", "/locks/"] {
            assert!(
                found.in_use.iter().any(|it| it.key.contains(part)),
                "{part}"
            );
        }
        // Each of them alone.
        for at in 0..found.in_use.len() {
            let mut one = stopped(tree(lines));
            let key = found.in_use[at].key.clone();
            let node = tree(lines).remove(&key).unwrap();
            one.insert(key.clone(), node);
            let seen = contents("source", &one).in_use;
            assert_eq!((seen.len(), &seen[0].key), (1, &key));
        }
    }
}

#[test]
fn a_gate_is_no_leader_and_comes_before_all_others() {
    let mut nodes = stopped(tree(ZNODES[2].1));
    let shut = Gate::Moved {
        to: "there".into(),
        fingerprint: "f".into(),
    };
    let node = Node {
        data: shut.text().into(),
        owner: 0,
        version: 0,
    };
    nodes.insert(gate(), node);
    let found = contents("source", &nodes);
    assert_eq!((found.gate, found.in_use.len()), (Some(shut), 0));
    let [election] = &found.cluster.elections[..] else {
        panic!("{:?}", found.cluster.elections);
    };
    assert_eq!(election.holder, None);
    let kinds: Vec<_> = found
        .cluster
        .problems
        .iter()
        .map(|it| it.kind.name())
        .collect();
    assert!(kinds.contains(&"closed"), "{kinds:?}");
    // Curator compares what follows the last `latch-`.
    assert_eq!(GATE.rsplit_once("latch-").unwrap().1, "");
}

#[test]
fn entries_that_are_being_deleted_stay_so() {
    let mut nodes = stopped(tree(ZNODES[0].1));
    nodes.retain(|path, _| !path.ends_with("/locks"));
    let found = contents("source", &nodes);
    let after = made(missing(&Tree::new(), &found.entries).unwrap());
    assert!(after.keys().all(|path| !path.ends_with("/locks")));
    let handles = found.entries.values().filter(|it| it.handle.is_some());
    assert!(handles.clone().count() > 1);
    for entry in handles {
        assert!(matches!(entry.value, Value::Handle { deleting: true, .. }));
    }
}

#[test]
fn jobs_are_found_only_after_all_that_belongs_to_them_is_there() {
    let found = contents("source", &stopped(tree(ZNODES[2].1)));
    let groups = missing(&Tree::new(), &found.entries).unwrap();
    let first = groups.iter().map(|group| group[0].0.starts_with("/jobs/"));
    let first: Vec<_> = first.collect();
    assert_eq!(first, [true, false]);
}
