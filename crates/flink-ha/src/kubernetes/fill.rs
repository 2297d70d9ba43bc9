//! Closing, filling and opening the ConfigMaps of a cluster.

use std::collections::BTreeMap;

use futures::{TryStreamExt, stream};
use k8s_openapi::api::core::v1::ConfigMap;

use super::cluster::Cluster;
use super::contents::{closed, data, made, opened};
use super::layout::cluster_map;
use super::write::{create, replace};
use crate::data::{DeleteMarker, Entry, Gate, Item, Noted};
use crate::error::FlinkError;

/// Writes that are under way at once. The API server admits a client some dozens a second.
const WINDOW: usize = 16;

/// Closes the cluster's gate: from then on no Flink elects a leader there.
pub(crate) async fn close(
    cluster: &Cluster,
    maps: &[ConfigMap],
    gate: &Gate,
) -> Result<(), FlinkError> {
    let written = match main(cluster, maps) {
        Some(map) => replace(cluster, &closed(&cluster.id, map.clone(), gate)).await,
        None => {
            let map = made(&cluster.id, &cluster_map(&cluster.id), BTreeMap::new());
            create(cluster, &closed(&cluster.id, map, gate)).await
        }
    };
    written.map(drop)
}

/// Writes what is missing of these entries, or is there with another marker: the ConfigMaps of jobs
/// first, and last the one by which Flink finds the jobs. Each is one write.
pub(crate) async fn fill(
    cluster: &Cluster,
    maps: &[ConfigMap],
    entries: &BTreeMap<Item, Entry>,
    marker: DeleteMarker,
    copied: &(dyn Fn(usize) + Sync),
) -> Result<(), FlinkError> {
    let wanted = data(&cluster.id, entries, marker);
    let wanted = wanted.map_err(|Noted { key, why }| FlinkError::Rejected {
        what: key,
        source: why.into(),
    })?;
    let main_name = cluster_map(&cluster.id);
    let of_jobs = wanted.iter().filter(|(name, _)| **name != main_name);
    stream::iter(of_jobs.map(Ok::<_, FlinkError>))
        .try_for_each_concurrent(WINDOW, |(name, data)| async move {
            let map = match named(maps, name) {
                None => made(&cluster.id, name, BTreeMap::new()),
                Some(map) => map.clone(),
            };
            copied(add(cluster, map, data).await?);
            Ok(())
        })
        .await?;
    match named(maps, &main_name) {
        None => Err(FlinkError::Changed(main_name)),
        Some(map) => {
            copied(add(cluster, map.clone(), &wanted[&main_name]).await?);
            Ok(())
        }
    }
}

/// Writes what is missing of these data, or differs, and returns how many keys that were.
async fn add(
    cluster: &Cluster,
    mut map: ConfigMap,
    wanted: &BTreeMap<String, String>,
) -> Result<usize, FlinkError> {
    let has = map.data.get_or_insert_default();
    let mut written = 0;
    for (key, value) in wanted {
        if has.get(key) != Some(value) {
            has.insert(key.clone(), value.clone());
            written += 1;
        }
    }
    if written == 0 {
        return Ok(0);
    }
    if map.metadata.resource_version.is_some() {
        replace(cluster, &map).await?;
    } else {
        create(cluster, &map).await?;
    }
    Ok(written)
}

/// Opens the gate: from then on a Flink that starts there leads, and starts the jobs.
pub(crate) async fn open(cluster: &Cluster, maps: &[ConfigMap]) -> Result<(), FlinkError> {
    match main(cluster, maps) {
        Some(map) => replace(cluster, &opened(map.clone())).await.map(drop),
        None => Err(FlinkError::Changed(cluster_map(&cluster.id))),
    }
}

/// The ConfigMap that has the lock.
fn main<'a>(cluster: &Cluster, maps: &'a [ConfigMap]) -> Option<&'a ConfigMap> {
    named(maps, &cluster_map(&cluster.id))
}

fn named<'a>(maps: &'a [ConfigMap], name: &str) -> Option<&'a ConfigMap> {
    let mut maps = maps.iter();
    maps.find(|map| map.metadata.name.as_deref() == Some(name))
}
