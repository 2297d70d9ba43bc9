//! What the ConfigMaps of a cluster mean. Pure.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::ConfigMap;

use super::contents::gate_of;
use crate::component::{Component, is_job_id};
use crate::damage;
use crate::decode::{self, DecodeError, Leader, StateHandle};
use crate::model::{
    Checkpoint, Defect, Election, FlinkCluster, FlinkJob, LeaderEntry, Pointer, Problem,
};

/// The annotation with which the elector makes a ConfigMap a lock.
pub(super) const LOCK: &str = "control-plane.alpha.kubernetes.io/leader";

/// Keys of data.
pub(super) const LEADER: &str = "org.apache.flink.k8s.leader.";
/// Since 2.3.
pub(super) const APPLICATION: &str = "application-";
/// Since 2.0.
pub(super) const PLAN: &str = "executionPlan-";
/// Up to 1.20.
pub(super) const GRAPH: &str = "jobGraph-";
pub(super) const CHECKPOINT: &str = "checkpointID-";
pub(super) const COUNTER: &str = "counter";
/// Before 1.15.
const ADDRESS: &str = "address";
const SESSION: &str = "sessionId";
/// Before 1.15: whether a job has started or ended, which its other entries show as well.
const REGISTRY: &str = "runningJobsRegistry-";

/// The class that Flink casts each stored handle to, since 1.15.
const HANDLE: &str = "org.apache.flink.kubernetes.highavailability.KubernetesStateHandleStore$StateHandleWithDeleteMarker";

/// The end of the name of the ConfigMap that has the leaders, since 1.15.
const CLUSTER_MAP: &str = "-cluster-config-map";

/// The end of the name of a component's own ConfigMap, before 1.15: one that every cluster has.
const OLDER_MAP: &str = "-dispatcher-leader";

/// What a ConfigMap is for, by its name.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// The lock, the leaders, the applications and the plans of the jobs.
    Cluster,
    /// The checkpoints of a job.
    Job(String),
    /// Before 1.15: everything of one component.
    Component(Component),
}

/// The name of the ConfigMap that has the leaders, since 1.15.
pub(super) fn cluster_map(cluster: &str) -> String {
    format!("{cluster}{CLUSTER_MAP}")
}

/// The cluster whose leaders are in this ConfigMap, if they are.
pub(super) fn cluster_of(map: &ConfigMap) -> Option<&str> {
    let name = map.metadata.name.as_deref()?;
    let mut ends = [CLUSTER_MAP, OLDER_MAP].into_iter();
    let id = ends.find_map(|end| name.strip_suffix(end))?;
    (!id.is_empty()).then_some(id)
}

/// The labels by which Flink finds the ConfigMaps of a cluster.
pub(super) fn labels(cluster: &str) -> String {
    format!("app={cluster},{TYPE}")
}

/// The label of all ConfigMaps of Flink. Its other ConfigMaps have it too: names tell them apart.
pub(super) const TYPE: &str = "type=flink-native-kubernetes";

/// Whether it is HA data of this cluster.
pub(super) fn is_of(map: &ConfigMap, cluster: &str) -> bool {
    role(map, cluster).is_some()
}

/// The ids of the jobs that have a plan in one of these ConfigMaps.
pub(super) fn stored_jobs(maps: &[ConfigMap], cluster: &str) -> Vec<String> {
    let maps = maps.iter().filter(|map| is_of(map, cluster));
    let keys = maps.flat_map(|map| map.data.iter().flat_map(|data| data.keys()));
    let ids = keys.filter_map(|key| {
        let id = key.strip_prefix(PLAN).or_else(|| key.strip_prefix(GRAPH))?;
        is_job_id(id).then(|| id.to_owned())
    });
    let ids: BTreeSet<_> = ids.collect();
    ids.into_iter().collect()
}

