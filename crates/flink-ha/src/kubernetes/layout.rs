//! What the ConfigMaps of a cluster mean. Pure.

use k8s_openapi::api::core::v1::ConfigMap;

use crate::component::{Component, is_job_id};
use crate::decode::{self, DecodeError};
use crate::model::{
    Checkpoint, Election, Entry, FlinkCluster, FlinkJob, Leader, LeaderEntry, ProblemKind,
};

/// By which the elector makes a ConfigMap a lock.
const LOCK: &str = "control-plane.alpha.kubernetes.io/leader";

/// Keys of data.
const LEADER: &str = "org.apache.flink.k8s.leader.";
const GRAPHS: [&str; 2] = ["jobGraph-", "executionPlan-"];
const CHECKPOINT: &str = "checkpointID-";
const COUNTER: &str = "counter";
/// Before 1.15.
const ADDRESS: &str = "address";
const SESSION: &str = "sessionId";
/// Before 1.15: whether a job was begun or has ended, which its other entries tell as well.
const REGISTRY: &str = "runningJobsRegistry-";

/// What a ConfigMap is for, by its name.
#[derive(Debug, PartialEq, Eq)]
enum Use {
    /// The lock, the leaders, and the graphs of the jobs.
    Cluster,
    /// The checkpoints of a job.
    Job(String),
    /// Before 1.15: all about one component.
    Component(Component),
}

/// The ConfigMap that has the leaders, since 1.15.
pub(super) fn cluster_map(cluster: &str) -> String {
    format!("{cluster}-cluster-config-map")
}

/// Whether it is HA data of this cluster. Flink labels its other ConfigMaps in the same way.
pub(super) fn is_of(map: &ConfigMap, cluster: &str) -> bool {
    use_of(map, cluster).is_some()
}

fn use_of(map: &ConfigMap, cluster: &str) -> Option<Use> {
    let name = map.metadata.name.as_deref()?;
    if name == cluster_map(cluster) {
        return Some(Use::Cluster);
    }
    let rest = name.strip_prefix(cluster)?.strip_prefix('-')?;
    if let Some(id) = rest.strip_suffix("-config-map") {
        return is_job_id(id).then(|| Use::Job(id.to_owned()));
    }
    let component = rest.strip_suffix("-leader")?;
    let component = match component.strip_suffix("-jobmanager") {
        Some(id) if is_job_id(id) => Component::Job(id.to_owned()),
        _ => match component.parse() {
            Ok(Component::Other(_) | Component::Job(_)) => return None,
            Ok(component) => component,
        },
    };
    Some(Use::Component(component))
}

/// The leader of a component in the data of a ConfigMap, wherever it is there.
pub(super) fn leader(
    map: &ConfigMap,
    component: &Component,
) -> Result<Option<Leader>, DecodeError> {
    let Some(data) = &map.data else {
        return Ok(None);
    };
    let name = component.in_config_map();
    let older = name.strip_prefix("job-").unwrap_or(&name);
    for name in [&*name, older] {
        if let Some(value) = data.get(&format!("{LEADER}{name}")) {
            return decode::leader_value(value);
        }
    }
    match (data.get(SESSION), data.get(ADDRESS)) {
        (Some(session), Some(address)) => decode::leader_values(session, address),
        _ => Ok(None),
    }
}

pub(crate) fn understand(id: &str, maps: &[ConfigMap]) -> FlinkCluster {
    let mut cluster = FlinkCluster::default();
    for map in maps {
        if let (Some(name), Some(used)) = (&map.metadata.name, use_of(map, id)) {
            Map {
                map,
                name,
                used,
                cluster: &mut cluster,
            }
            .understand();
        }
    }
    for job in cluster.jobs.values_mut() {
        job.checkpoints.sort_by_key(|checkpoint| checkpoint.id);
    }
    without_a_holder(&mut cluster);
    crate::judge::judge(&mut cluster);
    cluster
}

/// Leaders that nobody would renew.
fn without_a_holder(cluster: &mut FlinkCluster) {
    let [Election { holder: None, .. }] = cluster.elections[..] else {
        return;
    };
    let keys: Vec<_> = cluster
        .leaders
        .values()
        .map(|entry| entry.key.clone())
        .collect();
    for key in keys {
        cluster.problem(key, ProblemKind::Stale, "nobody holds the lock".to_owned());
    }
}

