//! What the znodes of a cluster hold, as it moves. Pure.

use std::collections::BTreeMap;

use super::layout::{APPLICATIONS, GRAPHS, HANDLE, PLANS, Tree, children, understand};
use crate::component::{Component, is_job_id};
use crate::data::{Contents, DeleteMarker, Entry, Gate, Item, Noted, Value, wrapped};
use crate::decode;

/// The latch of all components, since 1.15.
pub(super) const LATCH: &str = "/leader/latch";

/// The child of the latch that keeps everybody from leading. Curator sorts the children by what
/// follows `latch-`, so an empty rest comes first, and all others wait for it to go.
pub(crate) const GATE: &str = "incumbent-closed-latch-";

/// The path of the gate.
pub(super) fn gate() -> String {
    format!("{LATCH}/{GATE}")
}

/// Takes in all nodes of a cluster. With no nodes, there is no cluster.
pub(crate) fn contents(source: &str, tree: &Tree) -> Contents {
    let mut found = Contents {
        cluster: understand(source, tree),
        electable: true,
        gate: tree
            .get(&gate())
            .map(|node| Gate::of(&String::from_utf8_lossy(&node.data))),
        ..Contents::default()
    };
    for (path, node) in tree {
        let names: Vec<&str> = path.split('/').skip(1).collect();
        match names[..] {
            ["leader", "latch", GATE] | ["leader" | "jobs" | APPLICATIONS | PLANS | GRAPHS] => {}
            ["leader", ..] => of_leader(&mut found, path, &names, node.owner),
            [APPLICATIONS, id] => {
                handle(&mut found, tree, path, Item::Application { id: id.into() });
            }
            [PLANS, job] if is_job_id(job) => {
                handle(&mut found, tree, path, Item::Plan { job: job.into() });
            }
            [GRAPHS, job] if is_job_id(job) => {
                handle(&mut found, tree, path, Item::Graph { job: job.into() });
            }
            ["jobs", job] | ["jobs", job, "checkpoints"] if is_job_id(job) => {}
            ["jobs", job, "checkpoint_id_counter"] if is_job_id(job) => {
                counter(&mut found, path, job, &node.data);
            }
            ["jobs", job, "checkpoints", id] if is_job_id(job) => match decode::checkpoint_id(id) {
                Ok(id) => {
                    let job = job.into();
                    handle(&mut found, tree, path, Item::Checkpoint { job, id });
                }
                Err(error) => found.damaged.push(noted(path, error)),
            },
            // They belong to the pointer above them.
            [_, _, "locks"] | ["jobs", _, "checkpoints", _, "locks"] => {}
            [_, _, "locks", _] | ["jobs", _, "checkpoints", _, "locks", _] if node.owner != 0 => {
                let why = format!("the session {:#x} holds this lock", node.owner);
                found.in_use.push(noted(path, why));
            }
            _ => {}
        }
    }
    found.unknown = unknown(&found);
    // The plainest reason first.
    let is_of_latch = |noted: &Noted| noted.key.contains("/latch/");
    found.in_use.sort_by_key(|noted| !is_of_latch(noted));
    for name in children(tree, "/leader") {
        let path = format!("/leader/{name}");
        if name != "latch" && children(tree, &path).next().is_none() {
            let Ok(component) = name.parse::<Component>();
            found.empty_leaders.push((path, component));
        }
    }
    found
}

fn noted(key: &str, why: impl ToString) -> Noted {
    Noted {
        key: key.to_owned(),
        why: why.to_string(),
    }
}

/// Latches and what leaders have published.
fn of_leader(found: &mut Contents, path: &str, names: &[&str], owner: u64) {
    let in_latch = matches!(names, ["leader", "latch", _] | ["leader", _, "latch", _]);
    if in_latch {
        let why = format!("a JobManager leads or waits here, in the session {owner:#x}");
        found.in_use.push(noted(path, why));
    } else if owner != 0 {
        let why = format!("a leader of the session {owner:#x} has published it");
        found.in_use.push(noted(path, why));
    }
    if in_latch || names.last() == Some(&"connection_info") {
        let why = "it belongs to a leader; the next one writes its own";
        found.of_leaders.push(noted(path, why));
    }
}

fn handle(found: &mut Contents, tree: &Tree, path: &str, item: Item) {
    let object = &tree[path].data;
    let decoded = match decode::state_handle(object) {
        Ok(decoded) if decoded.outermost == HANDLE => decoded,
        Ok(decoded) => {
            let why = format!("it is an object of {}, not of {HANDLE}", decoded.outermost);
            return found.damaged.push(noted(path, why));
        }
        Err(error) => return found.damaged.push(noted(path, error)),
    };
    // What cannot be wrapped cannot be stored everywhere.
    if let Err(error) = wrapped(object, false, DeleteMarker::default()) {
        return found.damaged.push(noted(path, error));
    }
    let value = Value::Handle {
        object: object.clone(),
        deleting: !tree.contains_key(&format!("{path}/locks")),
    };
    insert(&mut found.entries, item, path, value, Some(decoded));
}

