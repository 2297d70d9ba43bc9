//! Removing keys and ConfigMaps, and setting counters: only what is still as it was read.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::ConfigMap;

use super::cluster::Cluster;
use super::contents::{gate_of, made, place};
use super::layout::cluster_map;
use super::list::named;
use super::write::{create, delete, replace};
use crate::clean::Change;
use crate::data::Item;
use crate::error::FlinkError;

/// How often a ConfigMap is read again whose other keys are written meanwhile: a leader rewrites
/// the cluster's one at each renewal of its lock.
const ATTEMPTS: usize = 8;

/// What happens to one ConfigMap.
#[derive(Debug, Default, PartialEq, Eq)]
struct Edit {
    remove: BTreeSet<String>,
    set: BTreeMap<String, String>,
    delete: bool,
}

/// Carries out these changes. What another process has changed since it was read stays.
pub(crate) async fn sweep(
    cluster: &Cluster,
    maps: &[ConfigMap],
    changes: &[Change],
) -> Result<(), FlinkError> {
    let (last, first): (Vec<_>, Vec<_>) = edits(&cluster.id, maps, changes)
        .into_iter()
        .partition(|(name, _)| *name == cluster_map(&cluster.id));
    // The ConfigMap with the gate goes after all that it guards.
    for (name, edit) in first.into_iter().chain(last) {
        let read = maps
            .iter()
            .find(|map| map.metadata.name.as_ref() == Some(&name));
        match read {
            Some(read) => carry_out(cluster, read, &edit).await?,
            None => {
                create(cluster, &made(&cluster.id, &name, edit.set)).await?;
            }
        }
    }
    Ok(())
}

fn edits(cluster: &str, maps: &[ConfigMap], changes: &[Change]) -> BTreeMap<String, Edit> {
    let mut edits: BTreeMap<String, Edit> = BTreeMap::new();
    for change in changes {
        match change {
            Change::Entry(key) => {
                if let Some((map, key)) = key.split_once('/') {
                    let edit = edits.entry(map.to_owned()).or_default();
                    edit.remove.insert(key.to_owned());
                }
            }
            Change::Job(job) => {
                let (map, _) = place(cluster, &Item::Counter { job: job.clone() });
                edits.entry(map).or_default().delete = true;
            }
            Change::Counter { job, next } => {
                let (map, key) = place(cluster, &Item::Counter { job: job.clone() });
                let edit = edits.entry(map).or_default();
                edit.set.insert(key, next.to_string());
            }
            Change::Copy => {
                for name in maps.iter().filter_map(|map| map.metadata.name.clone()) {
                    edits.entry(name).or_default().delete = true;
                }
            }
        }
    }
    edits
}

async fn carry_out(cluster: &Cluster, read: &ConfigMap, edit: &Edit) -> Result<(), FlinkError> {
    let name = read.metadata.name.as_deref().unwrap_or_default();
    let mut present = read.clone();
    for _ in 0..ATTEMPTS {
        let done = if edit.delete {
            delete(cluster, &present).await
        } else {
            replace(cluster, &edited(present, edit)).await.map(drop)
        };
        match done {
            Err(FlinkError::Changed(_)) => {}
            done => return done,
        }
        match named(cluster, name).await? {
            Some(again) if is_as_read(read, &again, edit) => present = again,
            _ => break,
        }
    }
    Err(FlinkError::Changed(name.to_owned()))
}

/// Whether what the edit is about has not changed.
fn is_as_read(read: &ConfigMap, again: &ConfigMap, edit: &Edit) -> bool {
    let same = |key: &String| {
        let value = |map: &ConfigMap| map.data.as_ref().and_then(|data| data.get(key).cloned());
        value(read) == value(again)
    };
    // A gate that has opened since: somebody may use what is behind it.
    read.metadata.uid == again.metadata.uid
        && gate_of(read) == gate_of(again)
        && (!edit.delete || read.data == again.data && read.binary_data == again.binary_data)
        && edit.remove.iter().chain(edit.set.keys()).all(same)
}

fn edited(mut map: ConfigMap, edit: &Edit) -> ConfigMap {
    let data = map.data.get_or_insert_default();
    data.retain(|key, _| !edit.remove.contains(key));
    data.extend(edit.set.clone());
    if let Some(binary) = &mut map.binary_data {
        binary.retain(|key, _| !edit.remove.contains(key));
    }
    map
}
