//! The pod template: what people say of the pods, and what this program adds.
//!
//! ```text
//!   text ── parse.rs ──► a Pod, and no unknown fields
//!        ── check.rs ──► nothing that is this program's to say
//!        ── merge.rs ──► the pod of one TaskManager
//! ```

mod check;
mod merge;
mod parse;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;

use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use sha2::{Digest, Sha256};

/// The container that is the TaskManager.
pub(crate) const CONTAINER: &str = "task-manager";

/// Labels of our pods.
pub(crate) const CLUSTER_ID: &str = "incumbent/cluster-id";
pub(crate) const EPOCH: &str = "incumbent/epoch";

/// Annotations of our pods.
pub(crate) const SLOTS: &str = "incumbent/slots";
pub(crate) const TEMPLATE: &str = "incumbent/template";

/// Everything that is wrong with a template: one line each, which names the field.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Refusals(pub Vec<String>);

impl fmt::Display for Refusals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("; "))
    }
}

/// Resources for each slot, as quantities of Kubernetes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SlotResources {
    /// Processor time that is requested, such as `500m`. There is no limit: a throttled
    /// TaskManager reports late.
    pub cpu: Option<String>,
    /// Memory that is requested, and the limit, such as `1Gi`.
    pub memory: Option<String>,
}

/// What this program says of the pods, whatever the template is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PodSettings {
    /// What their names begin with.
    pub name: String,
    /// The image, if the template names none.
    pub image: Option<String>,
    /// Slots of each TaskManager.
    pub slots: u32,
    /// Resources for each slot.
    pub resources: SlotResources,
    /// Variables of the TaskManager, which a template may set otherwise.
    pub env: BTreeMap<String, String>,
    /// The port on which each TaskManager listens.
    pub port: u16,
}

/// A template that was checked, with the settings.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Template {
    pod: Pod,
    settings: PodSettings,
    /// Of all that the pods of a cluster have in common.
    digest: String,
}

/// What differs from pod to pod, or is known only in a term.
#[derive(Clone, Debug)]
pub(crate) struct Particulars<'a> {
    pub(crate) name: &'a str,
    pub(crate) namespace: &'a str,
    pub(crate) cluster: &'a str,
    pub(crate) epoch: u64,
    pub(crate) owner: Option<&'a OwnerReference>,
}

impl Template {
    /// Reads a template; an empty text is one that says nothing.
    ///
    /// # Errors
    ///
    /// [`Refusals`]: everything that is wrong with it.
    pub(crate) fn new(text: &str, settings: PodSettings) -> Result<Self, Refusals> {
        let parse::Parsed {
            pod,
            value,
            mut refusals,
        } = parse::parse(text)?;
        refusals.extend(check::check(&value, &settings));
        if !refusals.is_empty() {
            return Err(Refusals(refusals));
        }
        let mut template = Self {
            pod,
            settings,
            digest: String::new(),
        };
        let common = template.pod(&Particulars {
            name: "",
            namespace: "",
            cluster: "",
            epoch: 0,
            owner: None,
        });
        let json = serde_json::to_vec(&common).expect("a pod is JSON");
        let digest = Sha256::digest(json);
        template.digest = digest[..8]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        Ok(template)
    }

    pub(crate) fn digest(&self) -> &str {
        &self.digest
    }

    pub(crate) fn settings(&self) -> &PodSettings {
        &self.settings
    }

    /// The pod of one TaskManager.
    pub(crate) fn pod(&self, particulars: &Particulars<'_>) -> Pod {
        merge::merge(self, particulars)
    }
}
