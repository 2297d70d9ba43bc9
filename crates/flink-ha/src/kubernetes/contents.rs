//! What the ConfigMaps of a cluster hold, as it moves; and the ConfigMaps that hold it. Pure.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use k8s_openapi::api::core::v1::ConfigMap;

use super::layout::{
    APPLICATION, CHECKPOINT, COUNTER, GRAPH, LEADER, LOCK, PLAN, Role, cluster_map, role,
    understand,
};
use crate::component::is_job_id;
use crate::data::{Contents, DeleteMarker, Entry, Gate, Item, Noted, Value, unwrapped, wrapped};
use crate::decode;

/// The annotation that says that nobody may lead here, in the place of the lock's.
pub(crate) const GATE: &str = "incumbent/closed";

/// A lock that nobody holds, as Flink's elector accepts it. Its times say nothing while it has no
/// holder.
const FREE_LOCK: &str = "{\"holderIdentity\":\"\",\"leaseDuration\":15.0,\
    \"acquireTime\":\"2000-01-01T00:00:00.000000Z\",\
    \"renewTime\":\"2000-01-01T00:00:00.000000Z\",\"leaderTransitions\":0}";

/// Takes in all ConfigMaps of a cluster.
pub(crate) fn contents(source: &str, id: &str, maps: &[ConfigMap]) -> Contents {
    let mut found = Contents {
        cluster: understand(source, id, maps),
        ..Contents::default()
    };
    for map in maps {
        let (Some(name), Some(role)) = (&map.metadata.name, role(map, id)) else {
            continue;
        };
        if role == Role::Cluster {
            found.gate = gate_of(map);
            found.electable = found.gate.is_some() || super::layout::lock_text(map).is_some();
        }
        if let Role::Component(_) = role {
            let why = "a Flink before 1.15 wrote it; this one moves data of 1.15 and later";
            found.damaged.push(noted(name.clone(), why));
            continue;
        }
        for (key, value) in map.data.iter().flatten() {
            let full = format!("{name}/{key}");
            match item(&role, key) {
                Some(Ok(Item::Counter { job })) => counter(&mut found, full, job, value),
                Some(Ok(item)) => handle(&mut found, full, item, value),
                Some(Err(why)) => found.damaged.push(noted(full, why)),
                None if key.starts_with(LEADER) => {
                    let why = "it belongs to a leader; the next one writes its own";
                    found.of_leaders.push(noted(full, why));
                }
                None => found.unknown.push(full),
            }
        }
        let binary = map.binary_data.iter().flatten();
        found
            .unknown
            .extend(binary.map(|(key, _)| format!("{name}/{key}")));
    }
    found
}

/// The gate in this ConfigMap.
pub(super) fn gate_of(map: &ConfigMap) -> Option<Gate> {
    let annotations = map.metadata.annotations.as_ref()?;
    annotations.get(GATE).map(|text| Gate::of(text))
}

fn noted(key: String, why: impl ToString) -> Noted {
    let why = why.to_string();
    Noted { key, why }
}

/// What a key of Flink's is for, or why it is not readable.
fn item(role: &Role, key: &str) -> Option<Result<Item, decode::DecodeError>> {
    match role {
        Role::Cluster => {
            let id = |prefix| key.strip_prefix(prefix).filter(|id| is_job_id(id));
            if let Some(id) = id(APPLICATION) {
                return Some(Ok(Item::Application { id: id.into() }));
            }
            if let Some(job) = id(PLAN) {
                return Some(Ok(Item::Plan { job: job.into() }));
            }
            id(GRAPH).map(|job| Ok(Item::Graph { job: job.into() }))
        }
        Role::Job(job) if key == COUNTER => Some(Ok(Item::Counter { job: job.clone() })),
        Role::Job(job) => {
            let id = decode::checkpoint_id(key.strip_prefix(CHECKPOINT)?);
            let job = job.clone();
            Some(id.map(|id| Item::Checkpoint { job, id }))
        }
        Role::Component(_) => None,
    }
}

