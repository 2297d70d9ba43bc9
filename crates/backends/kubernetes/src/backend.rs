//! The contract of a backend, on Kubernetes.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use futures::future::BoxFuture;
use incumbent_backend::outage::Outage;
use incumbent_backend::{
    Address, Backend, Erased, Expected, Failure, Gone, GroupName, Key, Limits, Listed, Nonce,
    Presence, Reach, Rights, Stored, Swapped, Unread, Version, WatchStream,
};

use crate::access::{Access, Connection};
use crate::api::Api;
use crate::api::health::Health;
use crate::api::throttle::{Lane, Throttle};
use crate::api::write::Written;
use crate::error::KubernetesError;
use crate::follow::pod::{self, Here, Pod};
use crate::follow::watch::Watches;
use crate::object::content::{Along, Content, LARGEST_BODY, largest_body, resource_of};
use crate::object::version::ObjectVersion;
use crate::rights;
use crate::session::Session;
use crate::settings::Settings;

/// Each write is a revision that the whole Kubernetes cluster keeps for a while, and an event for
/// each watch; a hundred writers at this pace make ten writes a second.
const REGULAR_INTERVAL: Duration = Duration::from_secs(10);

/// Records in ConfigMaps. Clones share connections, limits and the watch.
///
/// Call it inside the Tokio runtime in which it was opened, with timers enabled.
#[derive(Clone)]
pub struct KubernetesBackend {
    session: Arc<Session>,
    watches: Arc<Watches>,
    /// `Some` with `pod=on`.
    pod_proof: Option<PodProof>,
}

/// The leaders' pods are watched.
#[derive(Clone)]
struct PodProof {
    /// This process in its own pod, if that is known.
    here: Option<Arc<Here>>,
}

impl KubernetesBackend {
    /// Opens `kubernetes://namespace/cluster`.
    ///
    /// It reads the configuration and asks no server: a server may start later. Without a
    /// namespace, as in `kubernetes:///cluster`, it is the namespace of the kubeconfig's context,
    /// or of the pod. The configuration is the files that `KUBECONFIG` lists, or `~/.kube/config`;
    /// if there is none, the service account of the pod.
    ///
    /// | option | means |
    /// |---|---|
    /// | `context` | Which context of the kubeconfig; without it, the current one. |
    /// | `kubeconfig` | Path of the kubeconfig. |
    /// | `root` | `configmap`, the default: the root of each group is a ConfigMap. `lease`: it is a Lease. All processes of a cluster must have the same. |
    /// | `owner` | Such as `deployment/demo`: the object that owns all objects that are written, which are deleted with it. Without it, nothing deletes them. A `deployment`, `statefulset`, `replicaset`, `pod`, `service`, `configmap` or `job` of the same namespace. |
    /// | `pod` | `on`: a standby takes over when the kubelet reports that the leader's container has ended; see [`Pod`]. `off` is the default. |
    /// | `qps`, `burst` | Most requests in a second, and at once; the defaults are 200 and 400. Roots and floors are not counted: no lease waits for records. |
    ///
    /// Must be called inside a Tokio runtime. If the kubeconfig names a credential plugin, it is
    /// looked up now and run for the first request.
    ///
    /// # Errors
    ///
    /// - [`KubernetesError::Address`]: another scheme, a name that no namespace or cluster can
    ///   have, an unknown option.
    /// - [`KubernetesError::Config`]: no configuration, or one that cannot be used.
    /// - [`KubernetesError::NoRuntime`]: not inside a Tokio runtime.
    pub fn open(address: &Address) -> Result<Self, KubernetesError> {
        Self::open_in(address, Pod::from_env())
    }

    /// As [`open`](Self::open), with this pod instead of the one that the environment names. It
    /// matters only with `pod=on`.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub fn open_in(address: &Address, pod: Option<Pod>) -> Result<Self, KubernetesError> {
        let settings = Settings::of(address)?;
        let connection = Connection::open(&Access {
            kubeconfig: settings.kubeconfig.clone(),
            context: settings.context.clone(),
        })?;
        let namespace = settings.namespace.clone();
        let namespace = namespace.unwrap_or_else(|| connection.namespace().to_owned());
        let session = Session {
            api: Api {
                connection,
                namespace,
                throttle: Throttle::new(settings.rate, settings.burst),
                health: Health::default(),
            },
            cluster: settings.cluster,
            root: settings.root,
            owner: settings.owner,
            owner_uid: Mutex::default(),
            pod_rights: Outage::new(),
        };
        Ok(Self {
            session: Arc::new(session),
            watches: Watches::new(),
            pod_proof: settings.pod.then(|| PodProof { here: here(pod) }),
        })
    }

    async fn content(
        &self,
        key: &Key,
        expected: Expected<'_>,
        body: &[u8],
    ) -> Result<Content, KubernetesError> {
        let new_root = key.is_root() && expected == Expected::Absent;
        if new_root {
            self.session.refuse_second_root(key).await?;
        }
        let here = self.pod_proof.as_ref().and_then(|pod| pod.here.as_ref());
        let along = Along {
            owner: self.session.owner(new_root).await?,
            pod: here.and_then(|here| here.note(key, body)),
            write: rand::random(),
        };
        let Session { cluster, root, .. } = &*self.session;
        Ok(Content::new(cluster, key, *root, body, along))
    }
}

