//! From a kubeconfig, or a pod's service account, to a client.

use std::time::Duration;

use futures::FutureExt;
use http::header::{HeaderValue, USER_AGENT};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};

use crate::error::KubernetesError;
use crate::settings::Settings;

/// In which a connection must be there, with TLS: shorter than a call, so that a server that is
/// silent is told from one that was asked.
const CONNECT: Duration = Duration::from_secs(3);

/// Who asks, in the server's audit log.
const AGENT: &str = concat!("incumbent/", env!("CARGO_PKG_VERSION"));

/// What a configuration leads to.
pub(crate) struct Connected {
    pub(crate) client: Client,
    /// Its URL, to be told about.
    pub(crate) server: String,
    /// That the configuration names.
    pub(crate) namespace: String,
}

/// A client, as it is configured.
pub(crate) fn connect(settings: &Settings) -> Result<Connected, KubernetesError> {
    if tokio::runtime::Handle::try_current().is_err() {
        return Err(KubernetesError::NoRuntime);
    }
    let mut config = config(settings)?;
    // An outcome that is not known must not be hidden by a second request.
    config.default_retry = false;
    config.connect_timeout = Some(CONNECT);
    // Each call has its own limit. One for all of a connection would end watches, and connections
    // that rest.
    config.read_timeout = None;
    config.write_timeout = None;
    config
        .headers
        .push((USER_AGENT, HeaderValue::from_static(AGENT)));
    let (server, namespace) = (
        config.cluster_url.to_string(),
        config.default_namespace.clone(),
    );
    let client = Client::try_from(config).map_err(|cause| KubernetesError::Config(cause.into()))?;
    Ok(Connected {
        client,
        server,
        namespace,
    })
}

fn config(settings: &Settings) -> Result<Config, KubernetesError> {
    let options = KubeConfigOptions {
        context: settings.context.clone(),
        ..KubeConfigOptions::default()
    };
    let read = async {
        let config = match (&settings.kubeconfig, &settings.context) {
            (Some(path), _) => {
                let file = Kubeconfig::read_from(path).map_err(refused)?;
                Config::from_custom_kubeconfig(file, &options)
                    .await
                    .map_err(refused)?
            }
            (None, Some(_)) => Config::from_kubeconfig(&options).await.map_err(refused)?,
            (None, None) => Config::infer().await.map_err(refused)?,
        };
        Ok(config)
    };
    // It reads files, and waits for nothing.
    let config = read.now_or_never();
    config.unwrap_or_else(|| unreachable!("a configuration is read without waiting"))
}

fn refused(cause: impl std::error::Error + Send + Sync + 'static) -> KubernetesError {
    KubernetesError::Config(Box::new(cause))
}
