//! A cluster's records in its namespace: reading, listing, and who owns them. All clones of a
//! backend share it.

use std::sync::Mutex;

use incumbent_backend::outage::Outage;
use incumbent_backend::{GroupName, Key, Listed, Stored, Unread};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;

use crate::api::list::Unlisted;
use crate::api::operation::Verb;
use crate::api::throttle::Lane;
use crate::api::{Api, Metadata, View};
use crate::error::KubernetesError;
use crate::object::content::{of_config_map, of_lease, resource_of};
use crate::object::names::Cluster;
use crate::object::owner::Owner;
use crate::object::resource::{CONFIG_MAPS, LEASES, Resource, RootKind};
use crate::object::version::ObjectVersion;

/// How often a list starts again after the server has dropped its history, of which it keeps five
/// minutes.
const MOST_LISTS: usize = 3;

/// A cluster's records.
pub(crate) struct Session {
    pub(crate) api: Api,
    pub(crate) cluster: Cluster,
    pub(crate) root: RootKind,
    pub(crate) owner: Option<Owner>,
    /// The owner's id, once it has been looked up.
    pub(crate) owner_uid: Mutex<Option<String>>,
    /// Missing rights to pods, with `pod=on`.
    pub(crate) pod_rights: Outage,
}

impl Session {
    pub(crate) async fn read(&self, key: &Key) -> Result<Option<Stored>, KubernetesError> {
        let resource = resource_of(key, self.root);
        let (name, lane) = (self.cluster.object_name(key), Lane::of(key));
        let found = if resource == &LEASES {
            let object: Option<Lease> = self.api.get(lane, resource, &name, View::Whole).await?;
            object.map(|object| of_lease(&self.cluster, key, object))
        } else {
            let object: Option<ConfigMap> =
                self.api.get(lane, resource, &name, View::Whole).await?;
            object.map(|object| of_config_map(&self.cluster, key, object))
        };
        let foreign = |why: String| {
            let why = format!("{why}; restore it, or delete it if nobody needs what it holds");
            let object = self
                .api
                .operation(Verb::Get, resource, Some(&name))
                .object();
            KubernetesError::Foreign { object, why }
        };
        found.transpose().map_err(foreign)
    }

    /// Refuses to create a root in a Lease beside one in a ConfigMap: two processes would lead,
    /// each by its own root. The opposite case is not checked: that would need rights to Leases,
    /// which are not needed otherwise.
    pub(crate) async fn refuse_second_root(&self, key: &Key) -> Result<(), KubernetesError> {
        if resource_of(key, self.root) != &LEASES {
            return Ok(());
        }
        let name = self.cluster.object_name(key);
        let other: Option<Metadata> = (self.api)
            .get(Lane::Lock, &CONFIG_MAPS, &name, View::Metadata)
            .await?;
        match other.and_then(|other| self.cluster.key_of(&other.metadata)) {
            None => Ok(()),
            Some(_) => Err(KubernetesError::Foreign {
                object: self.api.operation(Verb::Get, &CONFIG_MAPS, Some(&name)).object(),
                why: "it is the root of this group, and this process has root=lease: give all processes the same root=, \
                      and delete this object when no process uses it any more"
                    .into(),
            }),
        }
    }

    /// The kinds of objects that keep records.
    pub(crate) fn resources(&self) -> &'static [&'static Resource] {
        static BOTH: [&Resource; 2] = [&CONFIG_MAPS, &LEASES];
        match self.root {
            RootKind::ConfigMap => &BOTH[..1],
            RootKind::Lease => &BOTH,
        }
    }

    /// All keys of the cluster, or of one of its groups, in no particular order.
    pub(crate) async fn list(&self, group: Option<&GroupName>) -> Result<Vec<Listed>, Unread> {
        let selector = self.cluster.selector(group);
        let mut all = Vec::new();
        for resource in self.resources() {
            let objects = self.list_of(resource, &selector).await?;
            all.extend(
                objects
                    .iter()
                    .filter_map(|object| self.listed(resource, object)),
            );
        }
        // Labels may be shortened, and people may have changed them.
        all.retain(|listed| group.is_none_or(|group| listed.key.group() == group));
        Ok(all)
    }

    fn listed(&self, resource: &'static Resource, object: &Metadata) -> Option<Listed> {
        let key = self.cluster.key_of(&object.metadata)?;
        // A root of the other kind is not ours: `root=` says which kind this process uses.
        (resource_of(&key, self.root) == resource).then_some(())?;
        let version = ObjectVersion::of(&object.metadata)?.version();
        Some(Listed { key, version })
    }

    async fn list_of(
        &self,
        resource: &'static Resource,
        selector: &str,
    ) -> Result<Vec<Metadata>, KubernetesError> {
        for _ in 0..MOST_LISTS {
            if let Some(objects) = self.list_once(resource, selector).await? {
                return Ok(objects);
            }
        }
        let what = format!("{} in namespace {}", resource.plural, self.api.namespace);
        Err(KubernetesError::Unsteady { what })
    }

    /// All parts, of one moment; `None` if the server has dropped that moment's history meanwhile.
    async fn list_once(
        &self,
        resource: &'static Resource,
        selector: &str,
    ) -> Result<Option<Vec<Metadata>>, KubernetesError> {
        let mut objects = Vec::new();
        let mut after: Option<String> = None;
        loop {
            let part = match self.api.list(resource, selector, after.as_deref()).await {
                Ok(part) => part,
                Err(Unlisted::Expired) => return Ok(None),
                Err(Unlisted::Failed { error, .. }) => return Err(error),
            };
            objects.extend(part.items.unwrap_or_default());
            match part.metadata.continue_ {
                Some(next) if !next.is_empty() => after = Some(next),
                _ => return Ok(Some(objects)),
            }
        }
    }

    /// The reference to the owner that our objects carry. The owner's id is looked up for the first
    /// object and for each root that is created: an owner that was deleted and created again has
    /// another id, and the garbage collector deletes objects that name the old one.
    pub(crate) async fn owner(
        &self,
        new_root: bool,
    ) -> Result<Option<OwnerReference>, KubernetesError> {
        let Some(owner) = &self.owner else {
            return Ok(None);
        };
        let known = self
            .owner_uid
            .lock()
            .unwrap_or_else(|e| e.into_inner())
            .clone();
        let uid = match known.filter(|_| !new_root) {
            Some(uid) => uid,
            None => {
                let uid = self.look_up(owner).await?;
                *self.owner_uid.lock().unwrap_or_else(|e| e.into_inner()) = Some(uid.clone());
                uid
            }
        };
        Ok(Some(owner.reference(uid)))
    }

    async fn look_up(&self, owner: &Owner) -> Result<String, KubernetesError> {
        let Owner { resource, name } = owner;
        let found: Option<Metadata> = self
            .api
            .get(Lane::Lock, resource, name, View::Metadata)
            .await?;
        let uid = found.and_then(|owner| owner.metadata.uid);
        uid.ok_or_else(|| KubernetesError::Refused {
            what: format!(
                "find the owner {}/{name} in namespace {}",
                resource.plural, self.api.namespace
            ),
            why: "it does not exist: correct `owner` in the address".into(),
        })
    }
}
