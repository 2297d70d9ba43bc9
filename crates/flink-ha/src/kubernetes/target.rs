//! What an address of ConfigMaps says.

use std::path::PathBuf;

use incumbent_backend::{Address, BadAddress};

/// Longest `kubernetes.cluster-id` that Flink accepts.
const LONGEST_CLUSTER: usize = 45;

/// Longest name of a namespace.
const LONGEST_NAME: usize = 63;

#[derive(Clone, PartialEq, Eq)]
pub(crate) struct KubernetesTarget {
    /// `None` is the namespace of the context, or of the service account.
    pub(crate) namespace: Option<String>,
    /// `kubernetes.cluster-id`. `None` if the address names only a namespace.
    pub(crate) cluster: Option<String>,
    /// The context of the kubeconfig, if not its current one.
    pub(crate) context: Option<String>,
    pub(crate) kubeconfig: Option<PathBuf>,
}

impl KubernetesTarget {
    pub(crate) fn of(address: &Address) -> Result<Self, BadAddress> {
        let namespace = address.authority();
        if !namespace.is_empty() && !is_name(namespace) {
            let why = "between // and / there must be a namespace; write \
                       kubernetes://namespace/cluster-id, without the server, which the kubeconfig \
                       names";
            return Err(address.unusable(why));
        }
        let cluster = address.path().trim_matches('/');
        if !cluster.is_empty() && (!is_name(cluster) || cluster.len() > LONGEST_CLUSTER) {
            let why = format!("{cluster:?} is not a kubernetes.cluster-id");
            return Err(address.unusable(why));
        }
        let mut target = Self {
            namespace: (!namespace.is_empty()).then(|| namespace.to_owned()),
            cluster: (!cluster.is_empty()).then(|| cluster.to_owned()),
            context: None,
            kubeconfig: None,
        };
        for (name, value) in address.options() {
            match name {
                "context" | "kubeconfig" if value.is_empty() => {
                    return Err(address.unusable(format!("{name} is empty")));
                }
                "context" => target.context = Some(value.to_owned()),
                "kubeconfig" => target.kubeconfig = Some(value.into()),
                _ => {
                    let why = format!(
                        "there is no option {name:?} for a Flink in Kubernetes; there are context \
                         and kubeconfig"
                    );
                    return Err(address.unusable(why));
                }
            }
        }
        Ok(target)
    }
}

/// Whether an object may have this name, or a name that begins with it.
fn is_name(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let ends = |c: Option<char>| c.is_some_and(|c| c != '-');
    text.len() <= LONGEST_NAME
        && text.chars().all(allowed)
        && ends(text.chars().next())
        && ends(text.chars().last())
}

#[cfg(test)]
#[path = "target_tests.rs"]
mod tests;
