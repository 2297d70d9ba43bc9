//! The contract, on ZooKeeper.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::future::BoxFuture;
use incumbent_backend::{
    Address, Backend, Erased, Expected, Failure, Gone, GroupName, Key, Limits, Listed, Nonce,
    Presence, Rights, Stored, Swapped, Unread, Version, WatchStream,
};

use crate::error::ZooKeeperError;
use crate::names::{self, State};
use crate::presence;
use crate::read;
use crate::rights;
use crate::session::Session;
use crate::settings::Settings;
use crate::watch::Watches;
use crate::write::Swap;

/// Longest body. ZooKeeper takes packets of 1 048 575 bytes (`jute.maxbuffer`), in which the names
/// of nodes and what is around them have to fit too, and it closes the connection of a client that
/// sends more.
const LARGEST_BODY: usize = 1_000_000;

/// Records in ZooKeeper. Clones share one session and its thread.
///
/// Its calls must be used inside a Tokio runtime, with timers.
#[derive(Clone)]
pub struct ZooKeeperBackend {
    session: Arc<Session>,
    watches: Watches,
}

impl ZooKeeperBackend {
    /// Opens `zookeeper://h1:2181,h2:2181/path`, and begins to connect.
    ///
    /// It does not wait for a connection: servers may come later, and each call waits for them as
    /// long as it may. The path is `/incumbent` if there is none; it is created with the first
    /// record.
    ///
    /// A name and a password before `@`, as in `zookeeper://user:password@h1,h2/path`, log in with
    /// the scheme `digest`, and what is created then can be read and changed by nobody else.
    /// Without, everybody may do everything. Write `%40` for an `@` in them, `%2F` for a `/`, `%3F`
    /// for a `?`.
    ///
    /// | option | means |
    /// |---|---|
    /// | `session-timeout` | Silence after which a session is over, `10s` if the address does not say; servers have limits of their own. A call takes at most half of it. |
    /// | `watch` | `any`: one recursive watch, or watches of single nodes on servers before 3.6. `nodes`: these in any case. |
    /// | `presence` | `on`: a leader shows by an ephemeral node that it lives, and a standby that saw it vanish takes over; see below. `off`, if the address does not say. |
    /// | `ca` | A file with certificates (PEM). Connections are by TLS then, and these sign the servers'. |
    /// | `cert`, `key` | Files with the certificate and the key (PEM) that servers know this client by. They need `ca`. |
    ///
    /// # With `presence=on`
    ///
    /// A leader whose host dies, or whose liveness endpoint is not reached from here, is replaced
    /// when its session has ended: after `session-timeout`, or
    /// `incumbent serve --disconnect-grace`, and not after the lease. All candidates have to say
    /// it.
    ///
    /// **An ended session does not prove death.** A leader that is only cut off from the servers,
    /// or paused, may still run its command until its hard deadline, beside that of its successor.
    /// Records are safe in any case: its writes are refused. If no two commands may ever run at a
    /// time, leave it off and wait for the lease.
    ///
    /// # Errors
    ///
    /// - [`ZooKeeperError::Address`]: another scheme, a host, path or login that cannot be one, an
    ///   option that does not exist.
    /// - [`ZooKeeperError::Tls`]: a certificate or key cannot be read or used.
    /// - [`ZooKeeperError::Thread`]: the system gives no thread.
    pub fn open(address: &Address) -> Result<Self, ZooKeeperError> {
        Ok(Self {
            session: Arc::new(Session::start(Settings::of(address)?)?),
            watches: Watches::new(),
        })
    }
}

#[async_trait]
impl Backend for ZooKeeperBackend {
    fn limits(&self) -> Limits {
        Limits {
            largest_body: LARGEST_BODY,
            shortest_interval: Duration::ZERO,
            reach: self.session.settings.hosts.reach(),
        }
    }

    async fn read(&self, key: &Key) -> Result<Option<Stored>, Unread> {
        let node = names::key_node(&self.session.settings.base, key);
        Ok(read::read(&self.session, &node).await?)
    }

    async fn swap(
        &self,
        key: &Key,
        expected: Expected<'_>,
        body: &[u8],
    ) -> Result<Swapped, Failure> {
        self.limits().check(body)?;
        let state = match expected {
            Expected::Absent => None,
            Expected::At(version) => match State::of_version(version) {
                Some(state) => Some(state),
                // No body ever had this version.
                None => return Ok(Swapped::Conflict),
            },
        };
        let swap = Swap::begin(&self.session, key, body).await?;
        match state {
            None => swap.create().await,
            Some(state) => swap.replace(state).await,
        }
    }

    async fn erase(&self, key: &Key, version: &Version) -> Result<Erased, Failure> {
        let Some(state) = State::of_version(version) else {
            return Ok(Erased::Conflict);
        };
        Swap::begin(&self.session, key, b"")
            .await?
            .erase(state)
            .await
    }

    async fn groups(&self) -> Result<Vec<GroupName>, Unread> {
        Ok(read::groups(&self.session).await?)
    }

    async fn check_rights(&self, group: &GroupName) -> Result<Rights, Unread> {
        Ok(rights::check(&self.session, group).await?)
    }

    async fn list(&self, group: &GroupName) -> Result<Vec<Listed>, Unread> {
        Ok(read::list(&self.session, group).await?)
    }

    fn watch(&self, group: &GroupName) -> WatchStream {
        self.watches.watch(&self.session, group)
    }

    fn appear(&self, group: &GroupName, nonce: Nonce) -> Option<Presence> {
        presence::appear(&self.session, group, nonce)
    }

    fn vanished(&self, group: &GroupName, nonce: Nonce) -> BoxFuture<'static, Gone> {
        presence::vanished(&self.session, group, nonce)
    }
}

impl fmt::Debug for ZooKeeperBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let settings = &self.session.settings;
        write!(f, "ZooKeeperBackend({}{})", settings.hosts, settings.base)
    }
}
