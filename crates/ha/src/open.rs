//! From an address to the backend that it names.

use std::sync::Arc;

use incumbent_backend::{Address, Backend};
use incumbent_backend_memory::MemoryBackend;

use crate::{OpenError, Store};

/// All schemes, and whether this build has them.
const SCHEMES: [(&str, bool); 6] = [
    ("memory", true),
    ("file", cfg!(feature = "file")),
    ("zookeeper", cfg!(feature = "zookeeper")),
    ("kubernetes", cfg!(feature = "kubernetes")),
    ("etcd", cfg!(feature = "etcd")),
    ("embedded", cfg!(feature = "embedded")),
];

/// Opens the place that an address names.
///
/// | address | what it is |
/// |---|---|
/// | `memory:`, `memory:name` | inside this process |
/// | `file:///dir` | a directory (feature `file`, on by default) |
/// | `zookeeper://h1:2181,h2:2181/path` | a ZooKeeper ensemble, or `incumbent serve` (feature `zookeeper`) |
/// | `kubernetes://namespace/cluster` | ConfigMaps, through the Kubernetes API (feature `kubernetes`) |
/// | `etcd://h1:2379,h2:2379/prefix` | etcd (feature `etcd`) |
/// | `embedded:///dir` | a leader server inside this process, or inside the process that opened the directory first (feature `embedded`) |
///
/// A directory is created if it does not exist, and checked. Servers need not be up yet: each
/// request waits for them, up to its own time limit. Must be called inside a Tokio runtime.
///
/// # Errors
///
/// [`OpenError`], if the address is malformed, or the place cannot be used.
pub async fn open(address: &str) -> Result<Store, OpenError> {
    let parsed: Address = address.parse()?;
    Ok(Store {
        backend: backend(&parsed).await?,
        address: parsed.to_string(),
    })
}

/// Whether there is a store at this address. For programs that only look: [`open`] creates a
/// missing directory.
///
/// Always true for addresses of servers, which are not asked before something is read.
///
/// # Errors
///
/// [`OpenError`], if the address is malformed, or the directory holds something else.
pub async fn is_there(address: &str) -> Result<bool, OpenError> {
    let address: Address = address.parse()?;
    match address.scheme() {
        #[cfg(feature = "file")]
        "file" => is_directory_there(address).await,
        _ => Ok(true),
    }
}

#[cfg(feature = "file")]
async fn is_directory_there(address: Address) -> Result<bool, OpenError> {
    use incumbent_backend_file::{FileBackend, FileError};
    let place = address.clone();
    let found = tokio::task::spawn_blocking(move || FileBackend::is_there(&place)).await;
    let found = found.expect("looking does not panic, and is not aborted");
    found.map_err(|cause| match cause {
        FileError::Address(bad) => OpenError::Address(bad),
        cause => unusable(&address, cause),
    })
}

async fn backend(address: &Address) -> Result<Arc<dyn Backend>, OpenError> {
    Ok(match address.scheme() {
        "memory" => Arc::new(MemoryBackend::open(address)?),
        #[cfg(feature = "file")]
        "file" => {
            use incumbent_backend_file::{FileBackend, FileError};
            let place = address.clone();
            let opened = tokio::task::spawn_blocking(move || FileBackend::open(&place)).await;
            let opened = opened.expect("opening does not panic, and is not aborted");
            Arc::new(opened.map_err(|cause| match cause {
                FileError::Address(bad) => OpenError::Address(bad),
                cause => unusable(address, cause),
            })?)
        }
        #[cfg(feature = "zookeeper")]
        "zookeeper" => {
            use incumbent_backend_zookeeper::{ZooKeeperBackend, ZooKeeperError};
            let opened = ZooKeeperBackend::open(address);
            Arc::new(opened.map_err(|cause| match cause {
                ZooKeeperError::Address(bad) => OpenError::Address(bad),
                cause => unusable(address, cause),
            })?)
        }
        #[cfg(feature = "kubernetes")]
        "kubernetes" => {
            use incumbent_backend_kubernetes::{KubernetesBackend, KubernetesError};
            // It reads files, and may ask a command for credentials.
            let place = address.clone();
            let opened = tokio::task::spawn_blocking(move || KubernetesBackend::open(&place)).await;
            let opened = opened.expect("opening does not panic, and is not aborted");
            Arc::new(opened.map_err(|cause| match cause {
                KubernetesError::Address(bad) => OpenError::Address(bad),
                cause => unusable(address, cause),
            })?)
        }
        #[cfg(feature = "etcd")]
        "etcd" => {
            use incumbent_backend_etcd::{EtcdBackend, EtcdError};
            let opened = EtcdBackend::open(address);
            Arc::new(opened.map_err(|cause| match cause {
                EtcdError::Address(bad) => OpenError::Address(bad),
                cause => unusable(address, cause),
            })?)
        }
        #[cfg(feature = "embedded")]
        "embedded" => {
            use incumbent_backend_embedded::{EmbeddedBackend, EmbeddedError};
            let opened = EmbeddedBackend::open(address).await;
            Arc::new(opened.map_err(|cause| match cause {
                EmbeddedError::Address(bad) => OpenError::Address(bad),
                cause => unusable(address, cause),
            })?)
        }
        scheme => return Err(address.unusable(unknown(scheme)).into()),
    })
}

fn unknown(scheme: &str) -> String {
    if SCHEMES.iter().any(|(name, _)| *name == scheme) {
        return format!(
            "this build has no {scheme}: enable the feature {scheme} of the crate incumbent"
        );
    }
    let known = SCHEMES.iter().filter(|(_, known)| *known);
    let known: Vec<&str> = known.map(|(name, _)| *name).collect();
    format!("its scheme is not one of {}", known.join(", "))
}

#[cfg(any(
    feature = "file",
    feature = "zookeeper",
    feature = "kubernetes",
    feature = "etcd",
    feature = "embedded"
))]
fn unusable(address: &Address, cause: impl Into<incumbent_backend::BoxError>) -> OpenError {
    OpenError::Place {
        address: address.to_string(),
        cause: cause.into(),
    }
}
