//! Data that Flink has written, for the tests: see `tests/fixtures/README.md`.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ConfigMap;

use crate::zookeeper::{Node, Tree};

/// With the directory of the job.
pub(crate) const ZNODES: [(&str, &str); 3] = [
    (
        "jobgraphs",
        include_str!("../tests/fixtures/zookeeper-1.20.3.znodes"),
    ),
    (
        "execution-plans",
        include_str!("../tests/fixtures/zookeeper-2.2.1.znodes"),
    ),
    (
        "execution-plans",
        include_str!("../tests/fixtures/zookeeper-2.3.0.znodes"),
    ),
];

/// With the prefix of the job's key.
pub(crate) const MAPS: [(&str, &str); 3] = [
    (
        "jobGraph-",
        include_str!("../tests/fixtures/kubernetes-1.20.3.json"),
    ),
    (
        "executionPlan-",
        include_str!("../tests/fixtures/kubernetes-2.2.1.json"),
    ),
    (
        "executionPlan-",
        include_str!("../tests/fixtures/kubernetes-2.3.0.json"),
    ),
];

/// With an election for each component.
pub(crate) const OLDER_MAPS: &str = include_str!("../tests/fixtures/kubernetes-1.14.6.json");

/// What was left of a Flink that was killed, as its data were moved: in ZooKeeper, and after more
/// checkpoints on Kubernetes.
pub(crate) const KILLED: [(&str, &str); 2] = [
    (
        include_str!("../tests/fixtures/stopped-zookeeper-1.20.5.znodes"),
        include_str!("../tests/fixtures/stopped-kubernetes-1.20.5.json"),
    ),
    (
        include_str!("../tests/fixtures/stopped-zookeeper-2.3.0.znodes"),
        include_str!("../tests/fixtures/stopped-kubernetes-2.3.0.json"),
    ),
];

/// Single values, by their names.
pub(crate) fn made() -> BTreeMap<&'static str, Vec<u8>> {
    let lines = include_str!("../tests/fixtures/made.tsv").lines();
    let pairs = lines.map(|line| line.split_once('\t').unwrap());
    pairs.map(|(name, hex)| (name, bytes(hex))).collect()
}

/// The nodes below `/flink/cluster`.
pub(crate) fn tree(lines: &str) -> Tree {
    let nodes = lines.lines().filter_map(|line| {
        let [path, owner, data]: [&str; 3] =
            line.split('\t').collect::<Vec<_>>().try_into().unwrap();
        let path = path
            .strip_prefix("/flink/cluster")
            .filter(|path| !path.is_empty())?;
        let node = Node {
            data: bytes(data),
            owner: u64::from_str_radix(owner, 16).unwrap(),
            version: 0,
        };
        Some((path.to_owned(), node))
    });
    nodes.collect()
}

pub(crate) fn maps(json: &str) -> Vec<ConfigMap> {
    #[derive(serde::Deserialize)]
    struct List {
        items: Vec<ConfigMap>,
    }
    serde_json::from_str::<List>(json).unwrap().items
}

fn bytes(hex: &str) -> Vec<u8> {
    let pair = |at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    (0..hex.len()).step_by(2).map(pair).collect()
}

/// What is left of a Flink that was killed, when its sessions are over.
pub(crate) fn stopped(mut tree: Tree) -> Tree {
    tree.retain(|_, node| node.owner == 0);
    tree
}
