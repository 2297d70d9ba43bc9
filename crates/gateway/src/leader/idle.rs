//! Connections of HTTP/1.1 that wait for the next request: [`Idle`].

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::{Handle, Id};
use tokio::time::Instant;

use super::connection::{Http1, RECENT, Wanted};

/// The most idle connections that are kept to one leader, by one runtime.
const MOST_IDLE: usize = 1024;
/// How long a connection is kept idle: less than most servers do, so that few are closed while a
/// request is on its way.
const IDLE: Duration = Duration::from_secs(4);
/// How many idle connections are looked at for one that can be used at once.
const MOST_LOOKED_AT: usize = 8;

/// The idle connections to one leader, those of each runtime apart, the newest last. A connection
/// that another runtime drives costs two changes of thread for each request.
#[derive(Default)]
pub(super) struct Idle {
    all: Mutex<HashMap<Id, Vec<One>>>,
}

struct One {
    connection: Http1,
    address: usize,
    since: Instant,
}

impl Idle {
    /// Keeps a connection whose answer was read to its end.
    pub(super) fn keep(&self, connection: Http1, address: usize) {
        if connection.sender.is_closed() {
            return;
        }
        let mut runtimes = self.lock();
        let all = runtimes.entry(Handle::current().id()).or_default();
        let since = Instant::now();
        if all.len() >= MOST_IDLE {
            all.remove(0);
        }
        all.push(One {
            connection,
            address,
            since,
        });
    }

    /// One that will do, if there is one, and where it leads.
    pub(super) fn take(&self, wanted: Wanted) -> Option<(Http1, usize)> {
        let longest = match wanted {
            Wanted::Any => IDLE,
            Wanted::Recent => RECENT,
            Wanted::New => return None,
        };
        let mut runtimes = self.lock();
        let all = runtimes.get_mut(&Handle::current().id())?;
        let now = Instant::now();
        // The newest first, so that the others grow old and are closed.
        let mut looked_at = 0;
        let mut index = all.len();
        while index > 0 && looked_at < MOST_LOOKED_AT {
            index -= 1;
            let one = &all[index];
            if one.connection.sender.is_closed() || now.duration_since(one.since) >= IDLE {
                all.remove(index);
            } else if now.duration_since(one.since) >= longest {
                // All others are older.
                return None;
            } else if one.connection.sender.is_ready() {
                let One {
                    connection,
                    address,
                    ..
                } = all.remove(index);
                return Some((connection, address));
            } else {
                // Its last answer was read a moment ago, or its request's body is still being sent.
                looked_at += 1;
            }
        }
        None
    }

    /// Closes what has been idle for long.
    pub(super) fn tidy(&self) {
        let now = Instant::now();
        self.lock().retain(|_, all| {
            all.retain(|one| {
                !one.connection.sender.is_closed() && now.duration_since(one.since) < IDLE
            });
            !all.is_empty()
        });
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Id, Vec<One>>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