fn counter(found: &mut Contents, path: &str, job: &str, data: &[u8]) {
    match decode::shared_count(data) {
        Ok(next) => {
            let item = Item::Counter { job: job.into() };
            insert(&mut found.entries, item, path, Value::Counter(next), None);
        }
        Err(error) => found.damaged.push(noted(path, error)),
    }
}

fn insert(
    entries: &mut BTreeMap<Item, Entry>,
    item: Item,
    path: &str,
    value: Value,
    handle: Option<decode::StateHandle>,
) {
    let key = path.to_owned();
    entries.insert(item, Entry { key, value, handle });
}

fn unknown(found: &Contents) -> Vec<String> {
    use crate::model::ProblemKind;
    let problems = found.cluster.problems.iter();
    let unknown = problems.filter(|problem| problem.kind == ProblemKind::Unknown);
    unknown.map(|problem| problem.key.clone()).collect()
}

/// Nodes that are created in one transaction, with their data: parents first.
pub(super) type Group = Vec<(String, Vec<u8>)>;

/// The nodes that are missing for these entries, in the order in which they are created: each group
/// in one transaction. Those by which Flink starts something come last.
pub(super) fn missing(tree: &Tree, wanted: &BTreeMap<Item, Entry>) -> Result<Vec<Group>, Noted> {
    let mut staged: BTreeMap<(bool, &str), Group> = BTreeMap::new();
    let mut planned = std::collections::BTreeSet::new();
    for (item, entry) in wanted {
        let group = staged.entry((item.starts(), item.owner())).or_default();
        for (path, data) in nodes(item, &entry.value)? {
            if planned.insert(path.clone()) && !tree.contains_key(&path) {
                group.push((path, data));
            }
        }
    }
    let groups = staged.into_values();
    Ok(groups.filter(|group| !group.is_empty()).collect())
}

/// Whether every entry can be a node.
pub(crate) fn check(wanted: &BTreeMap<Item, Entry>) -> Result<(), Noted> {
    let mut entries = wanted.iter();
    entries.try_for_each(|(item, entry)| nodes(item, &entry.value).map(drop))
}

/// The data of the nodes that mark an entry as one that is not deleted. Flink writes its host's
/// address there, and reads it never.
const LOCKS: &[u8] = b"incumbent";

/// The path of an entry's node.
pub(crate) fn path(item: &Item) -> String {
    match item {
        Item::Counter { job } => format!("/jobs/{job}/checkpoint_id_counter"),
        Item::Checkpoint { job, id } => format!("/jobs/{job}/checkpoints/{id:019}"),
        Item::Graph { job } => format!("/{GRAPHS}/{job}"),
        Item::Plan { job } => format!("/{PLANS}/{job}"),
        Item::Application { id } => format!("/{APPLICATIONS}/{id}"),
    }
}

/// The nodes of an entry, parents first, without the directory that all of its kind share.
fn nodes(item: &Item, value: &Value) -> Result<Group, Noted> {
    let path = path(item);
    let mut nodes = Vec::new();
    if let Item::Counter { job } | Item::Checkpoint { job, .. } = item {
        nodes.push((format!("/jobs/{job}"), Vec::new()));
        nodes.push((format!("/jobs/{job}/checkpoints"), Vec::new()));
    }
    match value {
        Value::Counter(next) => {
            let next = i32::try_from(*next).map_err(|_| Noted {
                key: path.clone(),
                why: format!("the counter is {next}, and ZooKeeper's has 31 bits"),
            })?;
            nodes.push((path, next.to_be_bytes().to_vec()));
        }
        Value::Handle { object, deleting } => {
            let locks = format!("{path}/locks");
            nodes.push((path, object.clone()));
            if !deleting {
                nodes.push((locks, LOCKS.to_vec()));
            }
        }
    }
    Ok(nodes)
}

/// The directories that entries of all kinds need.
pub(super) fn directories(wanted: &BTreeMap<Item, Entry>) -> Vec<&'static str> {
    let mut found = vec!["/jobs"];
    for item in wanted.keys() {
        let directory = match item {
            Item::Counter { .. } | Item::Checkpoint { .. } => continue,
            Item::Graph { .. } => "/jobgraphs",
            Item::Plan { .. } => "/execution-plans",
            Item::Application { .. } => "/applications",
        };
        if !found.contains(&directory) {
            found.push(directory);
        }
    }
    found
}

#[cfg(test)]
#[path = "contents_tests.rs"]
mod tests;
