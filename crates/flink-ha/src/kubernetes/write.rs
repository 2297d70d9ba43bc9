//! Writes of ConfigMaps. Each names the version that it replaces, and is sent once.

use incumbent_backend_kubernetes::quietly;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Error;
use kube::api::{DeleteParams, PostParams, Preconditions};

use super::cluster::Cluster;
use crate::error::FlinkError;

const NO_LOGIN: u16 = 401;
const FORBIDDEN: u16 = 403;
const NOT_FOUND: u16 = 404;
const CONFLICT: u16 = 409;

/// Who has written, as the API server keeps it for each field.
const MANAGER: &str = "incumbent";

/// Creates a ConfigMap, if there is none of its name.
pub(super) async fn create(cluster: &Cluster, map: &ConfigMap) -> Result<ConfigMap, FlinkError> {
    let created = quietly(cluster.maps.create(&params(), map)).await;
    created.map_err(|error| failed(cluster, "create", name(map), error))
}

/// Replaces a ConfigMap, if it is still as it was read.
pub(super) async fn replace(cluster: &Cluster, map: &ConfigMap) -> Result<ConfigMap, FlinkError> {
    let name = name(map);
    if map.metadata.resource_version.is_none() {
        return Err(FlinkError::Changed(name.to_owned()));
    }
    let replaced = quietly(cluster.maps.replace(name, &params(), map)).await;
    replaced.map_err(|error| failed(cluster, "update", name, error))
}

/// Deletes a ConfigMap, if it is still as it was read.
pub(super) async fn delete(cluster: &Cluster, map: &ConfigMap) -> Result<(), FlinkError> {
    let name = name(map);
    let preconditions = Preconditions {
        uid: map.metadata.uid.clone(),
        resource_version: map.metadata.resource_version.clone(),
    };
    if preconditions.resource_version.is_none() {
        return Err(FlinkError::Changed(name.to_owned()));
    }
    let params = DeleteParams {
        preconditions: Some(preconditions),
        ..DeleteParams::default()
    };
    let deleted = quietly(cluster.maps.delete(name, &params)).await;
    deleted
        .map(drop)
        .map_err(|error| failed(cluster, "delete", name, error))
}

fn params() -> PostParams {
    PostParams {
        field_manager: Some(MANAGER.into()),
        ..PostParams::default()
    }
}

fn name(map: &ConfigMap) -> &str {
    map.metadata.name.as_deref().unwrap_or_default()
}

fn failed(cluster: &Cluster, verb: &str, name: &str, error: Error) -> FlinkError {
    let what = format!(
        "{verb} of the ConfigMap {name} in the namespace {}",
        cluster.namespace()
    );
    match error {
        Error::Api(status) => {
            let words = status.message.clone().into();
            match status.code {
                NO_LOGIN | FORBIDDEN => FlinkError::Refused {
                    what,
                    source: words,
                },
                // A quota answers as a conflict does, with other words.
                CONFLICT if status.reason == "Conflict" || status.reason == "AlreadyExists" => {
                    FlinkError::Changed(name.to_owned())
                }
                NOT_FOUND if verb != "create" => FlinkError::Changed(name.to_owned()),
                400..500 => FlinkError::Rejected {
                    what,
                    source: words,
                },
                _ => FlinkError::Unknown {
                    what,
                    source: Some(words),
                },
            }
        }
        error => FlinkError::Unknown {
            what,
            source: Some(error.into()),
        },
    }
}
