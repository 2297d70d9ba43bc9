//! The object that owns ours, if the address names one: when it is deleted, the garbage collector
//! takes ours along.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;

use crate::object::resource::{
    CONFIG_MAPS, DEPLOYMENTS, JOBS, PODS, REPLICA_SETS, Resource, SERVICES, STATEFUL_SETS,
};

/// The kinds that can own, by the words of the address.
static KINDS: &[(&str, &Resource)] = &[
    ("deployment", &DEPLOYMENTS),
    ("statefulset", &STATEFUL_SETS),
    ("replicaset", &REPLICA_SETS),
    ("pod", &PODS),
    ("service", &SERVICES),
    ("configmap", &CONFIG_MAPS),
    ("job", &JOBS),
];

/// Which object is to own ours. It is in the same namespace; owners cannot be elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) resource: &'static Resource,
    pub(crate) name: String,
}

impl Owner {
    /// `deployment/demo`; otherwise why not.
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
                "owner is kind/name, as in deployment/demo, not {text:?}"
            ));
        };
        let found = KINDS
            .iter()
            .find(|(word, _)| kind.eq_ignore_ascii_case(word));
        let Some((_, resource)) = found else {
            return Err(format!("the owner is no {kind:?}, only one of {}", kinds()));
        };
        let allowed =
            |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.');
        if name.is_empty() || name.len() > 253 || !name.chars().all(allowed) {
            return Err(format!("no {kind} has the name {name:?}"));
        }
        Ok(Self {
            resource,
            name: name.to_owned(),
        })
    }

    /// What our objects say about it. The owner's deletion does not wait for them
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
