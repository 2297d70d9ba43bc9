//! What a cluster has stored, the same whichever store it is in: the form in which data move from
//! one store to another. Pure.

mod gate;
mod marker;

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

pub(crate) use gate::Gate;
pub use marker::{DeleteMarker, NoFlinkVersion};
pub(crate) use marker::{unwrapped, wrapped};

use crate::component::Component;
use crate::decode::StateHandle;
use crate::model::FlinkCluster;

/// How many hexadecimal digits of a digest are a fingerprint. It tells states of one cluster from
/// each other; nobody forges one.
const FINGERPRINT: usize = 16;

/// What an entry is, without the name that a store gives it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Item {
    /// The id of the next checkpoint of this job.
    Counter { job: String },
    /// A completed checkpoint.
    Checkpoint { job: String, id: u64 },
    /// A job, up to Flink 1.20.
    Graph { job: String },
    /// A job, since Flink 2.0.
    Plan { job: String },
    /// An application, since Flink 2.3.
    Application { id: String },
}

/// An entry, and where the store has it.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// Its key in the store.
    pub(crate) key: String,
    pub(crate) value: Value,
    /// What its handle points to.
    pub(crate) handle: Option<StateHandle>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    Counter(u64),
    Handle {
        /// The serialized handle as ZooKeeper has it: without a delete marker around it.
        object: Vec<u8>,
        /// Whether its removal has begun.
        deleting: bool,
    },
}

/// Something that is in the store, and why it is not a plain entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Noted {
    pub(crate) key: String,
    pub(crate) why: String,
}

/// All that a store has of one cluster.
#[derive(Debug, Default)]
pub(crate) struct Contents {
    /// What it means to Flink, and what is wrong with it.
    pub(crate) cluster: FlinkCluster,
    /// What moves.
    pub(crate) entries: BTreeMap<Item, Entry>,
    /// What should move, and cannot.
    pub(crate) damaged: Vec<Noted>,
    /// What belongs to a leader, and never moves.
    pub(crate) of_leaders: Vec<Noted>,
    /// Nodes for leaders of jobs that nobody has published anything in, in ZooKeeper.
    pub(crate) empty_leaders: Vec<(String, Component)>,
    /// What no known Flink writes.
    pub(crate) unknown: Vec<String>,
    /// What shows that a process uses the data at this moment, in ZooKeeper. On Kubernetes only
    /// time tells.
    pub(crate) in_use: Vec<Noted>,
    /// Whether nobody may lead here, and why.
    pub(crate) gate: Option<Gate>,
    /// Whether Flink can elect a leader here, or could if it were not closed.
    pub(crate) electable: bool,
}

impl Item {
    /// The job, or the application, that it belongs to.
    pub(crate) fn owner(&self) -> &str {
        match self {
            Self::Counter { job }
            | Self::Checkpoint { job, .. }
            | Self::Graph { job }
            | Self::Plan { job } => job,
            Self::Application { id } => id,
        }
    }

    /// Whether Flink starts something because of it. All others it reads only then.
    pub(crate) fn starts(&self) -> bool {
        match self {
            Self::Graph { .. } | Self::Plan { .. } | Self::Application { .. } => true,
            Self::Counter { .. } | Self::Checkpoint { .. } => false,
        }
    }

    /// In words.
    pub(crate) fn words(&self) -> String {
        match self {
            Self::Counter { .. } => "counter".into(),
            Self::Checkpoint { id, .. } => format!("checkpoint {id}"),
            Self::Graph { .. } => "job graph".into(),
            Self::Plan { .. } => "execution plan".into(),
            Self::Application { .. } => "application".into(),
        }
    }
}

impl Contents {
    /// Whether there is nothing that Flink would ever read again.
    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.damaged.is_empty()
    }

    /// The jobs and applications, by their ids.
    pub(crate) fn owners(&self) -> impl Iterator<Item = &str> {
        let mut owners: Vec<_> = self.entries.keys().map(Item::owner).collect();
        owners.sort_unstable();
        owners.dedup();
        owners.into_iter()
    }

    /// The same for the same entries, in whatever store.
    pub(crate) fn fingerprint(&self) -> String {
        let mut digest = Sha256::new();
        for (item, entry) in &self.entries {
            digest.update(format!("{item:?} {:?}\n", entry.value));
        }
        let digest = digest.finalize();
        let digits: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        digits[..FINGERPRINT].to_owned()
    }

    /// The values, without the names that the store gives them.
    pub(crate) fn values(&self) -> BTreeMap<&Item, &Value> {
        let entries = self.entries.iter();
        entries.map(|(item, entry)| (item, &entry.value)).collect()
    }

    /// The keys of what is stored of this job besides its plan, damaged or not.
    pub(crate) fn keys_of_job(&self, job: &str) -> Vec<String> {
        let entries = self.entries.iter();
        let entries = entries.filter(|(item, _)| item.owner() == job && !item.starts());
        let entries = entries.map(|(_, entry)| entry.key.clone());
        // Every store has the id of the job in the key.
        let damaged = self.damaged.iter().map(|noted| &noted.key);
        let damaged = damaged.filter(|key| key.contains(job)).cloned();
        entries.chain(damaged).collect()
    }

    /// Whether this component is one of a job that Flink does not start. Such a job may still run
    /// if something else is stored of it.
    pub(crate) fn has_no_plan(&self, component: &Component) -> bool {
        match component {
            Component::Job(id) => {
                let job = self.cluster.jobs.get(id);
                job.is_none_or(|job| job.plan.is_none())
            }
            _ => false,
        }
    }
}
