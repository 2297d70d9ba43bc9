//! What a `kubernetes:` address says.

use std::num::NonZeroU32;
use std::path::PathBuf;

use incumbent_backend::{Address, BadAddress};

use crate::access::is_namespace;
use crate::object::names::Cluster;
use crate::object::owner::Owner;
use crate::object::resource::RootKind;

/// Requests in a second, without those for roots and floors: far more than records usually change,
/// and far less than would disturb an API server's other clients. The server itself refuses (429)
/// what is too much for it.
const USUAL_RATE: NonZeroU32 = NonZeroU32::new(200).unwrap();

/// Requests at once, after a quiet time: a takeover of a few hundred records is not slowed down.
const USUAL_BURST: NonZeroU32 = NonZeroU32::new(400).unwrap();

/// Highest sensible value of either.
const HIGHEST_RATE: u32 = 100_000;

/// The options, for messages.
const OPTIONS: &str = "context, kubeconfig, root, owner, pod, qps and burst";

#[derive(Debug)]
pub(crate) struct Settings {
    /// Where the objects are. `None`: the namespace of the context, or of the service account.
    pub(crate) namespace: Option<String>,
    pub(crate) cluster: Cluster,
    /// Which context of the kubeconfig. `None`: the current one.
    pub(crate) context: Option<String>,
    pub(crate) kubeconfig: Option<PathBuf>,
    pub(crate) root: RootKind,
    pub(crate) owner: Option<Owner>,
    /// Whether leaders publish in which pod they run, and standbys watch it.
    pub(crate) pod: bool,
    pub(crate) rate: NonZeroU32,
    pub(crate) burst: NonZeroU32,
}

impl Settings {
    pub(crate) fn of(address: &Address) -> Result<Self, BadAddress> {
        if address.scheme() != "kubernetes" {
            return Err(address.unusable("its scheme is not kubernetes"));
        }
        let id = address.path().trim_matches('/');
        let mut settings = Self {
            namespace: namespace_of(address)?,
            cluster: Cluster::new(id).map_err(|why| address.unusable(why))?,
            context: None,
            kubeconfig: None,
            root: RootKind::ConfigMap,
            owner: None,
            pod: false,
            rate: USUAL_RATE,
            burst: USUAL_BURST,
        };
        for (name, value) in address.options() {
            match name {
                "context" => settings.context = Some(text_of(address, name, value)?),
                "kubeconfig" => settings.kubeconfig = Some(text_of(address, name, value)?.into()),
                "root" => settings.root = root_of(address, value)?,
                "owner" => {
                    let owner = Owner::parse(value).map_err(|why| address.unusable(why))?;
                    settings.owner = Some(owner);
                }
                "pod" => settings.pod = pod_of(address, value)?,
                "qps" => settings.rate = number_of(address, name, value)?,
                "burst" => settings.burst = number_of(address, name, value)?,
                _ => {
                    let why = format!("kubernetes has no option {name:?}, only {OPTIONS}");
                    return Err(address.unusable(why));
                }
            }
        }
        Ok(settings)
    }
}

fn namespace_of(address: &Address) -> Result<Option<String>, BadAddress> {
    let namespace = address.authority();
    if namespace.is_empty() {
        return Ok(None);
    }
    if !is_namespace(namespace) {
        return Err(address.unusable(
            "the part between // and / is no namespace; write kubernetes://namespace/cluster, without a server: the \
             kubeconfig names it",
        ));
    }
    Ok(Some(namespace.to_owned()))
}

fn text_of(address: &Address, name: &str, value: &str) -> Result<String, BadAddress> {
    if value.is_empty() {
        return Err(address.unusable(format!("{name} is empty")));
    }
    Ok(value.to_owned())
}

fn root_of(address: &Address, value: &str) -> Result<RootKind, BadAddress> {
    match value {
        "configmap" => Ok(RootKind::ConfigMap),
        "lease" => Ok(RootKind::Lease),
        _ => Err(address.unusable(format!("root must be configmap or lease, not {value:?}"))),
    }
}

fn pod_of(address: &Address, value: &str) -> Result<bool, BadAddress> {
    match value {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err(address.unusable(format!("pod must be on or off, not {value:?}"))),
    }
}

fn number_of(address: &Address, name: &str, value: &str) -> Result<NonZeroU32, BadAddress> {
    let number = value.parse().ok().and_then(NonZeroU32::new);
    number
        .filter(|number| number.get() <= HIGHEST_RATE)
        .ok_or_else(|| {
            address.unusable(format!(
                "{name} must be a number from 1 to {HIGHEST_RATE}, not {value:?}"
            ))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(address: &str) -> Result<Settings, BadAddress> {
        Settings::of(&address.parse().unwrap())
    }

    #[test]
    fn short_and_long_forms() {
        let short = settings("kubernetes:///demo").unwrap();
        assert_eq!((short.namespace, short.cluster.as_str()), (None, "demo"));
        assert_eq!((short.root, short.pod), (RootKind::ConfigMap, false));
        let long = settings(
            "kubernetes://prod/my%20cluster?context=a&kubeconfig=/k&root=lease&owner=deployment/jm&pod=on&qps=5&burst=7",
        )
        .unwrap();
        assert_eq!(long.namespace.as_deref(), Some("prod"));
        assert_eq!(long.cluster.as_str(), "my cluster");
        assert_eq!(long.context.as_deref(), Some("a"));
        assert_eq!(long.kubeconfig, Some("/k".into()));
        assert_eq!((long.root, long.pod), (RootKind::Lease, true));
        assert_eq!((long.rate.get(), long.burst.get()), (5, 7));
        assert!(long.owner.is_some());
    }

    #[test]
    fn what_cannot_be_used_says_why() {
        for (address, why) in [
            ("zookeeper://h/demo", "scheme"),
            ("kubernetes://prod", "no cluster"),
            ("kubernetes:///", "no cluster"),
            ("kubernetes://api.example.com:6443/demo", "no namespace"),
            ("kubernetes://Prod/demo", "no namespace"),
            ("kubernetes:///demo?rooot=lease", "no option \"rooot\""),
            ("kubernetes:///demo?root=secret", "configmap or lease"),
            ("kubernetes:///demo?pod=yes", "on or off"),
            ("kubernetes:///demo?qps=0", "qps must be a number"),
            ("kubernetes:///demo?burst=x", "burst must be a number"),
            ("kubernetes:///demo?context=", "context is empty"),
            ("kubernetes:///demo?owner=deployment", "kind/name"),
            ("kubernetes:///demo?owner=node/a", "node"),
        ] {
            let error = settings(address).unwrap_err().to_string();
            assert!(error.contains(why), "{address}: {error}");
        }
    }
}
