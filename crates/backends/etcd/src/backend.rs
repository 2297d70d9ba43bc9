//! Implements the contract of a backend on etcd.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use incumbent_backend::hints::{Feeds, Hints};
use incumbent_backend::{
    Address, Backend, Erased, Expected, Failure, GroupName, Key, Limits, Listed, Rights, Stored,
    Swapped, Unread, Version, WatchStream,
};

use crate::error::EtcdError;
use crate::links::Links;
use crate::read;
use crate::settings::Settings;
use crate::{watch, write};

/// Longest body. etcd accepts requests of up to 1.5 MiB (`--max-request-bytes`); the key and the
/// other fields of the request must fit in that too.
const LARGEST_BODY: usize = 1024 * 1024;

/// Records in etcd. Clones share one connection and one watch.
///
/// Call its methods inside a Tokio runtime with timers and I/O enabled.
#[derive(Clone)]
pub struct EtcdBackend {
    links: Arc<Links>,
    hints: Arc<Hints>,
}

impl EtcdBackend {
    /// Opens `etcd://h1:2379,h2:2379/prefix`.
    ///
    /// The backend connects on the first call, to one server at a time. It moves to another server
    /// if the connection is lost or the server does not answer. Servers may start later: each call
    /// waits for them until its time limit. The default prefix is `/incumbent`.
    ///
    /// To log in, put a name and a password before `@`, as in `etcd://user:password@h1,h2/prefix`.
    /// In them, write `%40` for `@`, `%2F` for `/` and `%3F` for `?`. The user needs a role with
    /// `readwrite` on all keys below the prefix: `etcdctl role grant-permission incumbent readwrite
    /// --prefix=true /incumbent/`.
    ///
    /// | option | means |
    /// |---|---|
    /// | `timeout` | The longest time a call takes. Default: `5s`. |
    /// | `ca` | A file with CA certificates (PEM). Connections then use TLS, and these CAs must have signed the servers' certificates. |
    /// | `cert`, `key` | Files with the client's certificate and key (PEM). They need `ca`. With `--client-cert-auth`, the certificate's common name is the user. |
    ///
    /// # Errors
    ///
    /// - [`EtcdError::Address`]: the scheme is wrong, a host, the path or the login is invalid, or
    ///   an option does not exist.
    /// - [`EtcdError::Tls`]: a certificate or key cannot be read or used.
    pub fn open(address: &Address) -> Result<Self, EtcdError> {
        Ok(Self {
            links: Arc::new(Links::new(Settings::of(address)?)),
            hints: Hints::new(Feeds::One),
        })
    }
}

#[async_trait]
impl Backend for EtcdBackend {
    fn limits(&self) -> Limits {
        Limits {
            largest_body: LARGEST_BODY,
            shortest_interval: Duration::ZERO,
            regular_interval: Duration::ZERO,
            reach: self.links.settings.hosts.reach(),
        }
    }

    async fn read(&self, key: &Key) -> Result<Option<Stored>, Unread> {
        Ok(read::read(&self.links, key).await?)
    }

    async fn swap(
        &self,
        key: &Key,
        expected: Expected<'_>,
        body: &[u8],
    ) -> Result<Swapped, Failure> {
        self.limits().check(body)?;
        write::swap(&self.links, key, expected, body).await
    }

    async fn erase(&self, key: &Key, version: &Version) -> Result<Erased, Failure> {
        write::erase(&self.links, key, version).await
    }

    async fn groups(&self) -> Result<Vec<GroupName>, Unread> {
        Ok(read::groups(&self.links).await?)
    }

    async fn check_rights(&self, group: &GroupName) -> Result<Rights, Unread> {
        Ok(write::check_rights(&self.links, group).await?)
    }

    async fn list(&self, group: &GroupName) -> Result<Vec<Listed>, Unread> {
        Ok(read::list(&self.links, group).await?)
    }

    fn watch(&self, group: &GroupName) -> WatchStream {
        watch::watch(&self.hints, &self.links, group)
    }
}

impl fmt::Debug for EtcdBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let settings = &self.links.settings;
        write!(f, "EtcdBackend({}{})", settings.hosts, settings.base)
    }
}
