//! All ConfigMaps of a cluster, read once.

use std::time::Duration;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::Error;
use kube::api::ListParams;
use tokio::time::timeout;

use super::connect::{Cluster, quietly};
use super::layout;
use crate::error::FlinkError;
use crate::model::FlinkCluster;
use crate::room::Room;

/// In which all must be read. A person waits for it.
const IN_TIME: Duration = Duration::from_secs(30);

/// Objects in one part of a list. One has at most a mebibyte and a half, and a part is there as a
/// whole before it is counted.
const PART: u32 = 100;

/// Most objects. There is one for each job; a server with so many has other troubles.
const MOST_MAPS: usize = 50_000;

/// What the server says of an answer that it does not give.
const NO_LOGIN: u16 = 401;
const FORBIDDEN: u16 = 403;

pub(crate) async fn inspect(cluster: &Cluster) -> Result<FlinkCluster, FlinkError> {
    let maps = match timeout(IN_TIME, list(cluster, Room::usual())).await {
        Ok(maps) => maps?,
        Err(_) => return Err(unavailable(None)),
    };
    let maps: Vec<_> = maps
        .into_iter()
        .filter(|map| layout::is_of(map, &cluster.id))
        .collect();
    if maps.is_empty() {
        return Err(FlinkError::Nothing(format!("in {}", what(cluster))));
    }
    Ok(layout::understand(&cluster.id, &maps))
}

async fn list(cluster: &Cluster, mut room: Room) -> Result<Vec<ConfigMap>, FlinkError> {
    // Flink 2 has no label that tells HA data from its other ConfigMaps: their names do.
    let selector = format!("app={},type=flink-native-kubernetes", cluster.id);
    let mut part = ListParams::default().labels(&selector).limit(PART);
    let mut maps = Vec::new();
    loop {
        let found = quietly(cluster.maps.list(&part)).await;
        let found = found.map_err(|error| failed(cluster, error))?;
        for mut map in found.items {
            // Who wrote which field: nobody asks for it, and it may be longer than the rest.
            map.metadata.managed_fields = None;
            room.take(size(&map))?;
            maps.push(map);
        }
        if maps.len() > MOST_MAPS {
            return Err(FlinkError::TooMuch {
                what: "ConfigMaps",
                most: MOST_MAPS,
            });
        }
        match found.metadata.continue_.filter(|next| !next.is_empty()) {
            Some(next) => part = part.continue_token(&next),
            None => return Ok(maps),
        }
    }
}

/// What a ConfigMap holds, in bytes. The rest of it is short, and the number of ConfigMaps limits
/// it.
fn size(map: &ConfigMap) -> usize {
    let texts = map.data.iter().chain(&map.metadata.annotations).flatten();
    let texts = texts.map(|(key, value)| key.len() + value.len());
    let binary = map.binary_data.iter().flatten();
    let binary = binary.map(|(key, value)| key.len() + value.0.len());
    texts.chain(binary).sum()
}

fn failed(cluster: &Cluster, error: Error) -> FlinkError {
    match &error {
        Error::Api(status) if matches!(status.code, NO_LOGIN | FORBIDDEN) => FlinkError::Refused {
            what: format!("to list {}", what(cluster)),
            source: error.into(),
        },
        _ => unavailable(Some(error)),
    }
}

fn what(cluster: &Cluster) -> String {
    format!(
        "ConfigMaps of {} in the namespace {}",
        cluster.id,
        cluster.maps.namespace().unwrap_or("default")
    )
}

fn unavailable(error: Option<Error>) -> FlinkError {
    FlinkError::Unavailable {
        store: "the Kubernetes API".into(),
        source: error.map(Into::into),
    }
}

#[cfg(test)]
#[path = "read_tests.rs"]
mod tests;
