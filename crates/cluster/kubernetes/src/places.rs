//! [`KubernetesPods`]: makes TaskManagers as pods; and what is found out before it may.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use incumbent_backend_kubernetes::{Access, Connection, KubernetesError};
use incumbent_cluster_core::pods::{BadPodsName, PodsConfig, check_name};
use incumbent_cluster_node::{MakeTaskManagers, SupplyTerm};
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::{Api, Client};

use crate::calls::{CallError, get};
use crate::owner::{self, OwnerWanted};
use crate::run;
use crate::template::{CONTAINER, PodSettings, Refusals, Template};

/// Pause before an API server that did not answer at the start is asked again.
const PAUSE: Duration = Duration::from_secs(1);

/// Where the pod template is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum TemplateSource {
    /// There is none: a pod has the TaskManager and nothing else.
    #[default]
    None,
    /// A file.
    File(PathBuf),
    /// A key of a ConfigMap in the namespace of the pods; if none is named, its only key.
    ConfigMap {
        /// Its name.
        name: String,
        /// The key.
        key: Option<String>,
    },
}

/// How TaskManagers are made.
#[derive(Clone, Debug)]
pub struct PodsOptions {
    /// How the API is reached.
    pub access: Access,
    /// Where the pods are; if none is named, in the namespace of the configuration.
    pub namespace: Option<String>,
    /// The name of the pod that this process is in, if it is in one.
    pub own_pod: Option<String>,
    /// The owner of the pods.
    pub owner: OwnerWanted,
    /// The template.
    pub template: TemplateSource,
    /// What this program says of the pods.
    pub settings: PodSettings,
    /// Most pods at a time.
    pub most: u32,
    /// How long a TaskManager may have nothing to do.
    pub idle_release: Duration,
}

/// Why no TaskManagers can be made. A person corrects it.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The API is not configured.
    #[error("Kubernetes cannot be reached as it is configured")]
    Access(#[from] KubernetesError),
    /// The name cannot begin names of pods.
    #[error(transparent)]
    Name(#[from] BadPodsName),
    /// The template cannot be read.
    #[error("cannot read the pod template {place}: {why}")]
    Unread {
        /// Where it is.
        place: String,
        /// Why.
        why: String,
    },
    /// The template cannot be used.
    #[error("the pod template {place} cannot be used: {why}")]
    Template {
        /// Where it is.
        place: String,
        /// Everything that is wrong with it.
        why: Refusals,
    },
    /// The owner of the pods cannot be found.
    #[error("cannot find who is to own the pods: {0}")]
    Owner(String),
}

/// Makes TaskManagers as pods, while this process leads.
pub struct KubernetesPods {
    pub(crate) client: Client,
    pub(crate) namespace: String,
    pub(crate) template: Arc<Template>,
    pub(crate) owner: Option<OwnerReference>,
    pub(crate) config: PodsConfig,
}

impl KubernetesPods {
    /// Reads the template and finds the owner. Waits for an API server that does not answer, and
    /// logs that it does.
    ///
    /// Must be called inside a Tokio runtime.
    ///
    /// # Errors
    ///
    /// [`OpenError`].
    ///
    /// # Cancel safety
    ///
    /// Safe.
    pub async fn open(options: PodsOptions) -> Result<Self, OpenError> {
        check_name(&options.settings.name)?;
        let connection = Connection::open(&options.access)?;
        let client = connection.client().clone();
        let namespace = options.namespace.as_deref();
        let namespace = namespace
            .unwrap_or_else(|| connection.namespace())
            .to_owned();
        let own_pod = own_pod(&client, &namespace, options.own_pod.as_deref()).await?;
        let mut settings = options.settings;
        if settings.image.is_none() {
            settings.image = own_pod.as_ref().and_then(own_image);
        }
        let place = options.template.to_string();
        let text = options.template.read(&client, &namespace).await?;
        let template =
            Template::new(&text, settings).map_err(|why| OpenError::Template { place, why })?;
        let owner = answered("the owner of the pods", async || {
            owner::find(&client, &namespace, &options.owner, own_pod.as_ref()).await
        });
        let owner = owner.await.map_err(OpenError::Owner)?;
        match &owner {
            Some(owner) => tracing::info!(
                namespace,
                "TaskManagers are pods of {} {}, and go with it",
                owner.kind,
                owner.name
            ),
            None => tracing::warn!(
                namespace,
                "nobody owns the pods of TaskManagers: they stay when the JobManagers are deleted"
            ),
        }
        Ok(Self {
            config: PodsConfig {
                name: template.settings().name.clone(),
                slots: template.settings().slots,
                most: options.most,
                idle_release: options.idle_release,
                template: template.digest().to_owned(),
            },
            client,
            namespace,
            template: Arc::new(template),
            owner,
        })
    }
}

impl MakeTaskManagers for KubernetesPods {
    fn make(&self, term: SupplyTerm) -> BoxFuture<'_, ()> {
        Box::pin(run::run(self, term))
    }
}

