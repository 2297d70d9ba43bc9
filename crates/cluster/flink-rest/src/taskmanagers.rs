//! `/taskmanagers` and `/taskmanagers/:id`. A TaskManager is named by the nonce of its process.

use incumbent_cluster_core::view::{ClusterView, JobView, NodeView, TaskViewState};
use serde_json::{Value, json};

use crate::errors::Failure;
use crate::overview::task_managers;

/// All that report.
pub(crate) fn list(cluster: &ClusterView, now: i64) -> Value {
    let all = task_managers(cluster).map(|node| entry(node, now));
    json!({ "taskmanagers": all.collect::<Vec<_>>() })
}

/// The one with this id, which may also be its name.
pub(crate) fn find<'a>(cluster: &'a ClusterView, id: &str) -> Result<&'a NodeView, Failure> {
    let all = || task_managers(cluster);
    let found = all()
        .find(|node| node.nonce == id)
        .or_else(|| all().find(|node| node.name == id));
    found.ok_or_else(|| Failure::not_found(format!("Could not find TaskExecutor with id {id}.")))
}

/// One of them.
pub(crate) fn details(node: &NodeView, jobs: &[JobView], now: i64) -> Value {
    let mut details = entry(node, now);
    let slots = slots(node, jobs);
    details["allocatedSlots"] = slots.into();
    details["metrics"] = process();
    details
}

fn entry(node: &NodeView, now: i64) -> Value {
    let silent = i64::try_from(node.silent_ms).unwrap_or(i64::MAX);
    json!({
        "id": node.nonce,
        "path": format!("{} (http://{}, process {})", node.name, node.address, node.pid),
        "dataPort": port(&node.address),
        "jmxPort": -1,
        // Flink's name says a span; it is a time.
        "timeSinceLastHeartbeat": now - silent,
        "slotsNumber": node.slots,
        "freeSlots": node.slots_free,
        // Since 2.3: a slot has one task here.
        "assignedTasks": node.slots.saturating_sub(node.slots_free),
        "totalResource": resource(node.slots),
        "freeResource": resource(node.slots_free),
        "hardware": { "cpuCores": 0, "physicalMemory": 0, "freeMemory": 0, "managedMemory": 0 },
        "memoryConfiguration": {
            "frameworkHeap": 0,
            "taskHeap": 0,
            "frameworkOffHeap": 0,
            "taskOffHeap": 0,
            "networkMemory": 0,
            "managedMemory": 0,
            "jvmMetaspace": 0,
            "jvmOverhead": 0,
            "totalFlinkMemory": 0,
            "totalProcessMemory": 0,
        },
    })
}

fn port(address: &str) -> u16 {
    let port = address
        .rsplit_once(':')
        .and_then(|(_, port)| port.parse().ok());
    port.unwrap_or(0)
}

/// Slots have no measure here but their number.
fn resource(slots: u32) -> Value {
    json!({
        "cpuCores": f64::from(slots),
        "taskHeapMemory": 0,
        "taskOffHeapMemory": 0,
        "managedMemory": 0,
        "networkMemory": 0,
        "extendedResources": {},
    })
}

/// The slots that tasks have, one a task.
fn slots(node: &NodeView, jobs: &[JobView]) -> Vec<Value> {
    let mut slots = Vec::new();
    for job in jobs.iter().filter(|job| !job.state.is_terminal()) {
        let here = job.tasks.iter().filter(|task| {
            task.node.as_deref() == Some(&node.name) && task.state != TaskViewState::Ended
        });
        for _ in here {
            slots.push(json!({ "jobId": job.id, "resource": resource(1), "assignedTasks": 1 }));
        }
    }
    slots
}

/// Of a process of Java, which this is not.
fn process() -> Value {
    json!({
        "heapUsed": 0, "heapCommitted": 0, "heapMax": 0,
        "nonHeapUsed": 0, "nonHeapCommitted": 0, "nonHeapMax": 0,
        "directCount": 0, "directUsed": 0, "directMax": 0,
        "mappedCount": 0, "mappedUsed": 0, "mappedMax": 0,
        "memorySegmentsAvailable": 0, "memorySegmentsTotal": 0,
        "nettyShuffleMemorySegmentsAvailable": 0, "nettyShuffleMemorySegmentsUsed": 0,
        "nettyShuffleMemorySegmentsTotal": 0,
        "nettyShuffleMemoryAvailable": 0, "nettyShuffleMemoryUsed": 0, "nettyShuffleMemoryTotal": 0,
        "garbageCollectors": [],
    })
}
