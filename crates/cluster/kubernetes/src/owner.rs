//! The owner of the pods: they go with it.

use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet, StatefulSet};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube::{Api, Client, Resource};

use crate::calls::{CallError, get};

/// Which object shall own the pods.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum OwnerWanted {
    /// What keeps the pod of this process: usually a Deployment. Nobody, if this is no pod.
    #[default]
    Own,
    /// This Deployment.
    Deployment(String),
    /// This StatefulSet.
    StatefulSet(String),
    /// Nobody: the pods stay until they are released or deleted.
    Nobody,
}

/// The text names no owner.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an owner is own, none, deployment/NAME or statefulset/NAME, not {0:?}")]
pub struct BadOwner(String);

impl std::str::FromStr for OwnerWanted {
    type Err = BadOwner;

    fn from_str(text: &str) -> Result<Self, BadOwner> {
        let bad = || BadOwner(text.to_owned());
        let named = |name: &str| {
            let is_name =
                |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-.".contains(c);
            let is_good = !name.is_empty() && name.len() <= 253 && name.chars().all(is_name);
            is_good.then(|| name.to_owned()).ok_or_else(bad)
        };
        match text.split_once('/') {
            None if text == "own" => Ok(Self::Own),
            None if text == "none" => Ok(Self::Nobody),
            Some(("deployment", name)) => Ok(Self::Deployment(named(name)?)),
            Some(("statefulset", name)) => Ok(Self::StatefulSet(named(name)?)),
            _ => Err(bad()),
        }
    }
}

/// The reference that the pods carry; `None` if nobody owns them.
///
/// # Errors
///
/// [`CallError`]: the API did not say, or there is no such owner.
pub(crate) async fn find(
    client: &Client,
    namespace: &str,
    wanted: &OwnerWanted,
    own_pod: Option<&Pod>,
) -> Result<Option<OwnerReference>, CallError> {
    match wanted {
        OwnerWanted::Nobody => Ok(None),
        OwnerWanted::Deployment(name) => {
            let api: Api<Deployment> = Api::namespaced(client.clone(), namespace);
            let found = get(&api, name).await?;
            let found = found.ok_or_else(|| CallError::absent("deployments", name, namespace))?;
            Ok(reference::<Deployment>(&found.metadata))
        }
        OwnerWanted::StatefulSet(name) => {
            let api: Api<StatefulSet> = Api::namespaced(client.clone(), namespace);
            let found = get(&api, name).await?;
            let found = found.ok_or_else(|| CallError::absent("statefulsets", name, namespace))?;
            Ok(reference::<StatefulSet>(&found.metadata))
        }
        OwnerWanted::Own => match own_pod.and_then(|pod| controller(&pod.metadata)) {
            Some(set) if set.kind == "ReplicaSet" => {
                let api: Api<ReplicaSet> = Api::namespaced(client.clone(), namespace);
                let found = get(&api, &set.name).await?;
                // Of a ReplicaSet that nothing keeps, it is the owner itself.
                let above = found.as_ref().and_then(|found| controller(&found.metadata));
                Ok(Some(plain(above.unwrap_or(set))))
            }
            other => Ok(other.map(plain)),
        },
    }
}

fn controller(metadata: &ObjectMeta) -> Option<OwnerReference> {
    let mut owners = metadata.owner_references.iter().flatten();
    owners.find(|owner| owner.controller == Some(true)).cloned()
}

/// Our pods are owned and not kept: their owner would count them as its own otherwise. Its deletion
/// does not wait for them, which would need a right to its finalizers.
fn plain(owner: OwnerReference) -> OwnerReference {
    OwnerReference {
        controller: None,
        block_owner_deletion: None,
        ..owner
    }
}

fn reference<K: Resource<DynamicType = ()>>(metadata: &ObjectMeta) -> Option<OwnerReference> {
    Some(OwnerReference {
        api_version: K::api_version(&()).into_owned(),
        kind: K::kind(&()).into_owned(),
        name: metadata.name.clone()?,
        uid: metadata.uid.clone()?,
        controller: None,
        block_owner_deletion: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owners_are_of_some_kinds() {
        for (text, owner) in [
            ("own", OwnerWanted::Own),
            ("none", OwnerWanted::Nobody),
            ("deployment/demo", OwnerWanted::Deployment("demo".into())),
            ("statefulset/demo", OwnerWanted::StatefulSet("demo".into())),
        ] {
            assert_eq!(text.parse(), Ok(owner));
        }
        for bad in [
            "",
            "deployment",
            "deployment/",
            "deployment/A",
            "node/a",
            "deployment/a/b",
        ] {
            assert!(bad.parse::<OwnerWanted>().is_err(), "{bad}");
        }
    }
}
