//! Incumbent records on a leader server inside this process: a small cluster needs no other
//! process.
//!
//! The process that opens `embedded:///dir` first on this machine serves it. Later processes on the
//! same machine find its address in the directory. Processes on other machines use
//! `zookeeper://host:port`, so the server must listen where they reach it (`?listen=0.0.0.0:2181`).
//!
//! When the process that serves dies, its clients have no server until it is started again: no
//! other process takes its place. If you need more, run `incumbent serve` or ZooKeeper as a process
//! of its own.
//!
//! The server has a thread of its own, so a program that blocks its runtime does not hold it up.
//! This process too reaches it through its socket: there is one way in, and it is tested.

mod serving;
mod settings;

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

/// Records on a leader server of this process, or of the one that serves the same directory.
pub struct EmbeddedBackend {
    client: ZooKeeperBackend,
    reach: Reach,
    /// Until this is dropped, if it is this process that serves.
    serving: Option<Serving>,
}

/// Why the place cannot be opened.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum EmbeddedError {
    /// The address says something that cannot be.
    #[error(transparent)]
    Address(#[from] BadAddress),
    /// The server cannot begin.
    #[error("the server cannot begin")]
    Start(#[from] StartError),
    /// The directory is in use by a server that cannot be found.
    #[error("{} is in use, and its server was not found within {waited:?}; end the process that uses it, or use the address zookeeper://HOST:PORT of its server", .dir.display())]
    Lost {
        /// The directory.
        dir: PathBuf,
        /// How long it was looked for.
        waited: std::time::Duration,
    },
    /// No process serves, and the address says that this one must not.
    #[error("no process serves {} now", .0.display())]
    Nobody(PathBuf),
    /// There is no thread or runtime for the server.
    #[error("the system gives the server no thread")]
    Thread(#[source] std::io::Error),
    /// The server runs, and its client cannot begin.
    #[error("the server cannot be used")]
    Client(#[from] ZooKeeperError),
}

impl EmbeddedBackend {
    /// Opens `embedded:///dir`: serves the directory, or finds who does.
    ///
    /// | option | means |
    /// |---|---|
    /// | `listen` | Where the server listens, `127.0.0.1:2181` if the address does not say. |
    /// | `disconnect-grace` | As `incumbent serve --disconnect-grace`; `off` if the address does not say. |
    /// | `session-timeout` | As for `zookeeper://`; the server allows it, however short. |
    /// | `presence` | As for `zookeeper://`: `on` or `off`. |
    /// | `serve` | `no`: find who serves, and do not serve. |
    ///
    /// Must be called inside a Tokio runtime.
    ///
    /// # Errors
    ///
    /// [`EmbeddedError`].
    pub async fn open(address: &Address) -> Result<Self, EmbeddedError> {
        let settings = Settings::of(address)?;
        let (place, serving) = match settings.serves {
            true => serving::serve_or_find(&settings).await?,
            false => (serving::find(&settings.dir)?, None),
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

    /// Whether it is this process that serves.
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
