//! [`PodsConfig`]: the numbers of those who ask for pods, and their usual values.

use std::time::Duration;

/// How long a TaskManager may have nothing to do before its pod is given back.
pub const IDLE_RELEASE: Duration = Duration::from_secs(60);

/// Most pods of a cluster if nobody says how many.
pub const MOST_TASK_MANAGERS: u32 = 32;

/// Requests for pods that are under way at a time. The API server takes them in milliseconds; more
/// would only make a mistake larger.
pub const MOST_UNDER_WAY: usize = 16;

/// First and longest pause after Kubernetes has refused a pod, or a pod has ended before its
/// TaskManager had registered. A quota or a role is changed by people.
pub(super) const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// Pause before a request whose outcome is unknown is repeated.
pub(super) const REPEAT_AFTER: Duration = Duration::from_secs(1);

/// How long after that a request that nobody needs is forgotten, if a list does not show its pod.
/// No request is on its way for so long.
pub(super) const FORGET_AFTER: Duration = Duration::from_secs(300);

/// How long a pod that runs may take until its TaskManager has registered, before it is replaced.
pub(super) const REGISTER_WITHIN: Duration = Duration::from_secs(120);

/// How long a pod that has not started is kept when nobody needs it any more: a job that is about
/// to restart will.
pub(super) const EXCESS_FOR: Duration = Duration::from_secs(5);

/// Between two orders to the same TaskManager to leave.
pub(super) const RETIRE_EVERY: Duration = Duration::from_secs(10);

/// How long a TaskManager that leaves and has no task may take to end, before its pod is deleted.
pub(super) const LEAVE_WITHIN: Duration = Duration::from_secs(20);

/// Pods that are named one by one in words.
pub(super) const MOST_NAMED: usize = 8;

/// Pods that are gone and remembered, so that a late answer does not bring one back.
pub(super) const MOST_GONE: usize = 1024;

/// The numbers of those who ask for pods.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodsConfig {
    /// What the names of pods begin with: `<name>-taskmanager-<epoch>-<number>`.
    pub name: String,
    /// Slots of each pod.
    pub slots: u32,
    /// Most pods at a time.
    pub most: u32,
    /// How long a TaskManager may have nothing to do.
    pub idle_release: Duration,
    /// Tells pods that are made as they would be now from others.
    pub template: String,
}
