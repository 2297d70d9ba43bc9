//! What inspect() finds out about a cluster.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Serialize, Serializer};

use crate::decode::{Leader, Lock, StateHandle};

/// The HA data of a Flink cluster at about one moment: the store is read piece by piece while Flink
/// writes to it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct FlinkCluster {
    /// The address, without a password.
    pub source: String,
    /// The elections: one since Flink 1.15, one for each component before.
    pub elections: Vec<Election>,
    /// The leaders, by the names of the components: `restserver`, `dispatcher`, `resourcemanager`,
    /// `job-…`.
    pub leaders: BTreeMap<String, LeaderEntry>,
    /// The applications, by their ids. Only Flink 2.3 and later stores them.
    pub applications: BTreeMap<String, Pointer>,
    /// The jobs, by their ids.
    pub jobs: BTreeMap<String, FlinkJob>,
    /// How many files were looked at. `None` if that was not asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub files: Option<FileCheck>,
    /// What is damaged, left over or unknown: the worst first.
    pub problems: Vec<Problem>,
}

/// The clusters of a place.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Clusters {
    /// Those that were found, by name.
    pub clusters: Vec<ClusterSummary>,
    /// In ZooKeeper, how many nodes were searched, if there were more: clusters below the others
    /// are not in the list. `None` if all were searched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stopped_after: Option<usize>,
}

/// A cluster in a listing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct ClusterSummary {
    /// `kubernetes.cluster-id`, or the path of the cluster's node in ZooKeeper.
    pub name: String,
    /// Its address for [`inspect`](crate::inspect()), without login and options.
    pub address: String,
    /// The address of the REST server that leads, if one does.
    pub rest_server: Option<String>,
    /// The number of stored jobs.
    pub jobs: usize,
}

/// Who holds the lock of an election, and who waits for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Election {
    /// Its key in the store.
    pub key: String,
    /// Who holds it: the identity of a process on Kubernetes, the node of a latch in ZooKeeper.
    pub holder: Option<String>,
    /// The ZooKeeper session of the holder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Those who wait, in their order. `None` on Kubernetes, where they leave no trace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waiting: Option<Vec<String>>,
    /// The lock's annotation, on Kubernetes. `None` if it is missing or unreadable.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lock: Option<Lock>,
    /// Whether the lock changed while it was watched, on Kubernetes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub renewal: Option<Renewal>,
}

/// Whether the annotation of a lock changed while it was watched, by our own clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "state")]
pub enum Renewal {
    /// It changed: its holder is alive, or a new one has taken it.
    Renewed {
        /// The time since the change was seen.
        #[serde(serialize_with = "seconds", rename = "seconds_ago")]
        ago: Duration,
    },
    /// It did not change.
    Silent {
        /// How long it was watched.
        #[serde(serialize_with = "seconds", rename = "seconds_watched")]
        watched: Duration,
    },
}

/// An entry that says who leads a component.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LeaderEntry {
    /// Its key in the store.
    pub key: String,
    /// The leader that it names.
    #[serde(flatten)]
    pub leader: Leader,
    /// The ZooKeeper session that the entry ends with. `None` on Kubernetes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
}

/// What is stored of a job.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct FlinkJob {
    /// Where the job itself is stored: its execution plan since Flink 2.0, its job graph before.
    /// `None` if there is no entry.
    pub plan: Option<Pointer>,
    /// The key of a job graph beside an execution plan, which Flink 2 does not read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub older_graph: Option<String>,
    /// The completed checkpoints, the oldest first.
    pub checkpoints: Vec<Checkpoint>,
    /// The key of the counter of checkpoints, if there is an entry.
    pub counter_key: Option<String>,
    /// The id of the next checkpoint, if the counter is stored and readable.
    pub counter: Option<u64>,
}

/// A completed checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Checkpoint {
    /// Its id.
    pub id: u64,
    /// The entry that points to it.
    #[serde(flatten)]
    pub pointer: Pointer,
}

/// An entry that points to something outside the store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Pointer {
    /// Its key in the store.
    pub key: String,
    /// Where it points. `None` if it is unreadable, which is a [`Problem`].
    pub handle: Option<StateHandle>,
    /// Why it is unreadable, for us or for Flink.
    #[serde(skip)]
    pub(crate) defect: Option<Defect>,
    /// Whether its removal has begun.
    pub deleting: bool,
    /// The locks on it, which keep others from removing it. ConfigMaps have none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub locks: Vec<String>,
    /// The state of the file, if it was looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<FileState>,
}