/// The names of the ConfigMaps of stored jobs that are not among these, since 1.15.
pub(super) fn unlisted_jobs(maps: &[ConfigMap], cluster: &str) -> Vec<String> {
    let names: BTreeSet<_> = maps
        .iter()
        .filter_map(|map| map.metadata.name.clone())
        .collect();
    if !names.contains(&cluster_map(cluster)) {
        return Vec::new();
    }
    let jobs = stored_jobs(maps, cluster).into_iter();
    let jobs = jobs.map(|job| format!("{cluster}-{job}-config-map"));
    jobs.filter(|name| !names.contains(name)).collect()
}

/// The lock in the annotation of a ConfigMap, exactly as it is written.
pub(super) fn lock_text(map: &ConfigMap) -> Option<&str> {
    let annotations = map.metadata.annotations.as_ref()?;
    annotations.get(LOCK).map(String::as_str)
}

pub(super) fn role(map: &ConfigMap, cluster: &str) -> Option<Role> {
    let name = map.metadata.name.as_deref()?;
    if name == cluster_map(cluster) {
        return Some(Role::Cluster);
    }
    let rest = name.strip_prefix(cluster)?.strip_prefix('-')?;
    if let Some(id) = rest.strip_suffix("-config-map") {
        return is_job_id(id).then(|| Role::Job(id.to_owned()));
    }
    let component = rest.strip_suffix("-leader")?;
    let component = match component.strip_suffix("-jobmanager") {
        Some(id) if is_job_id(id) => Component::Job(id.to_owned()),
        _ => match component.parse() {
            Ok(Component::Other(_) | Component::Job(_)) => return None,
            Ok(component) => component,
        },
    };
    Some(Role::Component(component))
}

/// The leader of a component in the data of a ConfigMap, in the form of any version of Flink.
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

pub(crate) fn understand(source: &str, id: &str, maps: &[ConfigMap]) -> FlinkCluster {
    let mut cluster = FlinkCluster {
        source: source.to_owned(),
        ..FlinkCluster::default()
    };
    for map in maps {
        if let (Some(name), Some(role)) = (&map.metadata.name, role(map, id)) {
            Reader {
                map,
                id,
                name,
                role,
                cluster: &mut cluster,
            }
            .read();
        }
    }
    for job in cluster.jobs.values_mut() {
        job.checkpoints.sort_by_key(|checkpoint| checkpoint.id);
    }
    crate::judge::judge(&mut cluster);
    cluster
}

/// Takes in one ConfigMap.
struct Reader<'a> {
    map: &'a ConfigMap,
    /// Of the cluster.
    id: &'a str,
    name: &'a str,
    role: Role,
    cluster: &'a mut FlinkCluster,
}