fn handle(found: &mut Contents, key: String, item: Item, value: &str) {
    let decoded = decode::base64_handle(value);
    let moved = STANDARD
        .decode(value)
        .map_err(|_| decode::DecodeError::Base64)
        .and_then(|marked| unwrapped(&marked));
    match (decoded, moved) {
        (Ok(decoded), Ok((object, deleting))) => {
            let (value, handle) = (Value::Handle { object, deleting }, Some(decoded));
            found.entries.insert(item, Entry { key, value, handle });
        }
        (Err(error), _) | (_, Err(error)) => found.damaged.push(noted(key, error)),
    }
}

fn counter(found: &mut Contents, key: String, job: String, value: &str) {
    match decode::decimal_counter(value) {
        Ok(next) => {
            let (value, handle) = (Value::Counter(next), None);
            let entry = Entry { key, value, handle };
            found.entries.insert(Item::Counter { job }, entry);
        }
        Err(error) => found.damaged.push(noted(key, error)),
    }
}

/// The ConfigMap that has this entry, and the key there.
pub(crate) fn place(cluster: &str, item: &Item) -> (String, String) {
    let of_job = |job: &str| format!("{cluster}-{job}-config-map");
    match item {
        Item::Counter { job } => (of_job(job), COUNTER.into()),
        Item::Checkpoint { job, id } => (of_job(job), format!("{CHECKPOINT}{id:019}")),
        Item::Graph { job } => (cluster_map(cluster), format!("{GRAPH}{job}")),
        Item::Plan { job } => (cluster_map(cluster), format!("{PLAN}{job}")),
        Item::Application { id } => (cluster_map(cluster), format!("{APPLICATION}{id}")),
    }
}

/// The data of all ConfigMaps that hold these entries, by their names.
pub(crate) fn data(
    cluster: &str,
    entries: &BTreeMap<Item, Entry>,
    marker: DeleteMarker,
) -> Result<BTreeMap<String, BTreeMap<String, String>>, Noted> {
    let mut maps: BTreeMap<_, BTreeMap<_, _>> = BTreeMap::new();
    // It is needed whatever it has.
    maps.insert(cluster_map(cluster), BTreeMap::new());
    for (item, entry) in entries {
        let (map, key) = place(cluster, item);
        let value = match &entry.value {
            Value::Counter(next) => next.to_string(),
            Value::Handle { object, deleting } => {
                let marked = wrapped(object, *deleting, marker);
                STANDARD.encode(marked.map_err(|error| noted(entry.key.clone(), error))?)
            }
        };
        maps.entry(map).or_default().insert(key, value);
    }
    Ok(maps)
}

/// A ConfigMap of a cluster, as Flink labels it. The third label is that of 1.20, and later ones do
/// not mind it.
pub(super) fn made(cluster: &str, name: &str, data: BTreeMap<String, String>) -> ConfigMap {
    let mut map = ConfigMap {
        data: Some(data),
        ..ConfigMap::default()
    };
    map.metadata.name = Some(name.to_owned());
    label(cluster, &mut map);
    map
}

fn label(cluster: &str, map: &mut ConfigMap) {
    let labels = map.metadata.labels.get_or_insert_default();
    for (name, value) in [
        ("app", cluster),
        ("type", "flink-native-kubernetes"),
        ("configmap-type", "high-availability"),
    ] {
        labels.insert(name.to_owned(), value.to_owned());
    }
}

/// The same with its gate closed: no Flink elects a leader by it.
pub(super) fn closed(cluster: &str, mut map: ConfigMap, gate: &Gate) -> ConfigMap {
    label(cluster, &mut map);
    let annotations = map.metadata.annotations.get_or_insert_default();
    annotations.remove(LOCK);
    annotations.insert(GATE.to_owned(), gate.text());
    map
}

/// The same with its gate open, and a lock that nobody holds.
pub(super) fn opened(mut map: ConfigMap) -> ConfigMap {
    let annotations = map.metadata.annotations.get_or_insert_default();
    annotations.remove(GATE);
    annotations.insert(LOCK.to_owned(), FREE_LOCK.to_owned());
    map
}

#[cfg(test)]
#[path = "contents_tests.rs"]
mod tests;
