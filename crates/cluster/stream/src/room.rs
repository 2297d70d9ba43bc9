//! [`Room`]: a bound on what is on its way from the worker, in bytes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::Waker;

/// How many bytes of a snapshot may be on their way from the worker to files: far more than the
/// thread that makes files takes in at once, and little beside the state. A disk that is slower
/// than the worker makes the worker encode more slowly, and takes no more memory.
pub(crate) const MOST_ON_THE_WAY: usize = 64 << 20;

/// Room for bytes that are on their way to another thread, shared by both sides.
///
/// It does not block: the sender asks [`has_room`](Self::has_room) before it makes more, and is
/// woken when there is room again. What it makes at once may be too much by itself.
#[derive(Clone, Debug)]
pub(crate) struct Room(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    most: usize,
    taken: AtomicUsize,
    sender: Waker,
}

/// Bytes that are on their way. Dropping it gives their room back.
#[derive(Debug)]
pub(crate) struct Held {
    bytes: usize,
    room: Room,
}

impl Room {
    /// For so many bytes. The sender is woken whenever it was full and is not any more.
    pub(crate) fn new(most: usize, sender: Waker) -> Self {
        Self(Arc::new(Shared {
            most,
            taken: AtomicUsize::new(0),
            sender,
        }))
    }

    pub(crate) fn has_room(&self) -> bool {
        self.0.taken.load(Ordering::Acquire) < self.0.most
    }

    /// How much there is.
    pub(crate) fn most(&self) -> usize {
        self.0.most
    }

    /// Takes room for these, also if there is none.
    pub(crate) fn hold(&self, bytes: usize) -> Held {
        self.0.taken.fetch_add(bytes, Ordering::AcqRel);
        Held {
            bytes,
            room: self.clone(),
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let Shared {
            most,
            taken,
            sender,
        } = &*self.room.0;
        let before = taken.fetch_sub(self.bytes, Ordering::AcqRel);
        if before >= *most && before - self.bytes < *most {
            sender.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sender_is_woken_once_when_there_is_room_again() {
        let woken = Arc::new(AtomicUsize::new(0));
        let counting = Arc::clone(&woken);
        let wake = move || {
            counting.fetch_add(1, Ordering::AcqRel);
        };
        let room = Room::new(10, Waker::new(wake));
        let (four, five) = (room.hold(4), room.hold(5));
        assert!(room.has_room());
        let twenty = room.hold(20);
        assert!(!room.has_room());
        drop(four);
        assert_eq!((room.has_room(), woken.load(Ordering::Acquire)), (false, 0));
        drop(twenty);
        assert_eq!((room.has_room(), woken.load(Ordering::Acquire)), (true, 1));
        drop(five);
        assert_eq!(woken.load(Ordering::Acquire), 1);
    }
}