/// What is wrong with the value of a pointer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Defect {
    /// Flink cannot deserialize it either: why.
    Unreadable(String),
    /// Flink reads it, and fails on its class: why.
    WrongClass(String),
}

/// The state of a file that a handle points to, as this machine sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "state")]
pub enum FileState {
    /// It is there, and has the size that the handle holds.
    Whole,
    /// It is not there.
    Missing,
    /// It has another size.
    WrongSize {
        /// Its size in bytes.
        size: u64,
    },
    /// It was not looked at, or could not be.
    NotLookedAt {
        /// Why not.
        why: String,
    },
}

/// How many of the files that handles point to were looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct FileCheck {
    /// Files that were looked at.
    pub looked_at: usize,
    /// Among them, those that are missing or have the wrong size.
    pub damaged: usize,
    /// Files that were not looked at: their scheme is not `file`, or the system refused.
    pub not_looked_at: usize,
}

/// Something that is damaged, left over or unknown.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Problem {
    /// How bad it is.
    pub severity: Severity,
    /// The kind of problem.
    pub kind: ProblemKind,
    /// The key of the entry in the store, or the id of the job.
    pub key: String,
    /// What is wrong.
    pub reason: String,
    /// What follows from it: what Flink does, or does not do.
    pub follows: String,
}

/// How bad a problem is: the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Jobs do not run, or will not survive the next failover.
    Critical,
    /// Something is wrong, and may become worse.
    Warning,
    /// Something is left over or unknown. It does no harm that is known.
    Note,
}

/// The kinds of problems.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProblemKind {
    /// Nobody leads: nobody holds the lock, or its holder does not renew it.
    NoLeader,
    /// Nobody may lead here: it was moved elsewhere, or is an unfinished copy.
    Closed,
    /// A value cannot be decoded.
    Unreadable,
    /// A value is readable, and not of the class that Flink expects.
    WrongClass,
    /// A file that a handle points to is missing or has the wrong size.
    File,
    /// The counter of checkpoints is missing, or not above the newest checkpoint.
    CounterBehind,
    /// An earlier leader left the entry behind.
    Stale,
    /// The components' leaders are of several sessions, and nothing tells which is the present one.
    Mixed,
    /// What the entry belongs to is missing.
    Orphaned,
    /// Its removal has begun, and is not finished.
    Deleting,
    /// The ConfigMap lacks the labels that Flink gives it.
    Unlabelled,
    /// An older Flink wrote it, and the present one does not read it.
    Outdated,
    /// The entry is among Flink's, and no known Flink writes it.
    Unknown,
}

impl ProblemKind {
    /// The kind as it is written in JSON: `no-leader`.
    pub fn name(self) -> &'static str {
        match self {
            Self::NoLeader => "no-leader",
            Self::Closed => "closed",
            Self::Unreadable => "unreadable",
            Self::WrongClass => "wrong-class",
            Self::File => "file",
            Self::CounterBehind => "counter-behind",
            Self::Stale => "stale",
            Self::Mixed => "mixed",
            Self::Orphaned => "orphaned",
            Self::Deleting => "deleting",
            Self::Unlabelled => "unlabelled",
            Self::Outdated => "outdated",
            Self::Unknown => "unknown",
        }
    }
}

impl FlinkCluster {
    /// How many jobs are stored so that Flink can start them.
    pub(crate) fn stored_jobs(&self) -> usize {
        self.jobs.values().filter(|job| job.plan.is_some()).count()
    }

    /// Every pointer: of applications, of jobs and of checkpoints.
    pub(crate) fn pointers_mut(&mut self) -> impl Iterator<Item = &mut Pointer> {
        let of_jobs = self.jobs.values_mut().flat_map(|job| {
            let checkpoints = job.checkpoints.iter_mut();
            let checkpoints = checkpoints.map(|checkpoint| &mut checkpoint.pointer);
            job.plan.iter_mut().chain(checkpoints)
        });
        self.applications.values_mut().chain(of_jobs)
    }
}

impl FlinkJob {
    /// Notes where the job itself is stored. An execution plan goes before a job graph, in any
    /// order.
    pub(crate) fn store_plan(&mut self, pointer: Pointer, is_execution_plan: bool) {
        match self.plan.take() {
            None => self.plan = Some(pointer),
            Some(graph) if is_execution_plan => {
                self.older_graph = Some(graph.key);
                self.plan = Some(pointer);
            }
            Some(plan) => {
                self.older_graph = Some(pointer.key);
                self.plan = Some(plan);
            }
        }
    }
}

fn seconds<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(duration.as_secs_f64())
}
