//! From a body to the object that keeps it, and back. What is written into a ConfigMap is decided
//! here.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use incumbent_backend::{Key, Stored};
use incumbent_core::root::Root;
use k8s_openapi::ByteString;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};

use crate::object::leader_lock::{LEADER, LeaderRecord, lease_spec};
use crate::object::names::{CLUSTER, Cluster, LEADER_POD};
use crate::object::resource::{CONFIG_MAPS, LEASES, Resource, RootKind};
use crate::object::version::ObjectVersion;

/// Longest body in a ConfigMap, which may hold 1 MiB. The API server accepts requests of 3 MiB and
/// etcd of 1.5 MiB, in which each quote of the body is escaped and counts twice. A record that
/// grows past half of the limit fails while every tool can still read, copy and split it.
pub(crate) const LARGEST_BODY: usize = 512 * 1024;

/// Longest body of a root in a Lease. There it is an annotation, and all annotations of an object
/// together may have 256 KiB; a body that is no text takes a third more in base64. A root with 64
/// endpoints of the longest addresses fits.
pub(crate) const LARGEST_LEASE_BODY: usize = 180 * 1024;

/// The annotations that hold the root's body in a Lease: as it is, or in base64 if it is no text.
const BODY: &str = "incumbent/root";
const BINARY_BODY: &str = "incumbent/root-base64";

/// The annotation that differs in each write. If a write changes nothing, the server keeps the
/// object and its version. Then a seal, which writes the same body back, would have no effect, and
/// two writers of the same body would both succeed.
const WRITE: &str = "incumbent/write";

/// An object to write, without the version that a replacement needs.
#[derive(Clone, Debug)]
pub(crate) struct Content(Object);

#[derive(Clone, Debug)]
enum Object {
    ConfigMap(Box<ConfigMap>),
    Lease(Box<Lease>),
}

/// What is written together with a body.
#[derive(Debug, Default)]
pub(crate) struct Along {
    pub(crate) owner: Option<OwnerReference>,
    /// For a root: the leader's pod.
    pub(crate) pod: Option<String>,
    /// A random number for this write.
    pub(crate) write: u64,
}

/// The kind of object that keeps a key.
pub(crate) fn resource_of(key: &Key, root: RootKind) -> &'static Resource {
    match (key.is_root(), root) {
        (true, RootKind::Lease) => &LEASES,
        _ => &CONFIG_MAPS,
    }
}

/// The longest body that a key may have.
pub(crate) fn largest_body(key: &Key, root: RootKind) -> usize {
    if resource_of(key, root) == &LEASES {
        LARGEST_LEASE_BODY
    } else {
        LARGEST_BODY
    }
}

impl Content {
    pub(crate) fn new(
        cluster: &Cluster,
        key: &Key,
        root: RootKind,
        body: &[u8],
        along: Along,
    ) -> Self {
        let mut annotations = cluster.annotations(key);
        annotations.insert(WRITE.to_owned(), format!("{:016x}", along.write));
        annotations.extend(along.pod.map(|pod| (LEADER_POD.to_owned(), pod)));
        let parsed = key.is_root().then(|| Root::from_bytes(body).ok()).flatten();
        let mut metadata = ObjectMeta {
            name: Some(cluster.object_name(key)),
            labels: Some(cluster.labels(key)),
            owner_references: along.owner.map(|owner| vec![owner]),
            ..ObjectMeta::default()
        };
        if resource_of(key, root) == &LEASES {
            annotations.extend([match text(body) {
                Some(text) => (BODY.to_owned(), text.to_owned()),
                None => (BINARY_BODY.to_owned(), STANDARD.encode(body)),
            }]);
            metadata.annotations = Some(annotations);
            let spec = parsed.as_ref().map_or_else(LeaseSpec::default, lease_spec);
            return Self(Object::Lease(Box::new(Lease {
                metadata,
                spec: Some(spec),
            })));
        }
        annotations
            .extend(parsed.map(|root| (LEADER.to_owned(), LeaderRecord::of(&root).to_json())));
        metadata.annotations = Some(annotations);
        let name = data_key(key).to_owned();
        let (data, binary_data) = match text(body) {
            Some(text) => (Some(BTreeMap::from([(name, text.to_owned())])), None),
            None => (
                None,
                Some(BTreeMap::from([(name, ByteString(body.to_vec()))])),
            ),
        };
        Self(Object::ConfigMap(Box::new(ConfigMap {
            metadata,
            data,
            binary_data,
            immutable: None,
        })))
    }

