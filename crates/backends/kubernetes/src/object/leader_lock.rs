//! The root as the leader lock that other tools know. It is written for people and never read back.

use incumbent_core::root::{Root, TermState};
use k8s_openapi::api::coordination::v1::LeaseSpec;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use k8s_openapi::jiff::Timestamp;
use serde::Serialize;

/// The annotation that client-go's ConfigMap lock and Flink use.
pub(crate) const LEADER: &str = "control-plane.alpha.kubernetes.io/leader";

/// The value of that annotation.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LeaderRecord {
    /// Empty if the leader resigned.
    holder_identity: String,
    lease_duration_seconds: i32,
    /// By the holder's clock: for people, never compared.
    acquire_time: Option<String>,
    renew_time: Option<String>,
    leader_transitions: i32,
}

impl LeaderRecord {
    pub(crate) fn of(root: &Root) -> Self {
        let text = |time: Timestamp| time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        Self {
            holder_identity: holder(root),
            lease_duration_seconds: lease_seconds(root),
            acquire_time: time(&root.since).map(text),
            renew_time: time(&root.renewed).map(text),
            leader_transitions: transitions(root),
        }
    }

    pub(crate) fn to_json(&self) -> String {
        serde_json::to_string(self).expect("a lock is always JSON")
    }
}

/// The same in a Lease.
pub(crate) fn lease_spec(root: &Root) -> LeaseSpec {
    LeaseSpec {
        holder_identity: Some(holder(root)),
        lease_duration_seconds: Some(lease_seconds(root)),
        acquire_time: time(&root.since).map(MicroTime),
        renew_time: time(&root.renewed).map(MicroTime),
        lease_transitions: Some(transitions(root)),
        ..LeaseSpec::default()
    }
}

fn holder(root: &Root) -> String {
    match root.state {
        TermState::Activating | TermState::Active => root.holder.to_string(),
        TermState::Released => String::new(),
    }
}

/// Whole seconds, rounded up: a Lease allows neither fractions nor zero.
fn lease_seconds(root: &Root) -> i32 {
    let seconds = root.lease().as_millis().div_ceil(1000).max(1);
    i32::try_from(seconds).unwrap_or(i32::MAX)
}

/// Changes of leader so far: one less than the terms.
fn transitions(root: &Root) -> i32 {
    i32::try_from(root.epoch.get().saturating_sub(1)).unwrap_or(i32::MAX)
}

fn time(text: &str) -> Option<Timestamp> {
    text.parse().ok()
}
