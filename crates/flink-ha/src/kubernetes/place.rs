//! What an address says.

use std::path::PathBuf;

use incumbent_backend::{Address, BadAddress};

/// Longest `kubernetes.cluster-id`, as Flink has it.
const LONGEST_CLUSTER: usize = 45;

#[derive(Clone)]
pub(crate) struct KubernetesPlace {
    /// `None` is the one of the context, or of the service account.
    pub(crate) namespace: Option<String>,
    /// `kubernetes.cluster-id`.
    pub(crate) cluster: String,
    /// Which context of the kubeconfig, if not its present one.
    pub(crate) context: Option<String>,
    pub(crate) kubeconfig: Option<PathBuf>,
}

impl KubernetesPlace {
    pub(crate) fn of(address: &Address) -> Result<Self, BadAddress> {
        let namespace = address.authority();
        if !namespace.is_empty() && !is_name(namespace) {
            let why = "what is between // and / is no namespace; write kubernetes://namespace/cluster-id, and name no server: \
                       that is in the kubeconfig";
            return Err(address.unusable(why));
        }
        let cluster = address.path().trim_matches('/');
        if !is_name(cluster) || cluster.len() > LONGEST_CLUSTER {
            let why = format!("{cluster:?} is no kubernetes.cluster-id");
            return Err(address.unusable(why));
        }
        let mut place = Self {
            namespace: (!namespace.is_empty()).then(|| namespace.to_owned()),
            cluster: cluster.to_owned(),
            context: None,
            kubeconfig: None,
        };
        for (name, value) in address.options() {
            match name {
                "context" | "kubeconfig" if value.is_empty() => {
                    return Err(address.unusable(format!("{name} is empty")));
                }
                "context" => place.context = Some(value.to_owned()),
                "kubeconfig" => place.kubeconfig = Some(value.into()),
                _ => {
                    let why = format!(
                        "a Flink in Kubernetes has no option {name:?}, only context and kubeconfig"
                    );
                    return Err(address.unusable(why));
                }
            }
        }
        Ok(place)
    }
}

/// Whether an object may be called so, or one whose name begins with it.
fn is_name(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let ends = |c: Option<char>| c.is_some_and(|c| c != '-');
    // Those of a namespace.
    const LONGEST: usize = 63;
    text.len() <= LONGEST
        && text.chars().all(allowed)
        && ends(text.chars().next())
        && ends(text.chars().last())
}

#[cfg(test)]
#[path = "place_tests.rs"]
mod tests;
