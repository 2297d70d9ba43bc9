//! From a kubeconfig, or a pod's service account, to a client.

use std::time::Duration;

use http::header::{HeaderValue, USER_AGENT};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config};

use futures::FutureExt;
use tracing::instrument::WithSubscriber;
use tracing::{Dispatch, Level};

use super::place::KubernetesPlace;
use crate::error::FlinkError;

/// In which a connection must be there, with TLS.
const CONNECT: Duration = Duration::from_secs(5);

/// Who asks, in the server's audit log.
const AGENT: &str = concat!("incumbent/", env!("CARGO_PKG_VERSION"));

/// What the client library's lines are logged as.
const CLIENT: &str = "kube_client";

/// A cluster's ConfigMaps, as they are reached. They are listed and watched, and nothing else.
#[derive(Clone)]
pub(crate) struct Cluster {
    pub(crate) maps: Api<ConfigMap>,
    /// `kubernetes.cluster-id`.
    pub(crate) id: String,
}

impl Cluster {
    pub(crate) fn connect(place: &KubernetesPlace) -> Result<Self, FlinkError> {
        if tokio::runtime::Handle::try_current().is_err() {
            return Err(FlinkError::NoRuntime);
        }
        let mut config = config(place)?;
        // Whoever asks here tries again by itself, and knows how long it may.
        config.default_retry = false;
        config.connect_timeout = Some(CONNECT);
        // Each call has its own limit. One for all of a connection would end watches.
        config.read_timeout = None;
        config.write_timeout = None;
        config
            .headers
            .push((USER_AGENT, HeaderValue::from_static(AGENT)));
        let namespace = place.namespace.clone();
        let namespace = namespace.unwrap_or_else(|| config.default_namespace.clone());
        let client = Client::try_from(config).map_err(unusable)?;
        Ok(Self {
            maps: Api::namespaced(client, &namespace),
            id: place.cluster.clone(),
        })
    }
}

fn config(place: &KubernetesPlace) -> Result<Config, FlinkError> {
    let options = KubeConfigOptions {
        context: place.context.clone(),
        ..KubeConfigOptions::default()
    };
    let read = async {
        match (&place.kubeconfig, &place.context) {
            (Some(path), _) => {
                let file = Kubeconfig::read_from(path).map_err(unusable)?;
                let config = Config::from_custom_kubeconfig(file, &options).await;
                config.map_err(unusable)
            }
            (None, Some(_)) => Config::from_kubeconfig(&options).await.map_err(unusable),
            (None, None) => Config::infer().await.map_err(unusable),
        }
    };
    // It reads files, and waits for nothing.
    let config = read.now_or_never();
    config.unwrap_or_else(|| unreachable!("a configuration is read without waiting"))
}

fn unusable(cause: impl std::error::Error + Send + Sync + 'static) -> FlinkError {
    FlinkError::Config(Box::new(cause))
}

/// Without the lines that the client library logs as errors, one for each failure: they are only
/// for whoever asks for details.
pub(super) async fn quietly<T>(call: impl Future<Output = T>) -> T {
    if tracing::enabled!(target: CLIENT, Level::DEBUG) {
        return call.await;
    }
    call.with_subscriber(Dispatch::none()).await
}