    pub(crate) fn resource(&self) -> &'static Resource {
        match self.0 {
            Object::ConfigMap(_) => &CONFIG_MAPS,
            Object::Lease(_) => &LEASES,
        }
    }

    pub(crate) fn name(&self) -> &str {
        let metadata = match &self.0 {
            Object::ConfigMap(object) => &object.metadata,
            Object::Lease(object) => &object.metadata,
        };
        metadata
            .name
            .as_deref()
            .expect("each object is made with a name")
    }

    /// The body of the request: to create the object, or to replace it at a version.
    pub(crate) fn to_json(&self, at: Option<&ObjectVersion>) -> Vec<u8> {
        let mut object = self.0.clone();
        let metadata = match &mut object {
            Object::ConfigMap(object) => &mut object.metadata,
            Object::Lease(object) => &mut object.metadata,
        };
        metadata.uid = at.map(|at| at.uid().to_owned());
        metadata.resource_version = at.map(|at| at.resource_version().to_owned());
        let json = match &object {
            Object::ConfigMap(object) => serde_json::to_vec(object),
            Object::Lease(object) => serde_json::to_vec(object),
        };
        json.expect("maps of text are always JSON")
    }
}

/// The body that a ConfigMap keeps for this key; otherwise why the object is not ours.
pub(crate) fn of_config_map(
    cluster: &Cluster,
    key: &Key,
    object: ConfigMap,
) -> Result<Stored, String> {
    let version = owned(cluster, key, &object.metadata)?;
    let name = data_key(key);
    let text = object.data.and_then(|mut data| data.remove(name));
    let binary = object.binary_data.and_then(|mut data| data.remove(name));
    let body = match (text, binary) {
        (Some(text), None) => text.into_bytes(),
        (None, Some(binary)) => binary.0,
        (None, None) => return Err(format!("it has no data of the name {name}")),
        (Some(_), Some(_)) => return Err(format!("it has data and binaryData of the name {name}")),
    };
    Ok(Stored { version, body })
}

/// The same for a Lease.
pub(crate) fn of_lease(cluster: &Cluster, key: &Key, object: Lease) -> Result<Stored, String> {
    let version = owned(cluster, key, &object.metadata)?;
    let mut annotations = object.metadata.annotations.unwrap_or_default();
    let body = match (annotations.remove(BODY), annotations.remove(BINARY_BODY)) {
        (Some(text), None) => text.into_bytes(),
        (None, Some(binary)) => STANDARD
            .decode(binary)
            .map_err(|error| format!("its annotation {BINARY_BODY} is damaged: {error}"))?,
        (None, None) => return Err(format!("it has no annotation {BODY}")),
        (Some(_), Some(_)) => {
            return Err(format!("it has both annotations {BODY} and {BINARY_BODY}"));
        }
    };
    Ok(Stored { version, body })
}

/// The version of the object, if it is ours and keeps this key.
fn owned(
    cluster: &Cluster,
    key: &Key,
    object: &ObjectMeta,
) -> Result<incumbent_backend::Version, String> {
    if cluster.key_of(object).as_ref() != Some(key) {
        let annotations = object.annotations.as_ref();
        let has = |name| annotations.is_some_and(|all| all.contains_key(name));
        let what = match (has(CLUSTER), has(LEADER)) {
            (true, _) => "its annotations incumbent/… are those of another record",
            (false, true) => "it is the lock of another program",
            (false, false) => {
                "it has no annotations incumbent/…, so another program or a person created it"
            }
        };
        return Err(format!("{what}; it may be in use, so it is not changed"));
    }
    let version = ObjectVersion::of(object);
    version
        .map(|version| version.version())
        .ok_or_else(|| "it has no version".into())
}

/// The name of the body in the ConfigMap's data.
fn data_key(key: &Key) -> &'static str {
    if key.is_root() {
        "root.json"
    } else {
        "record.json"
    }
}

/// The body as text, if JSON and people can have it byte for byte. A control character would become
/// six characters.
fn text(body: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(body).ok()?;
    let hard = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
    (!text.contains(hard)).then_some(text)
}

#[cfg(test)]
#[path = "content_tests.rs"]
mod tests;
