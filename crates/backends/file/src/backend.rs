//! The backend contract, implemented on a directory.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use incumbent_backend::{
    Address, Backend, Expected, Failure, GroupName, Key, Limits, Listed, Reach, Rights, Stored,
    Swapped, Unread, WatchStream,
};

use crate::error::FileError;
use crate::group::Group;
use crate::hook::Hook;
use crate::names::{self, Number};
use crate::seen::Seen;
use crate::store::Store;
use crate::versions::{Versions, some};
use crate::watch;

/// Longest body. This bounds what is read and kept for every version. It promises nothing about
/// other stores: those that take 1 MiB mostly count more towards it. A ConfigMap counts everything
/// it holds, and ZooKeeper counts the whole packet.
const LARGEST_BODY: usize = 1024 * 1024;

/// Records in a directory. Clones share what they remember. Two backends opened separately share
/// only the directory.
///
/// Must be used inside a Tokio runtime: calls run on its threads for blocking work. Dropping the
/// future of a call does not stop the call.
#[derive(Clone, Debug)]
pub struct FileBackend {
    handle: Arc<Handle>,
}

#[derive(Debug)]
struct Handle {
    store: Store,
    seen: Seen,
}

impl FileBackend {
    /// Opens `file:///dir`, and makes the directory a store if it is new or empty. Blocks for a few
    /// system calls.
    ///
    /// The option `sync` says what a commit survives. With `full`, a commit survives a loss of
    /// power. With `none`, it survives the death of any process, but not of the machine. The option
    /// is chosen when the store is made, `full` by default, and is written into the store. All
    /// processes that use the store must agree. An address without the option takes what the store
    /// has.
    ///
    /// # After a loss of power with `sync=none`
    ///
    /// The last writes may be gone, and the files that are left of them may be empty or cut off. If
    /// the newest file of a key is such a file, reads of this key and lists of its group fail with
    /// an error that says it cannot be trusted, until a person has removed the file that the error
    /// names. Older bodies below it that are whole come back then; `docs/design/0002` says how.
    ///
    /// # Errors
    ///
    /// - [`FileError::Address`]: another scheme or host, a path that is not absolute, an unknown
    ///   option, or another `sync` than that of the store.
    /// - [`FileError::Damaged`]: the directory holds something else, or a store of a newer format.
    /// - [`FileError::Unsuitable`]: the file system has no hard links, or does not distinguish `a`
    ///   from `A`.
    /// - [`FileError::System`]: the system refused. A store that may only be read can be opened.
    pub fn open(address: &Address) -> Result<Self, FileError> {
        Self::open_hooked(address, Hook::default())
    }

    /// Whether there is a store at `file:///dir`. Never makes one. Blocks for a few system calls.
    ///
    /// # Errors
    ///
    /// As for [`open`](Self::open): the address is not valid, the directory holds something else,
    /// or the system refused.
    pub fn is_there(address: &Address) -> Result<bool, FileError> {
        Store::is_there(address)
    }

    pub(crate) fn open_hooked(address: &Address, hook: Hook) -> Result<Self, FileError> {
        let store = Store::open(address, hook)?;
        Ok(Self {
            handle: Arc::new(Handle {
                store,
                seen: Seen::default(),
            }),
        })
    }

    /// The directory of the store.
    pub fn dir(&self) -> &Path {
        &self.handle.store.dir
    }

    /// Runs a call on a thread that may block. `None` if the call did not finish.
    async fn blocking<T: Send + 'static>(
        &self,
        call: impl FnOnce(&Handle) -> T + Send + 'static,
    ) -> Option<T> {
        let handle = Arc::clone(&self.handle);
        tokio::task::spawn_blocking(move || call(&handle))
            .await
            .ok()
    }
}

#[async_trait]
impl Backend for FileBackend {
    fn limits(&self) -> Limits {
        Limits {
            largest_body: LARGEST_BODY,
            shortest_interval: Duration::ZERO,
            regular_interval: Duration::ZERO,
            reach: Reach::Machine,
        }
    }

    async fn read(&self, key: &Key) -> Result<Option<Stored>, Unread> {
        let key = key.clone();
        let read = self
            .blocking(move |handle| handle.versions(&key).read())
            .await;
        let newest =
            read.ok_or_else(|| Unread::Unavailable("the runtime is shutting down".into()))??;
        Ok(newest.map(|(number, body)| Stored {
            version: number.version(),
            body,
        }))
    }

    async fn swap(
        &self,
        key: &Key,
        expected: Expected<'_>,
        body: &[u8],
    ) -> Result<Swapped, Failure> {
        self.limits().check(body)?;
        let (key, body) = (key.clone(), body.to_vec());
        let at = match expected {
            Expected::Absent => None,
            Expected::At(version) => Some(version.clone()),
        };
        let swap = move |handle: &Handle| match at {
            None => handle.versions(&key).create(&body),
            Some(version) => handle.versions(&key).replace(&version, &body),
        };
        let swapped = self.blocking(swap).await;
        swapped.unwrap_or_else(|| Err(Failure::Unknown("the runtime is shutting down".into())))
    }

    async fn groups(&self) -> Result<Vec<GroupName>, Unread> {
        let groups = self.blocking(Handle::groups).await;
        let groups =
            groups.ok_or_else(|| Unread::Unavailable("the runtime is shutting down".into()))??;
        Ok(groups)
    }

    async fn check_rights(&self, group: &GroupName) -> Result<Rights, Unread> {
        let group = group.clone();
        let check = move |handle: &Handle| Group::new(&handle.store, &group).check_rights();
        let checked = self.blocking(check).await;
        Ok(checked.ok_or_else(|| Unread::Unavailable("the runtime is shutting down".into()))??)
    }

    async fn list(&self, group: &GroupName) -> Result<Vec<Listed>, Unread> {
        let group = group.clone();
        let listed = self.blocking(move |handle| handle.list(&group)).await;
        let listed =
            listed.ok_or_else(|| Unread::Unavailable("the runtime is shutting down".into()))??;
        Ok(listed
            .into_iter()
            .map(|(key, number)| Listed {
                key,
                version: number.version(),
            })
            .collect())
    }

    fn watch(&self, group: &GroupName) -> WatchStream {
        watch::watch(
            Arc::new(self.clone()),
            &Group::new(&self.handle.store, group),
            group,
        )
    }
}

impl Handle {
    fn versions<'a>(&'a self, key: &'a Key) -> Versions<'a> {
        Versions::new(&self.store, &self.seen, key)
    }

    fn groups(&self) -> Result<Vec<GroupName>, FileError> {
        self.store.still_there()?;
        let names = self.store.disk.list(&self.store.dir)?;
        let mut groups: Vec<GroupName> = names
            .iter()
            .filter_map(|name| names::group_of_dir(name))
            .collect();
        groups.sort();
        Ok(groups)
    }

    fn list(&self, group: &GroupName) -> Result<Vec<(Key, Number)>, FileError> {
        let Some(names) = some(self.store.disk.list(&Group::new(&self.store, group).dir))? else {
            self.store.still_there()?;
            return Ok(Vec::new());
        };
        let mut listed = Vec::new();
        for key in names
            .iter()
            .filter_map(|name| names::key_of_dir(group, name))
        {
            let newest = self.versions(&key).number()?;
            listed.extend(newest.map(|number| (key, number)));
        }
        listed.sort_by_cached_key(|(key, _)| key.to_string());
        Ok(listed)
    }
}
