//! Implements the contract of a backend on ZooKeeper.

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

/// Longest body. ZooKeeper accepts packets of up to 1 048 575 bytes (`jute.maxbuffer`); the names
/// of nodes and the other fields of the request must fit in that too. It closes the connection of a
/// client that sends more.
const LARGEST_BODY: usize = 1_000_000;

/// Records in ZooKeeper. Clones share one session and its thread.
///
/// Call its methods inside a Tokio runtime with timers enabled.
#[derive(Clone)]
pub struct ZooKeeperBackend {
    session: Arc<Session>,
    watches: Watches,
}

impl ZooKeeperBackend {
    /// Opens `zookeeper://h1:2181,h2:2181/path`, and begins to connect.
    ///
    /// It does not wait for a connection. Servers may start later: each call waits for them until
    /// its time limit. The default path is `/incumbent`. It is created with the first record.
    ///
    /// To log in with the scheme `digest`, put a name and a password before `@`, as in
    /// `zookeeper://user:password@h1,h2/path`. Only that user can then read and change the nodes
    /// this backend creates. Without a login, nodes are open to everybody. In the name and the
    /// password, write `%40` for `@`, `%2F` for `/` and `%3F` for `?`.
    ///
    /// | option | means |
    /// |---|---|
    /// | `session-timeout` | A session expires after this long without contact. Default: `10s`; servers have limits of their own. A call takes at most half of it. |
    /// | `watch` | `any` (default): one recursive watch, or watches of single nodes on servers before 3.6. `nodes`: always watches of single nodes. |
    /// | `presence` | `on`: a leader keeps an ephemeral node while it lives, and a standby that saw the node vanish takes over; see below. `off` (default): no such node. |
    /// | `ca` | A file with CA certificates (PEM). Connections then use TLS, and these CAs must have signed the servers' certificates. |
    /// | `cert`, `key` | Files with the certificate and key (PEM) that identify this client to the servers. They need `ca`. |
    ///
    /// # With `presence=on`
    ///
    /// If a leader's host dies, or a standby cannot reach the leader's liveness endpoint, the
    /// leader is replaced when its session has ended: after `session-timeout`, or
    /// `incumbent serve --disconnect-grace`, and not after the lease. All candidates must set this
    /// option.
    ///
    /// **An ended session does not prove death.** A leader that is only cut off from the servers,
    /// or paused, may run its command until its hard deadline, at the same time as its successor's.
    /// Records are safe in any case: its writes are refused. If two commands must never run at the
    /// same time, leave presence off and wait for the lease.
    ///
    /// # Errors
    ///
    /// - [`ZooKeeperError::Address`]: the scheme is wrong, a host, the path or the login is
    ///   invalid, or an option does not exist.
    /// - [`ZooKeeperError::Tls`]: a certificate or key cannot be read or used.
    /// - [`ZooKeeperError::Thread`]: the operating system refused to start a thread.
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
            regular_interval: Duration::ZERO,
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