impl Reader<'_> {
    fn read(mut self) {
        self.labels();
        self.election();
        if let Role::Job(id) = &self.role {
            let id = id.clone();
            self.job(&id);
        }
        let map = self.map;
        for (key, value) in map.data.iter().flatten() {
            self.value(key, value);
        }
        for key in map.binary_data.iter().flat_map(|data| data.keys()) {
            self.add(damage::unknown_key(&self.key(key)));
        }
    }

    fn labels(&mut self) {
        let present = self.map.metadata.labels.as_ref();
        let wanted = [("app", self.id), ("type", "flink-native-kubernetes")];
        let labelled = wanted.into_iter().all(|(name, value)| {
            present.is_some_and(|labels| labels.get(name).is_some_and(|it| it == value))
        });
        if !labelled {
            self.add(damage::unlabelled(self.name, &labels(self.id)));
        }
    }

    fn election(&mut self) {
        if matches!(self.role, Role::Job(_)) {
            return;
        }
        let lock = match lock_text(self.map).map(decode::lock) {
            Some(Ok(lock)) => Some(lock),
            Some(Err(error)) => {
                self.add(damage::lock_unreadable(&self.key(LOCK), &error));
                None
            }
            None => {
                self.add(match gate_of(self.map) {
                    Some(gate) => damage::closed(self.name, &gate),
                    None => damage::lock_missing(self.name, LOCK),
                });
                None
            }
        };
        self.cluster.elections.push(Election {
            key: self.name.to_owned(),
            holder: lock.as_ref().and_then(|lock| lock.holder.clone()),
            owner: None,
            waiting: None,
            lock,
            renewal: None,
        });
    }

    fn value(&mut self, key: &str, value: &str) {
        if let Some(component) = key.strip_prefix(LEADER) {
            let Ok(component) = component.parse::<Component>();
            return self.leads(&component, key);
        }
        if let Some(id) = key.strip_prefix(APPLICATION).filter(|id| is_job_id(id)) {
            let pointer = self.pointer(key, value);
            self.cluster.applications.insert(id.to_owned(), pointer);
            return;
        }
        let plans = [(PLAN, true), (GRAPH, false)];
        let plan = plans.into_iter().find_map(|(prefix, is_execution_plan)| {
            Some((key.strip_prefix(prefix)?, is_execution_plan))
        });
        if let Some((id, is_execution_plan)) = plan.filter(|(id, _)| is_job_id(id)) {
            let pointer = self.pointer(key, value);
            return self.job(id).store_plan(pointer, is_execution_plan);
        }
        match (&self.role, key) {
            (Role::Component(component), SESSION) => {
                let component = component.clone();
                self.leads(&component, key);
            }
            (Role::Component(_), ADDRESS) => {}
            (Role::Component(_), _) if key.starts_with(REGISTRY) => {}
            (Role::Job(id) | Role::Component(Component::Job(id)), _) => {
                let id = id.clone();
                self.of_job(&id, key, value);
            }
            _ => self.add(damage::unknown_key(&self.key(key))),
        }
    }

    fn of_job(&mut self, id: &str, key: &str, value: &str) {
        if key == COUNTER {
            let counter = decode::decimal_counter(value);
            let key = self.key(key);
            let counter =
                counter.map_err(|error| self.add(damage::counter_unreadable(&key, &error)));
            let job = self.job(id);
            job.counter_key = Some(key);
            job.counter = counter.ok();
        } else if let Some(number) = key.strip_prefix(CHECKPOINT) {
            match decode::checkpoint_id(number) {
                Ok(number) => {
                    let checkpoint = Checkpoint {
                        id: number,
                        pointer: self.pointer(key, value),
                    };
                    self.job(id).checkpoints.push(checkpoint);
                }
                Err(error) => self.add(damage::checkpoint_unnamed(&self.key(key), &error)),
            }
        } else {
            self.add(damage::unknown_key(&self.key(key)));
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
            Err(error) => self.add(damage::leader_unreadable(&self.key(key), &error)),
        }
    }

    fn pointer(&self, key: &str, value: &str) -> Pointer {
        let handle = decode::base64_handle(value);
        // Before 1.15 there is no marker around a handle.
        let marked = !matches!(self.role, Role::Component(_));
        let defect = match &handle {
            Ok(StateHandle { outermost, .. }) if marked && outermost != HANDLE => {
                let why = format!("it is an object of {outermost}, not of {HANDLE}");
                Some(Defect::WrongClass(why))
            }
            Ok(_) => None,
            Err(error) => Some(Defect::Unreadable(error.to_string())),
        };
        Pointer {
            key: self.key(key),
            deleting: handle.as_ref().is_ok_and(|handle| handle.deleting),
            handle: handle.ok(),
            defect,
            locks: Vec::new(),
            file: None,
        }
    }

    fn job(&mut self, id: &str) -> &mut FlinkJob {
        self.cluster.jobs.entry(id.to_owned()).or_default()
    }

    fn key(&self, key: &str) -> String {
        format!("{}/{key}", self.name)
    }

    fn add(&mut self, problem: Problem) {
        self.cluster.problems.push(problem);
    }
}

#[cfg(test)]
#[path = "layout_tests.rs"]
mod tests;