/// This process in its pod, where it leaves its mark.
fn here(pod: Option<Pod>) -> Option<Arc<Here>> {
    let Some(pod) = pod else {
        tracing::warn!(
            "pod=on, but the environment has neither POD_NAME nor HOSTNAME: standbys cannot see the end of this container, and wait for the lease"
        );
        return None;
    };
    let path = pod.termination_log.clone();
    match Here::mark(pod) {
        Ok(here) => Some(here),
        Err(error) => {
            let path = path.display();
            tracing::warn!(%error, %path, "pod=on, but the container's termination log cannot be written: standbys cannot see the end of this container, and wait for the lease");
            None
        }
    }
}

#[async_trait]
impl Backend for KubernetesBackend {
    fn limits(&self) -> Limits {
        Limits {
            largest_body: LARGEST_BODY,
            shortest_interval: Duration::ZERO,
            regular_interval: REGULAR_INTERVAL,
            reach: Reach::Network,
        }
    }

    async fn read(&self, key: &Key) -> Result<Option<Stored>, Unread> {
        Ok(self.session.read(key).await?)
    }

    async fn swap(
        &self,
        key: &Key,
        expected: Expected<'_>,
        body: &[u8],
    ) -> Result<Swapped, Failure> {
        let limit = largest_body(key, self.session.root);
        Limits {
            largest_body: limit,
            ..self.limits()
        }
        .check(body)?;
        let at = match expected {
            Expected::Absent => None,
            Expected::At(version) => match ObjectVersion::of_version(version) {
                Some(at) => Some(at),
                // No object ever had this version.
                None => return Ok(Swapped::Conflict),
            },
        };
        let content = self.content(key, expected, body).await;
        let content = content.map_err(|error| Failure::NotApplied(Box::new(error)))?;
        let (api, lane) = (&self.session.api, Lane::of(key));
        let written = match at {
            None => api.create(lane, content).await?,
            Some(at) => api.replace(lane, &at, content).await?,
        };
        Ok(match written {
            Written::Done(version) => Swapped::Committed(version.version()),
            Written::Conflict => Swapped::Conflict,
        })
    }

    async fn erase(&self, key: &Key, version: &Version) -> Result<Erased, Failure> {
        let Some(at) = ObjectVersion::of_version(version) else {
            return Ok(Erased::Conflict);
        };
        let Session {
            api, cluster, root, ..
        } = &*self.session;
        let (resource, name) = (resource_of(key, *root), cluster.object_name(key));
        Ok(
            match api.delete(Lane::of(key), resource, &name, &at).await? {
                Written::Done(()) => Erased::Gone,
                Written::Conflict => Erased::Conflict,
            },
        )
    }

    async fn check_rights(&self, group: &GroupName) -> Result<Rights, Unread> {
        rights::check(&self.session, group, self.pod_proof.is_some()).await
    }

    async fn groups(&self) -> Result<Vec<GroupName>, Unread> {
        let listed = self.session.list(None).await?;
        let groups: BTreeSet<GroupName> = listed
            .into_iter()
            .map(|listed| listed.key.group().clone())
            .collect();
        Ok(groups.into_iter().collect())
    }

    async fn list(&self, group: &GroupName) -> Result<Vec<Listed>, Unread> {
        let mut listed = self.session.list(Some(group)).await?;
        listed.sort_by(|a, b| a.key.item().cmp(b.key.item()));
        Ok(listed)
    }

    fn watch(&self, group: &GroupName) -> WatchStream {
        self.watches.hints(&self.session, group)
    }

    fn appear(&self, group: &GroupName, nonce: Nonce) -> Option<Presence> {
        let here = self.pod_proof.as_ref()?.here.as_ref()?;
        Some(Here::appear(here, group, nonce))
    }

    fn vanished(&self, group: &GroupName, nonce: Nonce) -> BoxFuture<'static, Gone> {
        if self.pod_proof.is_none() {
            return Box::pin(std::future::pending());
        }
        let (session, watches) = (Arc::clone(&self.session), Arc::clone(&self.watches));
        Box::pin(pod::vanished(session, watches, group.clone(), nonce))
    }
}

impl fmt::Debug for KubernetesBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Session { api, cluster, .. } = &*self.session;
        write!(
            f,
            "KubernetesBackend({}/{})",
            api.namespace,
            cluster.as_str()
        )
    }
}
