//! Lists of ConfigMaps, within limits. They take the right to list, and no other.

use std::time::Duration;

use incumbent_backend::BoxError;
use incumbent_backend_kubernetes::quietly;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Error;
use kube::api::ListParams;
use tokio::time::timeout;

use super::cluster::Cluster;
use crate::budget::ByteBudget;
use crate::error::FlinkError;

/// How long a person waits for all of it.
const IN_TIME: Duration = Duration::from_secs(30);

/// Objects in one part of a list. One has at most 1.5 MiB, and a part is in memory as a whole
/// before its bytes are counted.
const PART: u32 = 100;

/// Most objects. There is one for each job; a server with so many has other troubles.
const MOST_MAPS: usize = 50_000;

/// Statuses with which the server refuses a request.
const NO_LOGIN: u16 = 401;
const FORBIDDEN: u16 = 403;

/// All ConfigMaps with these labels.
pub(super) async fn list(
    cluster: &Cluster,
    selector: &str,
    budget: &mut ByteBudget,
) -> Result<Vec<ConfigMap>, FlinkError> {
    let mut part = ListParams::default().labels(selector).limit(PART);
    let mut maps = Vec::new();
    loop {
        let found = quietly(cluster.maps.list(&part)).await;
        let found = found.map_err(|error| failed(cluster, error))?;
        for mut map in found.items {
            // Which client wrote which field: it is not used, and may be longer than the rest.
            map.metadata.managed_fields = None;
            budget.take(size(&map))?;
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

/// Ends a read that takes too long.
pub(super) async fn in_time<T>(
    read: impl Future<Output = Result<T, FlinkError>>,
) -> Result<T, FlinkError> {
    let read = timeout(IN_TIME, read).await;
    read.unwrap_or_else(|_| Err(unavailable(None)))
}

/// The bytes that a ConfigMap holds. The rest of it is short, and the number of ConfigMaps limits
/// it.
pub(super) fn size(map: &ConfigMap) -> usize {
    let texts = map.data.iter().chain(&map.metadata.annotations).flatten();
    let texts = texts.map(|(key, value)| key.len() + value.len());
    let binary = map.binary_data.iter().flatten();
    let binary = binary.map(|(key, value)| key.len() + value.0.len());
    texts.chain(binary).sum()
}

/// The ConfigMap of this name.
pub(super) async fn named(cluster: &Cluster, name: &str) -> Result<Option<ConfigMap>, FlinkError> {
    let asked = ListParams::default().fields(&format!("metadata.name={name}"));
    let found = quietly(cluster.maps.list(&asked)).await;
    let found = found.map_err(|error| failed(cluster, error))?;
    Ok(found.items.into_iter().next())
}

fn failed(cluster: &Cluster, error: Error) -> FlinkError {
    match error {
        Error::Api(status) if matches!(status.code, NO_LOGIN | FORBIDDEN) => FlinkError::Refused {
            what: format!(
                "list of ConfigMaps in the namespace {}",
                cluster.namespace()
            ),
            source: status.message.into(),
        },
        // The client's own text would repeat it twice, once in the form of debug output.
        Error::Api(status) => {
            let words = format!("{} (status {})", status.message, status.code);
            unavailable(Some(words.into()))
        }
        error => unavailable(Some(error.into())),
    }
}

fn unavailable(source: Option<BoxError>) -> FlinkError {
    FlinkError::Unavailable {
        store: "the Kubernetes API".into(),
        source,
    }
}

#[cfg(test)]
#[path = "list_tests.rs"]
mod tests;
