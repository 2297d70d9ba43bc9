//! The clusters of a namespace.

use super::cluster::Cluster;
use super::layout;
use super::list::list;
use crate::budget::ByteBudget;
use crate::component::Component;
use crate::error::FlinkError;
use crate::model::ClusterSummary;

pub(crate) async fn clusters(namespace: &Cluster) -> Result<Vec<ClusterSummary>, FlinkError> {
    let maps = list(namespace, layout::TYPE, &mut ByteBudget::of_cluster()).await?;
    let mut found = Vec::new();
    for map in &maps {
        let Some(id) = layout::cluster_of(map) else {
            continue;
        };
        let older = format!("{id}-restserver-leader");
        let rest = maps
            .iter()
            .find(|map| map.metadata.name.as_ref() == Some(&older));
        let leader = layout::leader(rest.unwrap_or(map), &Component::RestServer);
        found.push(ClusterSummary {
            name: id.to_owned(),
            address: format!("kubernetes://{}/{id}", namespace.namespace()),
            rest_server: leader.ok().flatten().map(|leader| leader.address),
            jobs: layout::stored_jobs(&maps, id).len(),
        });
    }
    found.sort();
    found.dedup_by(|one, other| one.name == other.name);
    Ok(found)
}
