//! [`Room`]: the memory that answers which are read whole may take together.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What all answers that are read whole may take together.
pub(crate) struct Room {
    left: AtomicUsize,
}

/// Part of that room, given back when dropped.
pub(crate) struct Reserved {
    room: Arc<Room>,
    pub(super) bytes: usize,
}

impl Room {
    pub(crate) fn new(bytes: usize) -> Arc<Self> {
        Arc::new(Self {
            left: AtomicUsize::new(bytes),
        })
    }

    pub(super) fn reserve(self: &Arc<Self>, bytes: usize) -> Option<Reserved> {
        let take = |left: usize| left.checked_sub(bytes);
        self.left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, take)
            .ok()?;
        Some(Reserved {
            room: Arc::clone(self),
            bytes,
        })
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        self.room.left.fetch_add(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_that_are_read_whole_take_no_more_room_than_there_is() {
        let room = Room::new(100);
        let first = room.reserve(60).unwrap();
        assert!(room.reserve(41).is_none());
        let second = room.reserve(40).unwrap();
        assert!(room.reserve(1).is_none());
        drop(first);
        assert!(room.reserve(60).is_some());
        drop(second);
        assert!(room.reserve(100).is_some());
    }
}
