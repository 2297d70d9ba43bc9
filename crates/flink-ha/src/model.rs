//! What is known of a cluster.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::decode::{Lock, StateHandle};
use crate::session_id::SessionId;

/// What the HA data of a Flink cluster say, of about one moment: the store is read piece by piece
/// while Flink writes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct FlinkCluster {
    /// Where it was read, without a password.
    pub source: String,
    /// The elections: one since Flink 1.15, one for each component before.
    pub elections: Vec<Election>,
    /// The leaders, by the names of the components: `restserver`, `dispatcher`, `resourcemanager`,
    /// `job-…`.
    pub leaders: BTreeMap<String, LeaderEntry>,
    /// The jobs, by their ids.
    pub jobs: BTreeMap<String, FlinkJob>,
    /// What is stale, unreadable, left over or unknown.
    pub problems: Vec<Problem>,
}

/// Who leads a component, and where it is reached.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Leader {
    /// The id of its grant of leadership.
    pub session: SessionId,
    /// A URL: of HTTP for the REST server, of Flink's RPC for the others.
    pub address: String,
}

/// The entry that says so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LeaderEntry {
    /// Its key in the store.
    pub key: String,
    /// What it says.
    #[serde(flatten)]
    pub leader: Leader,
    /// The ZooKeeper session that the entry ends with. `None` on Kubernetes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
}

/// Who holds the lock of an election, and who waits for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Election {
    /// Its key in the store.
    pub key: String,
    /// Who holds it: the identity of a process on Kubernetes, a latch's node in ZooKeeper.
    pub holder: Option<String>,
    /// The ZooKeeper session of the holder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Those after it, in their order. They cannot be seen on Kubernetes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub waiting: Vec<String>,
    /// What the annotation says, on Kubernetes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lock: Option<Lock>,
}

/// What is stored of a job.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct FlinkJob {
    /// What the job is: its graph, or its execution plan since 2.0. `None` if there is no entry.
    pub graph: Option<Entry>,
    /// The completed checkpoints, the oldest first.
    pub checkpoints: Vec<Checkpoint>,
    /// The id of the next checkpoint, if it is stored and can be read.
    pub counter: Option<u64>,
}

/// A completed checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Checkpoint {
    /// Its id.
    pub id: u64,
    /// What points to it.
    #[serde(flatten)]
    pub entry: Entry,
}

/// An entry that points to something outside of the store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// Its key in the store.
    pub key: String,
    /// Where it points. `None` if it cannot be read, which is a [`Problem`].
    pub handle: Option<StateHandle>,
    /// Whether its removal was begun.
    pub deleting: bool,
    /// The locks on it, which keep others from removing it. There are none on Kubernetes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub locks: Vec<String>,
}

/// Something that is not as it should be, or may not be.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Problem {
    /// The entry's key in the store.
    pub key: String,
    /// What kind of problem it is.
    pub kind: ProblemKind,
    /// What is wrong.
    pub reason: String,
}

/// Kinds of problems.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProblemKind {
    /// It cannot be read.
    Unreadable,
    /// It was left behind by somebody who does not lead any more.
    Stale,
    /// What it belongs to is not there: a job has ended, or is just beginning, or its removal was
    /// broken off.
    Orphaned,
    /// Its removal was begun, and is not finished.
    Deleting,
    /// The next checkpoint would get an id that there is.
    CounterBehind,
    /// It is where Flink's entries are, and it is none that is known.
    Unknown,
}

impl FlinkCluster {
    pub(crate) fn problem(&mut self, key: impl Into<String>, kind: ProblemKind, reason: String) {
        self.problems.push(Problem {
            key: key.into(),
            kind,
            reason,
        });
    }
}
