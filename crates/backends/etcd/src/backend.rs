//! The contract, on etcd.

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

/// Longest body. etcd takes requests of 1.5 MiB (`--max-request-bytes`), in which the key and what
/// is around it have to fit too.
const LARGEST_BODY: usize = 1024 * 1024;

/// Records in etcd. Clones share one connection and one watch.
///
/// Its calls must be used inside a Tokio runtime, with timers and I/O.
#[derive(Clone)]
pub struct EtcdBackend {
    links: Arc<Links>,
    hints: Arc<Hints>,
}

impl EtcdBackend {
    /// Opens `etcd://h1:2379,h2:2379/prefix`.
    ///
    /// It connects with the first call, to one server at a time, and to another one if that is lost
    /// or does not answer. Servers may come later: each call waits for them as long as it may. The
    /// prefix is `/incumbent` if there is none.
    ///
    /// A name and a password before `@`, as in `etcd://user:password@h1,h2/prefix`, log in. Write
    /// `%40` for an `@` in them, `%2F` for a `/`, `%3F` for a `?`. The user needs a role with
    /// `readwrite` on all keys below the prefix: `etcdctl role grant-permission incumbent readwrite
    /// --prefix=true /incumbent/`.
    ///
    /// | option | means |
    /// |---|---|
    /// | `timeout` | The longest that a call takes, `5s` if the address does not say. |
    /// | `ca` | A file with certificates (PEM). Connections are by TLS then, and these sign the servers'. |
    /// | `cert`, `key` | Files with the certificate and the key (PEM) that servers know this client by: with `--client-cert-auth`, its common name is the user. They need `ca`. |
    ///
    /// # Errors
    ///
    /// - [`EtcdError::Address`]: another scheme, a host, path or login that cannot be one, an
    ///   option that does not exist.
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
