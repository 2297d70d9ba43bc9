//! [`PodSeen`]: a pod, as the API shows it.

/// A pod of the cluster, as the API shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodSeen {
    /// Its name, and that of its TaskManager.
    pub name: String,
    /// Tells it from an earlier pod of the same name.
    pub uid: String,
    /// The epoch of the leader that asked for it.
    pub epoch: u64,
    /// Slots of its TaskManager.
    pub slots: u32,
    /// What it was made from.
    pub template: String,
    /// How far it is.
    pub phase: PodPhase,
    /// Whether it is marked for deletion.
    pub is_leaving: bool,
    /// The node that it is on.
    pub node: Option<String>,
    /// Why it does not get further, in the API's own words.
    pub why: Option<String>,
}

/// How far a pod is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PodPhase {
    /// It has not started.
    Pending,
    /// Its container runs.
    Running,
    /// It has ended, and never starts again.
    Ended {
        /// With success: its TaskManager had left.
        is_well: bool,
    },
}
