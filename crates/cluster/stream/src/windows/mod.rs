//! Windows in event time: [`KeyedStream::window`](crate::KeyedStream::window).
//!
//! Start with [`kind`], which says which windows there are, and [`WindowedStream`], which is what
//! authors write with. `panes` and `sessions` are the logics, pure.

mod aggregate;
mod api;
mod grid;
mod kind;
mod panes;
mod sessions;
#[cfg(test)]
mod tests;
mod timers;
mod window;

use incumbent_state::hash_key;

pub use aggregate::Aggregate;
pub use api::WindowedStream;
pub use kind::{FixedWindows, Session, Sliding, Tumbling, Windows};
pub use window::{Window, Windowed};

pub(crate) use kind::FAR;
pub(crate) use timers::{NEVER, SLICE, Timers, never};
pub(crate) use window::Fired;

use crate::logic::{Data, Key};
use crate::state::Table;

/// Sets the timer of every key that has been restored.
pub(crate) fn restore_timers<K: Key, S: Data>(
    table: &mut Table<K, S>,
    timers: &mut Timers<K>,
    deadline: impl Fn(&S) -> i64,
    timer: impl Fn(&mut S) -> &mut i64,
) {
    let keys = table
        .iter()
        .map(|(key, kept)| (key.clone(), deadline(kept)));
    for (key, deadline) in keys.collect::<Vec<_>>() {
        let hash = hash_key(&key);
        if let Some(kept) = table.get_mut(hash, &key) {
            *timer(kept) = deadline;
            timers.set(deadline, hash, key);
        }
    }
}
