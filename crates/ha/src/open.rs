//! From an address to the backend that it names.

use std::sync::Arc;

use incumbent_backend::{Address, Backend, BoxError};
use incumbent_backend_file::{FileBackend, FileError};
use incumbent_backend_memory::MemoryBackend;

use crate::{OpenError, Store};

/// The schemes that this build knows.
const SCHEMES: &str = if cfg!(feature = "embedded") {
    "memory, file, zookeeper, embedded"
} else if cfg!(feature = "zookeeper") {
    "memory, file, zookeeper"
} else {
    "memory, file"
};

/// Opens the place that an address names.
///
/// | address | what it is |
/// |---|---|
/// | `memory:`, `memory:name` | inside this process |
/// | `file:///dir` | a directory |
/// | `zookeeper://h1:2181,h2:2181/path` | a ZooKeeper ensemble, or `incumbent serve` (feature `zookeeper`, on by default) |
/// | `embedded:///dir` | a leader server inside of this process, or of whichever opened the directory first (feature `embedded`, on by default) |
///
/// A directory is looked at. Servers need not be there yet: whatever asks them waits, each time for as long as it may.
/// Must be called inside a Tokio runtime.
///
/// # Errors
///
/// [`OpenError`], if the address is none, or the place cannot be used.
pub async fn open(address: &str) -> Result<Store, OpenError> {
    let parsed: Address = address.parse()?;
    Ok(Store {
        backend: backend(&parsed).await?,
        address: parsed.to_string(),
    })
}

async fn backend(address: &Address) -> Result<Arc<dyn Backend>, OpenError> {
    Ok(match address.scheme() {
        "memory" => Arc::new(MemoryBackend::open(address)?),
        "file" => {
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
        #[cfg(feature = "embedded")]
        "embedded" => {
            use incumbent_backend_embedded::{EmbeddedBackend, EmbeddedError};
            let opened = EmbeddedBackend::open(address).await;
            Arc::new(opened.map_err(|cause| match cause {
                EmbeddedError::Address(bad) => OpenError::Address(bad),
                cause => unusable(address, cause),
            })?)
        }
        _ => {
            let why = format!("its scheme is none of {SCHEMES}");
            return Err(address.unusable(why).into());
        }
    })
}

fn unusable(address: &Address, cause: impl Into<BoxError>) -> OpenError {
    OpenError::Place {
        address: address.to_string(),
        cause: cause.into(),
    }
}