impl std::fmt::Display for TemplateSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::None => f.write_str("(there is none)"),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::ConfigMap { name, key: None } => write!(f, "configmap/{name}"),
            Self::ConfigMap {
                name,
                key: Some(key),
            } => write!(f, "configmap/{name}/{key}"),
        }
    }
}

impl std::str::FromStr for TemplateSource {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Some(named) = text.strip_prefix("configmap/") else {
            return match text {
                "" => Err("write FILE, or configmap/NAME".to_owned()),
                path => Ok(Self::File(path.into())),
            };
        };
        let (name, key) = match named.split_once('/') {
            Some((name, key)) => (name, Some(key.to_owned())),
            None => (named, None),
        };
        if name.is_empty() || key.as_ref().is_some_and(String::is_empty) {
            return Err("write configmap/NAME or configmap/NAME/KEY".to_owned());
        }
        let name = name.to_owned();
        Ok(Self::ConfigMap { name, key })
    }
}

impl TemplateSource {
    async fn read(&self, client: &Client, namespace: &str) -> Result<String, OpenError> {
        let unread = |why: String| OpenError::Unread {
            place: self.to_string(),
            why,
        };
        match self {
            Self::None => Ok(String::new()),
            Self::File(path) => {
                std::fs::read_to_string(path).map_err(|error| unread(error.to_string()))
            }
            Self::ConfigMap { name, key } => {
                let maps: Api<ConfigMap> = Api::namespaced(client.clone(), namespace);
                let found = answered("the pod template", async || get(&maps, name).await);
                let found = found.await.map_err(unread)?;
                let map = found.ok_or_else(|| {
                    unread(format!(
                        "there is no such ConfigMap in namespace {namespace}"
                    ))
                })?;
                of_map(map, key.as_deref()).map_err(unread)
            }
        }
    }
}

fn of_map(map: ConfigMap, key: Option<&str>) -> Result<String, String> {
    let mut data = map.data.unwrap_or_default();
    let keys = data.keys().cloned().collect::<Vec<_>>().join(", ");
    match key {
        Some(key) => data
            .remove(key)
            .ok_or(format!("it has no key {key:?}, only {keys}")),
        None if data.len() == 1 => Ok(data.into_values().next().unwrap_or_default()),
        None if data.is_empty() => Err("it is empty".to_owned()),
        None => Err(format!("it has several keys; name one of {keys}")),
    }
}

/// The pod that this process is in. One that cannot be read is not needed, unless it is to own
/// pods or to name their image: then that says so.
async fn own_pod(
    client: &Client,
    namespace: &str,
    name: Option<&str>,
) -> Result<Option<Pod>, OpenError> {
    let Some(name) = name else {
        return Ok(None);
    };
    let pods: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let found = answered("the pod of this JobManager", async || {
        get(&pods, name).await
    });
    match found.await {
        Ok(found) => Ok(found),
        Err(why) => {
            tracing::warn!(
                pod = name,
                why,
                "cannot read the pod of this JobManager, so neither its owner nor its image is known"
            );
            Ok(None)
        }
    }
}

/// The image of the container that this process is in: of the only one, or of the one whose name
/// says so.
fn own_image(pod: &Pod) -> Option<String> {
    let containers = &pod.spec.as_ref()?.containers;
    let named = |name: &str| containers.iter().find(|one| one.name == name);
    let own = match containers.as_slice() {
        [only] => Some(only),
        _ => named("job-manager").or_else(|| named(CONTAINER)),
    };
    own?.image.clone()
}

/// Asks until there is an answer; an error is one that a person must mend.
async fn answered<T>(
    what: &str,
    mut ask: impl AsyncFnMut() -> Result<T, CallError>,
) -> Result<T, String> {
    let mut is_told = false;
    loop {
        match ask().await {
            Ok(found) => return Ok(found),
            Err(CallError::Refused(why)) => return Err(why),
            Err(CallError::Failed(why)) => {
                if !std::mem::replace(&mut is_told, true) {
                    tracing::warn!(
                        why,
                        "the API server does not say {what}; asking again every second"
                    );
                }
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_is_a_file_or_a_config_map() {
        let parsed = |text: &str| text.parse::<TemplateSource>();
        assert_eq!(
            parsed("a/b.yaml"),
            Ok(TemplateSource::File("a/b.yaml".into()))
        );
        let map = |name: &str, key: Option<&str>| TemplateSource::ConfigMap {
            name: name.into(),
            key: key.map(str::to_owned),
        };
        assert_eq!(parsed("configmap/a"), Ok(map("a", None)));
        assert_eq!(parsed("configmap/a/b.yaml"), Ok(map("a", Some("b.yaml"))));
        for bad in ["", "configmap/", "configmap//b", "configmap/a/"] {
            assert!(parsed(bad).is_err(), "{bad}");
        }
    }
}
