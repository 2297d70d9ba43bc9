//! What the znodes of a cluster mean. Pure.

use std::collections::{BTreeMap, HashSet};

use super::contents::GATE;
use crate::component::{Component, is_job_id};
use crate::damage;
use crate::data::Gate;
use crate::decode::{self, StateHandle};
use crate::model::{
    Checkpoint, Defect, Election, FlinkCluster, FlinkJob, LeaderEntry, Pointer, Problem,
};

/// The nodes below that of the cluster, by their paths relative to it: `/leader/latch`.
pub(crate) type Tree = BTreeMap<String, Node>;

pub(crate) struct Node {
    pub(crate) data: Vec<u8>,
    /// The session that it ends with; 0 if it does not.
    pub(crate) owner: u64,
    /// How often its data were replaced.
    pub(crate) version: i32,
}

/// The directory of applications, since 2.3.
pub(super) const APPLICATIONS: &str = "applications";

/// The directory of execution plans, since 2.0.
pub(super) const PLANS: &str = "execution-plans";

/// The directory of job graphs, up to 1.20.
pub(super) const GRAPHS: &str = "jobgraphs";

/// What follows the random part in the name of a latch's node.
const LATCH: &str = "-latch-";

/// The class that Flink casts each stored handle to.
pub(super) const HANDLE: &str = "org.apache.flink.runtime.state.RetrievableStreamStateHandle";

pub(crate) fn understand(source: &str, tree: &Tree) -> FlinkCluster {
    let mut layout = Layout {
        tree,
        cluster: FlinkCluster {
            source: source.to_owned(),
            ..FlinkCluster::default()
        },
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
    /// The paths of the topmost unknown nodes.
    unknown: HashSet<&'a str>,
}

impl<'a> Layout<'a> {
    /// Takes in one node, without those around it.
    fn node(&mut self, path: &'a str) {
        let node = &self.tree[path];
        let names: Vec<&str> = path.split('/').skip(1).collect();
        match names[..] {
            ["leader", "latch", GATE] => {
                let gate = Gate::of(&String::from_utf8_lossy(&node.data));
                self.add(damage::closed(path, &gate));
            }
            ["leader"] | ["leader", _] | ["leader", "latch", _] => {}
            // Before 1.15 each component has a latch of its own.
            ["leader", _, "latch"] | ["leader", _, "latch", _] => {}
            ["leader", component, "connection_info"] => self.leader(path, component, node),
            ["jobs" | APPLICATIONS | PLANS | GRAPHS] => {}
            [APPLICATIONS, id] => {
                let pointer = self.pointer(path, node);
                self.cluster.applications.insert(id.to_owned(), pointer);
            }
            [directory @ (PLANS | GRAPHS), id] if is_job_id(id) => {
                let pointer = self.pointer(path, node);
                self.job(id).store_plan(pointer, directory == PLANS);
            }
            ["jobs", id] if is_job_id(id) => {
                self.job(id);
            }
            ["jobs", id, "checkpoints"] if is_job_id(id) => {}
            ["jobs", id, "checkpoint_id_counter"] if is_job_id(id) => {
                self.counter(path, id, node);
            }
            ["jobs", id, "checkpoints", number] if is_job_id(id) => {
                self.checkpoint(path, id, number, node);
            }
            // They belong to the pointer above them, which takes them in.
            [_, _, "locks"]
            | [_, _, "locks", _]
            | ["jobs", _, "checkpoints", _, "locks"]
            | ["jobs", _, "checkpoints", _, "locks", _] => {}
            _ if self.is_below_unknown(path) => {}
            _ => {
                self.add(damage::unknown_node(path));
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
            // The same as no node.
            Ok(None) => {}
            Err(error) => self.add(damage::leader_unreadable(path, &error)),
        }
    }

    fn counter(&mut self, path: &str, id: &str, node: &Node) {
        let counter = decode::shared_count(&node.data);
        let counter = counter.map_err(|error| self.add(damage::counter_unreadable(path, &error)));
        let job = self.job(id);
        job.counter_key = Some(path.to_owned());
        job.counter = counter.ok();
    }

    fn checkpoint(&mut self, path: &str, id: &str, number: &str, node: &Node) {
        match decode::checkpoint_id(number) {
            Ok(number) => {
                let pointer = self.pointer(path, node);
                let checkpoint = Checkpoint {
                    id: number,
                    pointer,
                };
                self.job(id).checkpoints.push(checkpoint);
            }
            Err(error) => self.add(damage::checkpoint_unnamed(path, &error)),
        }
    }

    fn pointer(&self, path: &str, node: &Node) -> Pointer {
        let handle = decode::state_handle(&node.data);
        let defect = match &handle {
            Ok(StateHandle { outermost, .. }) if outermost != HANDLE => {
                let why = format!("it is an object of {outermost}, not of {HANDLE}");
                Some(Defect::WrongClass(why))
            }
            Ok(_) => None,
            Err(error) => Some(Defect::Unreadable(error.to_string())),
        };
        let locks = format!("{path}/locks");
        Pointer {
            key: path.to_owned(),
            handle: handle.ok(),
            defect,
            // Flink begins a removal by deleting the node of the locks.
            deleting: !self.tree.contains_key(&locks),
            locks: children(self.tree, &locks).map(str::to_owned).collect(),
            file: None,
        }
    }

    fn elections(&mut self) {
        let latch = "/leader/latch".to_owned();
        let own =
            children(self.tree, "/leader").map(|component| format!("/leader/{component}/latch"));
        for key in own.chain([latch]) {
            let mut contenders: Vec<_> = children(self.tree, &key)
                .filter(|name| *name != GATE)
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

    /// The leader's entries must belong to the session that holds the latch.
    fn owners(&mut self) {
        let problems = self.cluster.leaders.values().filter_map(|entry| {
            match (&entry.owner, &self.cluster.elections[..]) {
                (None, _) => Some(damage::leader_persistent(&entry.key)),
                (Some(owner), [one]) => {
                    let holder = one.owner.as_ref()?;
                    let other = owner != holder;
                    other.then(|| damage::leader_of_other_owner(&entry.key, owner, holder))
                }
                _ => None,
            }
        });
        let mut problems: Vec<_> = problems.collect();
        self.cluster.problems.append(&mut problems);
    }

    fn job(&mut self, id: &str) -> &mut FlinkJob {
        self.cluster.jobs.entry(id.to_owned()).or_default()
    }

    fn add(&mut self, problem: Problem) {
        self.cluster.problems.push(problem);
    }

    /// Nodes come after those above them. The search goes from the top, because no known node is
    /// deep, so that it ends soon.
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
        waiting: Some(waiting),
        lock: None,
        renewal: None,
    }
}

/// The number that ZooKeeper gave to a latch's node. Nodes with other names come last, as in the
/// recipe.
fn sequence(name: &str) -> u64 {
    let number = name.rsplit_once(LATCH).map(|(_, number)| number);
    number
        .and_then(|number| number.parse().ok())
        .unwrap_or(u64::MAX)
}

/// The session's id as ZooKeeper's own tools write it.
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
