//! Incumbent records on a leader server inside this process: a small cluster needs no other
//! process.
//!
//! The process that opens `embedded:///dir` first on this machine serves it. Later processes on the
//! same machine find its address in the directory. Processes on other machines use
//! `zookeeper://host:port`, so the server must listen where they reach it (`?listen=0.0.0.0:2181`).
//!
//! When the serving process dies, its clients have no server until it is started again: no other
//! process takes its place. If you need more, run `incumbent serve` or ZooKeeper as a separate
//! process.
//!
//! The server has its own thread, so a program that blocks its runtime does not delay it. This
//! process also reaches the server through its socket: there is only one way in, and it is tested.

mod serving;
mod settings;

use std::net::SocketAddr;
use std::path::PathBuf;

use async_trait::async_trait;
use futures::future::BoxFuture;
use incumbent_backend::{
    Address, Backend, BadAddress, Erased, Expected, Failure, Gone, GroupName, Key, Limits, Listed,
    Nonce, Presence, Reach, Rights, Stored, Swapped, Unread, Version, WatchStream,
};
use incumbent_backend_zookeeper::{ZooKeeperBackend, ZooKeeperError};
use incumbent_leader_server::StartError;

use serving::{Place, Serving};
use settings::Settings;

/// Records on a leader server in this process, or in another process that serves the same
/// directory.
pub struct EmbeddedBackend {
    client: ZooKeeperBackend,
    reach: Reach,
    /// The server, if this process serves. It runs until this is dropped.
    serving: Option<Serving>,
}

/// Why an embedded store cannot be opened.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum EmbeddedError {
    /// The address is not valid: correct it.
    #[error(transparent)]
    Address(#[from] BadAddress),
    /// The server cannot listen at its address, for example because it is in use: choose another.
    #[error("the server cannot listen on {address}; give it another address, as in embedded://{}?listen=HOST:PORT", .dir.display())]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The directory.
        dir: PathBuf,
        /// The error of the system.
        #[source]
        cause: std::io::Error,
    },
    /// The server cannot start.
    #[error("the server cannot begin")]
    Start(#[from] StartError),
    /// The directory is in use, but its server was not found.
    #[error("{} is in use, and its server was not found within {waited:?}; end the process that uses it, or use the address zookeeper://HOST:PORT of its server", .dir.display())]
    Lost {
        /// The directory.
        dir: PathBuf,
        /// How long the search took.
        waited: std::time::Duration,
    },
    /// No process serves the directory, and the address says that this one must not.
    #[error("no process serves {} now", .0.display())]
    Nobody(PathBuf),
    /// The thread or the runtime of the server could not be created.
    #[error("the system gives the server no thread")]
    Thread(#[source] std::io::Error),
    /// The server runs, but its client cannot start.
    #[error("the server cannot be used")]
    Client(#[from] ZooKeeperError),
}

impl EmbeddedBackend {
    /// Opens `embedded:///dir`: serves the directory, or finds the process that does.
    ///
    /// | option | means |
    /// |---|---|
    /// | `listen` | Where the server listens. Default: `127.0.0.1:2181`. |
    /// | `disconnect-grace` | As `incumbent serve --disconnect-grace`. Default: `off`. |
    /// | `session-timeout` | As for `zookeeper://`; the server allows it, however short. |
    /// | `presence` | As for `zookeeper://`: `on` or `off`. |
    /// | `serve` | `no`: find the serving process, and do not serve. |
    ///
    /// Must be called inside a Tokio runtime.
    ///
    /// # Errors
    ///
    /// [`EmbeddedError`].
    pub async fn open(address: &Address) -> Result<Self, EmbeddedError> {
        let settings = Settings::of(address)?;
        let (place, serving) = if settings.serves {
            serving::serve_or_find(&settings).await?
        } else {
            (serving::find(&settings.dir)?, None)
        };
        let Place(server) = place;
        let client = format!("zookeeper://{server}{}", settings.client_options());
        let client = client.parse().map_err(EmbeddedError::Address)?;
        Ok(Self {
            client: ZooKeeperBackend::open(&client)?,
            reach: settings.reach(),
            serving,
        })
    }

    /// Whether this process serves the directory.
    pub fn serves(&self) -> bool {
        self.serving.is_some()
    }
}

#[async_trait]
impl Backend for EmbeddedBackend {
    fn limits(&self) -> Limits {
        Limits {
            reach: self.reach,
            ..self.client.limits()
        }
    }

    async fn read(&self, key: &Key) -> Result<Option<Stored>, Unread> {
        self.client.read(key).await
    }

    async fn swap(
        &self,
        key: &Key,
        expected: Expected<'_>,
        body: &[u8],
    ) -> Result<Swapped, Failure> {
        self.client.swap(key, expected, body).await
    }

    async fn erase(&self, key: &Key, version: &Version) -> Result<Erased, Failure> {
        self.client.erase(key, version).await
    }

    async fn groups(&self) -> Result<Vec<GroupName>, Unread> {
        self.client.groups().await
    }

    async fn check_rights(&self, group: &GroupName) -> Result<Rights, Unread> {
        self.client.check_rights(group).await
    }

    async fn list(&self, group: &GroupName) -> Result<Vec<Listed>, Unread> {
        self.client.list(group).await
    }

    fn watch(&self, group: &GroupName) -> WatchStream {
        self.client.watch(group)
    }

    fn appear(&self, group: &GroupName, nonce: Nonce) -> Option<Presence> {
        self.client.appear(group, nonce)
    }

    fn vanished(&self, group: &GroupName, nonce: Nonce) -> BoxFuture<'static, Gone> {
        self.client.vanished(group, nonce)
    }
}
