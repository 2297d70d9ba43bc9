//! The ConfigMaps of a namespace, as they are reached.

use incumbent_backend_kubernetes::{Access, Connection, KubernetesError};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;

use super::target::KubernetesTarget;
use crate::error::FlinkError;

/// A cluster's ConfigMaps. They are listed and watched, and nothing else.
#[derive(Clone)]
pub(crate) struct Cluster {
    pub(crate) maps: Api<ConfigMap>,
    /// `kubernetes.cluster-id`; empty if only the namespace is read.
    pub(crate) id: String,
}

impl Cluster {
    pub(crate) fn connect(target: &KubernetesTarget) -> Result<Self, FlinkError> {
        let access = Access {
            kubeconfig: target.kubeconfig.clone(),
            context: target.context.clone(),
        };
        let connection = Connection::open(&access).map_err(|error| match error {
            KubernetesError::NoRuntime => FlinkError::NoRuntime,
            error => FlinkError::Config(error.into()),
        })?;
        let namespace = target.namespace.as_deref();
        let namespace = namespace.unwrap_or_else(|| connection.namespace());
        Ok(Self {
            maps: Api::namespaced(connection.client().clone(), namespace),
            id: target.cluster.clone().unwrap_or_default(),
        })
    }

    pub(crate) fn namespace(&self) -> &str {
        self.maps.namespace().unwrap_or("default")
    }
}
