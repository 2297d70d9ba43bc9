//! The ConfigMaps of a cluster, read once.

use futures::{StreamExt, TryStreamExt, stream};
use k8s_openapi::api::core::v1::ConfigMap;

use super::cluster::Cluster;
use super::clusters::clusters;
use super::layout;
use super::list::{in_time, list, named, size};
use crate::budget::ByteBudget;
use crate::error::FlinkError;
use crate::model::FlinkCluster;

/// Requests that are under way at once.
const WINDOW: usize = 16;

/// Most names of clusters in a message.
const MOST_NAMED: usize = 10;

pub(crate) async fn read(cluster: &Cluster, source: &str) -> Result<FlinkCluster, FlinkError> {
    let maps = in_time(all(cluster)).await?;
    if maps.is_empty() {
        return Err(FlinkError::Nothing(nothing(cluster).await));
    }
    Ok(layout::understand(source, &cluster.id, &maps))
}

/// All ConfigMaps of the cluster; none if there is no such cluster.
pub(crate) async fn maps(cluster: &Cluster) -> Result<Vec<ConfigMap>, FlinkError> {
    in_time(all(cluster)).await
}

/// All that are HA data of the cluster, with those that have lost their labels: Flink reads them by
/// their names.
async fn all(cluster: &Cluster) -> Result<Vec<ConfigMap>, FlinkError> {
    let mut budget = ByteBudget::of_cluster();
    let labelled = list(cluster, &layout::labels(&cluster.id), &mut budget).await?;
    let mut maps: Vec<_> = labelled
        .into_iter()
        .filter(|map| layout::is_of(map, &cluster.id))
        .collect();
    let main = layout::cluster_map(&cluster.id);
    if !maps.iter().any(|map| layout::cluster_of(map).is_some()) {
        maps.extend(named(cluster, &main).await?);
    }
    let lost = layout::unlisted_jobs(&maps, &cluster.id);
    let lost: Vec<_> = stream::iter(lost)
        .map(|name| async move { named(cluster, &name).await })
        .buffer_unordered(WINDOW)
        .try_collect()
        .await?;
    for map in lost.into_iter().flatten() {
        budget.take(size(&map))?;
        maps.push(map);
    }
    Ok(maps)
}

/// Where nothing is, and which clusters there are instead.
async fn nothing(cluster: &Cluster) -> String {
    let at = format!("{} in the namespace {}", cluster.id, cluster.namespace());
    let found = in_time(clusters(cluster)).await;
    let found = found.unwrap_or_default();
    let mut names: Vec<_> = found.iter().map(|found| found.name.as_str()).collect();
    if names.is_empty() {
        return at;
    }
    let more = names.len() > MOST_NAMED;
    names.truncate(MOST_NAMED);
    let names = names.join(", ") + if more { ", …" } else { "" };
    format!("{at}; this namespace has: {names}")
}