struct Map<'a> {
    map: &'a ConfigMap,
    name: &'a str,
    used: Use,
    cluster: &'a mut FlinkCluster,
}

impl Map<'_> {
    fn understand(mut self) {
        self.election();
        if let Use::Job(id) = &self.used {
            let id = id.clone();
            self.job(&id);
        }
        let map = self.map;
        for (key, value) in map.data.iter().flatten() {
            self.value(key, value);
        }
        for key in map.binary_data.iter().flat_map(|data| data.keys()) {
            self.unknown(key);
        }
    }

    fn election(&mut self) {
        if matches!(self.used, Use::Job(_)) {
            return;
        }
        let annotations = self.map.metadata.annotations.as_ref();
        let lock = annotations.and_then(|all| all.get(LOCK)).and_then(|text| {
            let lock = decode::lock(text);
            lock.map_err(|error| self.unreadable(LOCK, &error)).ok()
        });
        self.cluster.elections.push(Election {
            key: self.name.to_owned(),
            holder: lock.as_ref().and_then(|lock| lock.holder.clone()),
            owner: None,
            waiting: Vec::new(),
            lock,
        });
    }

    fn value(&mut self, key: &str, value: &str) {
        if let Some(component) = key.strip_prefix(LEADER) {
            let Ok(component) = component.parse::<Component>();
            return self.leads(&component, key);
        }
        if let Some(id) = GRAPHS.iter().find_map(|prefix| key.strip_prefix(prefix)) {
            if !is_job_id(id) {
                return self.unknown(key);
            }
            let entry = self.entry(key, value);
            self.job(id).graph = Some(entry);
            return;
        }
        match (&self.used, key) {
            (Use::Component(component), SESSION) => {
                let component = component.clone();
                self.leads(&component, key);
            }
            (Use::Component(_), ADDRESS) => {}
            (Use::Component(_), _) if key.starts_with(REGISTRY) => {}
            (Use::Job(id) | Use::Component(Component::Job(id)), _) => {
                let id = id.clone();
                self.of_job(&id, key, value);
            }
            _ => self.unknown(key),
        }
    }

    fn of_job(&mut self, id: &str, key: &str, value: &str) {
        if key == COUNTER {
            match decode::decimal_counter(value) {
                Ok(counter) => self.job(id).counter = Some(counter),
                Err(error) => self.unreadable(key, &error),
            }
        } else if let Some(number) = key.strip_prefix(CHECKPOINT) {
            match decode::checkpoint_id(number) {
                Ok(number) => {
                    let entry = self.entry(key, value);
                    let checkpoint = Checkpoint { id: number, entry };
                    self.job(id).checkpoints.push(checkpoint);
                }
                Err(error) => self.unreadable(key, &error),
            }
        } else {
            self.unknown(key);
        }
    }

    fn leads(&mut self, component: &Component, key: &str) {
        match leader(self.map, component) {
            Ok(Some(leader)) => {
                let entry = LeaderEntry {
                    key: self.key(key),
                    leader,
                    owner: None,
                };
                self.cluster.leaders.insert(component.to_string(), entry);
            }
            Ok(None) => {}
            Err(error) => self.unreadable(key, &error),
        }
    }

    fn entry(&mut self, key: &str, value: &str) -> Entry {
        let handle = decode::base64_handle(value);
        let handle = handle.map_err(|error| self.unreadable(key, &error)).ok();
        Entry {
            key: self.key(key),
            deleting: handle.as_ref().is_some_and(|handle| handle.deleting),
            handle,
            locks: Vec::new(),
        }
    }

    fn job(&mut self, id: &str) -> &mut FlinkJob {
        self.cluster.jobs.entry(id.to_owned()).or_default()
    }

    fn key(&self, key: &str) -> String {
        format!("{}/{key}", self.name)
    }

    fn unreadable(&mut self, key: &str, error: &DecodeError) {
        let key = self.key(key);
        self.cluster
            .problem(key, ProblemKind::Unreadable, error.to_string());
    }

    fn unknown(&mut self, key: &str) {
        let reason = "no key of Flink's that is known is called so".to_owned();
        let key = self.key(key);
        self.cluster.problem(key, ProblemKind::Unknown, reason);
    }
}

#[cfg(test)]
#[path = "layout_tests.rs"]
mod tests;
