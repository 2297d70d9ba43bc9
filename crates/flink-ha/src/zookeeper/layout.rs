//! What the nodes of a cluster mean. Pure.

use std::collections::{BTreeMap, HashSet};

use crate::component::{Component, is_job_id};
use crate::decode::{self, DecodeError};
use crate::model::{
    Checkpoint, Election, Entry, FlinkCluster, FlinkJob, LeaderEntry, Problem, ProblemKind,
};

/// The nodes below that of the cluster, by their paths relative to it: `/leader/latch`.
pub(crate) type Tree = BTreeMap<String, Node>;

pub(crate) struct Node {
    pub(crate) data: Vec<u8>,
    /// The session that it ends with; 0 if it does not.
    pub(crate) owner: u64,
}

/// Directories of job graphs, up to 1.20, and of execution plans, from 2.0 on.
const GRAPHS: [&str; 2] = ["jobgraphs", "execution-plans"];

/// What follows the random part in the name of a latch's node.
const LATCH: &str = "-latch-";

pub(crate) fn understand(tree: &Tree) -> FlinkCluster {
    let mut layout = Layout {
        tree,
        cluster: FlinkCluster::default(),
        unknown: HashSet::new(),
    };
    for path in tree.keys() {
        layout.node(path);
    }
    layout.elections();
    layout.owners();
    crate::judge::judge(&mut layout.cluster);
    layout.cluster
}

struct Layout<'a> {
    tree: &'a Tree,
    cluster: FlinkCluster,
    /// The paths of nodes that were told to be unknown.
    unknown: HashSet<&'a str>,
}

impl<'a> Layout<'a> {
    /// What one node says, without those around it.
    fn node(&mut self, path: &'a str) {
        let node = &self.tree[path];
        let names: Vec<&str> = path.split('/').skip(1).collect();
        match names[..] {
            ["leader"] | ["leader", _] | ["leader", "latch", _] => {}
            // Before 1.15 each component has a latch of its own.
            ["leader", _, "latch"] | ["leader", _, "latch", _] => {}
            ["leader", component, "connection_info"] => self.leader(path, component, node),
            ["jobs"] => {}
            [directory] if GRAPHS.contains(&directory) => {}
            [directory, id] if GRAPHS.contains(&directory) && is_job_id(id) => {
                let entry = self.entry(path, node);
                self.job(id).graph = Some(entry);
            }
            ["jobs", id] if is_job_id(id) => {
                self.job(id);
            }
            ["jobs", id, "checkpoints"] if is_job_id(id) => {}
            ["jobs", id, "checkpoint_id_counter"] if is_job_id(id) => {
                match decode::shared_count(&node.data) {
                    Ok(counter) => self.job(id).counter = Some(counter),
                    Err(error) => self.unreadable(path, &error),
                }
            }
            ["jobs", id, "checkpoints", number] if is_job_id(id) => {
                match decode::checkpoint_id(number) {
                    Ok(number) => {
                        let entry = self.entry(path, node);
                        self.job(id)
                            .checkpoints
                            .push(Checkpoint { id: number, entry });
                    }
                    Err(error) => self.unreadable(path, &error),
                }
            }
            // Told with the entry that they are of.
            [_, _, "locks"]
            | [_, _, "locks", _]
            | ["jobs", _, "checkpoints", _, "locks"]
            | ["jobs", _, "checkpoints", _, "locks", _] => {}
            // Only the topmost is told.
            _ if self.is_below_unknown(path) => {}
            _ => {
                let reason = "no node of Flink's that is known has this name".to_owned();
                self.cluster.problem(path, ProblemKind::Unknown, reason);
                self.unknown.insert(path);
            }
        }
    }

    fn leader(&mut self, path: &str, component: &str, node: &Node) {
        match decode::connection_info(&node.data) {
            Ok(Some(leader)) => {
                let Ok(component) = component.parse::<Component>();
                let entry = LeaderEntry {
                    key: path.to_owned(),
                    leader,
                    owner: session(node.owner),
                };
                self.cluster.leaders.insert(component.to_string(), entry);
            }
            // As if there were no node.
            Ok(None) => {}
            Err(error) => self.unreadable(path, &error),
        }
    }

