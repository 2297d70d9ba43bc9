//! Bodies that are not messages of `incumbent-cluster-core` themselves.

use incumbent_cluster_core::NodeNonce;
use incumbent_cluster_core::message::{Common, Order, Refused};
use serde::{Deserialize, Serialize};

/// Orders for one TaskManager, in the order in which they are to be carried out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Orders {
    /// The orders.
    pub orders: Vec<Order>,
}

/// What became of [`Orders`], one for each and in the same order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcomes {
    /// `None` if the order was accepted.
    pub refused: Vec<Option<Refused>>,
}

/// What a JobManager that stands by says about itself to the leader, for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Announcement {
    /// The process.
    pub nonce: NodeNonce,
    /// Its name as a candidate.
    pub name: String,
    /// Its process id.
    pub pid: u32,
    /// `host:port`.
    pub address: String,
    /// What it advertises.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub advertise: Option<String>,
    /// Its version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// What it has in common with the other nodes, if it does.
    #[serde(default)]
    pub common: Common,
}
