//! What all requests share: the objects, the users, the faults and the log.

use std::sync::{Mutex, MutexGuard};
use std::time::SystemTime;

use serde_json::json;

use crate::act::write::Now;
use crate::fault::Faults;
use crate::options::Options;
use crate::request::access::Users;
use crate::seen::Log;
use crate::store::resource::Resource;
use crate::store::{Key, Store};

/// What all requests share.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) options: Options,
    state: Mutex<State>,
    /// The newest revision.
    pub(crate) changed: tokio::sync::watch::Sender<u64>,
    /// How often the watches were cut.
    pub(crate) cut: tokio::sync::watch::Sender<u64>,
}

/// What the lock guards.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) store: Store,
    pub(crate) users: Users,
    pub(crate) faults: Faults,
    pub(crate) log: Log,
}

impl World {
    pub(crate) fn new(options: Options) -> World {
        let mut store = Store::new();
        for name in &options.namespaces {
            let now = now();
            let object = json!({
                "kind": "Namespace", "apiVersion": "v1", "spec": {"finalizers": ["kubernetes"]}, "status": {"phase": "Active"},
                "metadata": {
                    "name": name, "uid": now.uid, "creationTimestamp": now.time,
                    "labels": {"kubernetes.io/metadata.name": name},
                },
            });
            store.commit(Key::new(Resource::namespaces(), "", name), Some(object));
        }
        // No real server remembers its first revisions either.
        store.compact();
        let changed = tokio::sync::watch::Sender::new(store.revision());
        let state = State {
            store,
            users: Users::default(),
            faults: Faults::default(),
            log: Log::default(),
        };
        World {
            options,
            state: Mutex::new(state),
            changed,
            cut: tokio::sync::watch::Sender::new(0),
        }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        // A panic under the lock fails its own test. Others may still use the state.
        self.state
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Does something with the store and wakes the watches.
    pub(crate) fn with_store<T>(&self, act: impl FnOnce(&mut Store) -> T) -> T {
        let mut state = self.state();
        let result = act(&mut state.store);
        self.changed.send_if_modified(|known| {
            std::mem::replace(known, state.store.revision()) != state.store.revision()
        });
        result
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a server stamps its objects with the wall clock"
)]
pub(crate) fn now() -> Now {
    let bits: u128 = rand::random();
    // Version 4, variant 1.
    let hex = format!(
        "{:032x}",
        bits & !(0xf << 76 | 0x3 << 62) | (0x4 << 76 | 0x2 << 62)
    );
    let uid = [
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..],
    ]
    .join("-");
    Now {
        time: humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
        uid,
    }
}