    fn entry(&mut self, path: &str, node: &Node) -> Entry {
        let handle = decode::state_handle(&node.data);
        let handle = handle.map_err(|error| self.unreadable(path, &error)).ok();
        let locks = format!("{path}/locks");
        Entry {
            key: path.to_owned(),
            handle,
            // Whoever removes an entry first removes the node of its locks.
            deleting: !self.tree.contains_key(&locks),
            locks: children(self.tree, &locks).map(str::to_owned).collect(),
        }
    }

    fn elections(&mut self) {
        let latch = "/leader/latch".to_owned();
        let own =
            children(self.tree, "/leader").map(|component| format!("/leader/{component}/latch"));
        for key in own.chain([latch]) {
            let mut contenders: Vec<_> = children(self.tree, &key)
                .map(|name| (sequence(name), name))
                .collect();
            contenders.sort_unstable();
            let mut names = contenders.into_iter().map(|(_, name)| name.to_owned());
            let Some(first) = names.next() else {
                if self.tree.contains_key(&key) {
                    self.cluster
                        .elections
                        .push(election(key, None, None, Vec::new()));
                }
                continue;
            };
            let owner = session(self.tree[&format!("{key}/{first}")].owner);
            let waiting = names.collect();
            self.cluster
                .elections
                .push(election(key, Some(first), owner, waiting));
        }
    }

    /// The leader's entries are of the session that holds the latch.
    fn owners(&mut self) {
        let mut found = Vec::new();
        for entry in self.cluster.leaders.values() {
            let reason = match (&entry.owner, &self.cluster.elections[..]) {
                (None, _) => "it is no ephemeral node, and stays when its leader goes".to_owned(),
                (Some(_), [one]) if one.holder.is_none() => "nobody holds the latch".to_owned(),
                (Some(owner), [one]) if one.owner.as_ref() != Some(owner) => {
                    let holder = one.owner.as_deref().unwrap_or("none");
                    format!(
                        "its ZooKeeper session {owner} is not that of the latch's holder, {holder}"
                    )
                }
                _ => continue,
            };
            found.push(Problem {
                key: entry.key.clone(),
                kind: ProblemKind::Stale,
                reason,
            });
        }
        self.cluster.problems.extend(found);
    }

    fn job(&mut self, id: &str) -> &mut FlinkJob {
        self.cluster.jobs.entry(id.to_owned()).or_default()
    }

    fn unreadable(&mut self, path: &str, error: &DecodeError) {
        self.cluster
            .problem(path, ProblemKind::Unreadable, error.to_string());
    }

    /// Those above it come before it. From the top: nothing that is known is deep, so that the
    /// answer comes soon.
    fn is_below_unknown(&self, path: &str) -> bool {
        let mut ends = path.match_indices('/').skip(1);
        ends.any(|(end, _)| self.unknown.contains(&path[..end]))
    }
}

fn election(
    key: String,
    holder: Option<String>,
    owner: Option<String>,
    waiting: Vec<String>,
) -> Election {
    Election {
        key,
        holder,
        owner,
        waiting,
        lock: None,
    }
}

/// The number that ZooKeeper gave to a latch's node. Those with other names come last, as the
/// recipe has it.
fn sequence(name: &str) -> u64 {
    let number = name.rsplit_once(LATCH).map(|(_, number)| number);
    number
        .and_then(|number| number.parse().ok())
        .unwrap_or(u64::MAX)
}

/// As ZooKeeper's own tools write it.
fn session(owner: u64) -> Option<String> {
    (owner != 0).then(|| format!("{owner:#x}"))
}

/// The names of a node's children.
pub(super) fn children<'a>(tree: &'a Tree, path: &str) -> impl Iterator<Item = &'a str> {
    let below = format!("{path}/");
    let from = tree.range(below.clone()..);
    let all = from.map_while(move |(path, _)| path.strip_prefix(&below));
    all.filter(|name| !name.contains('/'))
}

#[cfg(test)]
#[path = "layout_tests.rs"]
mod tests;
