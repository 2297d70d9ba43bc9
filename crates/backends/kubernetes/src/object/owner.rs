//! The object that owns ours, if the address names one: when it is deleted, the garbage collector
//! deletes ours.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;

use crate::object::resource::{
    CONFIG_MAPS, DEPLOYMENTS, JOBS, PODS, REPLICA_SETS, Resource, SERVICES, STATEFUL_SETS,
};

/// The kinds of owners, by their words in the address.
static KINDS: &[(&str, &Resource)] = &[
    ("deployment", &DEPLOYMENTS),
    ("statefulset", &STATEFUL_SETS),
    ("replicaset", &REPLICA_SETS),
    ("pod", &PODS),
    ("service", &SERVICES),
    ("configmap", &CONFIG_MAPS),
    ("job", &JOBS),
];

/// The object that owns ours. It is in the same namespace, as Kubernetes requires of owners.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) resource: &'static Resource,
    pub(crate) name: String,
}

impl Owner {
    /// Reads `deployment/demo`; the error says what is wrong.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let kinds = || {
            KINDS
                .iter()
                .map(|(word, _)| *word)
                .collect::<Vec<_>>()
                .join(", ")
        };
        let Some((kind, name)) = text.split_once('/') else {
            return Err(format!(
                "owner must be kind/name, such as deployment/demo, not {text:?}"
            ));
        };
        let found = KINDS
            .iter()
            .find(|(word, _)| kind.eq_ignore_ascii_case(word));
        let Some((_, resource)) = found else {
            return Err(format!(
                "the owner cannot be a {kind:?}; it must be one of {}",
                kinds()
            ));
        };
        let allowed =
            |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.');
        if name.is_empty() || name.len() > 253 || !name.chars().all(allowed) {
            return Err(format!("no {kind} can have the name {name:?}"));
        }
        Ok(Self {
            resource,
            name: name.to_owned(),
        })
    }

    /// The reference that our objects carry. The owner's deletion does not wait for them
    /// (`blockOwnerDeletion`): that would need a right to its finalizers.
    pub(crate) fn reference(&self, uid: String) -> OwnerReference {
        OwnerReference {
            api_version: self.resource.version.to_owned(),
            kind: self.resource.kind.to_owned(),
            name: self.name.clone(),
            uid,
            block_owner_deletion: None,
            controller: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owners_are_of_some_kinds() {
        let owner = Owner::parse("Deployment/demo").unwrap();
        assert_eq!(
            (owner.resource.plural, &*owner.name),
            ("deployments", "demo")
        );
        let reference = owner.reference("u".into());
        assert_eq!(
            (&*reference.api_version, &*reference.kind),
            ("apps/v1", "Deployment")
        );
        for bad in [
            "",
            "demo",
            "deployment/",
            "deployment/A",
            "deployment/a/b",
            "node/a",
            "secret/a",
        ] {
            assert!(Owner::parse(bad).is_err(), "{bad}");
        }
    }
}
