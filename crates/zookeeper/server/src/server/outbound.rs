//! What waits to be sent on one connection, in order.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::machine::Closed;

/// What waits to be sent on one connection. It is filled under the lock of the hub, so that all
/// replies and events have one order.
#[derive(Default)]
pub(super) struct Outbound {
    queue: Mutex<Queue>,
    /// Notified when a task other than the connection's own has added something.
    pub(super) added: Notify,
}

#[derive(Default)]
struct Queue {
    pieces: VecDeque<Piece>,
    bytes: usize,
    /// How many of these are of events.
    event_bytes: usize,
    closing: Option<Closed>,
}

/// Frames that may be sent when the same change is durable.
struct Piece {
    after: u64,
    frames: Vec<u8>,
    event_bytes: usize,
}

/// What a connection must do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NextStep {
    /// Nothing waits.
    Idle,
    /// Something waits until this change is durable.
    Waits(u64),
    /// Everything was taken, and the connection must be closed.
    Close(Closed),
}

impl Outbound {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        // A panic elsewhere leaves whole frames or none.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds what `write` writes, to be sent when `after` is durable. Gives back how many bytes
    /// those are.
    pub(super) fn push(&self, after: u64, write: impl FnOnce(&mut Vec<u8>)) -> usize {
        self.add(after, false, write)
    }

    /// The same for an event.
    pub(super) fn push_event(&self, after: u64, write: impl FnOnce(&mut Vec<u8>)) -> usize {
        self.add(after, true, write)
    }

    fn add(&self, after: u64, is_event: bool, write: impl FnOnce(&mut Vec<u8>)) -> usize {
        let mut queue = self.queue();
        if queue.closing.is_some() {
            return 0;
        }
        if queue.pieces.back().is_none_or(|piece| piece.after != after) {
            let frames = Vec::new();
            queue.pieces.push_back(Piece {
                after,
                frames,
                event_bytes: 0,
            });
        }
        let piece = queue
            .pieces
            .back_mut()
            .expect("one is there or was just added");
        let before = piece.frames.len();
        write(&mut piece.frames);
        let added = piece.frames.len() - before;
        let events = if is_event { added } else { 0 };
        piece.event_bytes += events;
        queue.event_bytes += events;
        queue.bytes += added;
        added
    }

    /// Closes the connection after everything before this. Nothing is added any more.
    pub(super) fn close(&self, why: Closed) {
        self.queue().closing.get_or_insert(why);
    }

    /// Moves what may be sent to `out`. Returns what comes next.
    pub(super) fn take(&self, durable: u64, out: &mut Vec<u8>) -> NextStep {
        let mut queue = self.queue();
        while let Some(piece) = queue.pieces.pop_front_if(|piece| piece.after <= durable) {
            queue.bytes -= piece.frames.len();
            queue.event_bytes -= piece.event_bytes;
            if out.is_empty() {
                *out = piece.frames;
            } else {
                out.extend_from_slice(&piece.frames);
            }
        }
        queue.next(durable)
    }

    /// What comes next, while earlier bytes are still being sent.
    pub(super) fn next(&self, durable: u64) -> NextStep {
        self.queue().next(durable)
    }

    /// How many bytes wait.
    pub(super) fn bytes(&self) -> usize {
        self.queue().bytes
    }

    /// How many of them are of events.
    pub(super) fn event_bytes(&self) -> usize {
        self.queue().event_bytes
    }
}

impl Queue {
    fn next(&self, durable: u64) -> NextStep {
        match (self.pieces.front(), self.closing) {
            (Some(piece), _) if piece.after > durable => NextStep::Waits(piece.after),
            (_, Some(why)) => NextStep::Close(why),
            (_, None) => NextStep::Idle,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_taken_before_what_it_follows_is_durable() {
        let outbound = Outbound::default();
        let mut out = Vec::new();
        outbound.push(0, |out| out.push(1));
        outbound.push(7, |out| out.push(2));
        outbound.push(7, |out| out.push(3));
        outbound.push(8, |out| out.push(4));
        assert_eq!(outbound.take(6, &mut out), NextStep::Waits(7));
        assert_eq!(out, [1]);
        assert_eq!(outbound.take(7, &mut out), NextStep::Waits(8));
        assert_eq!(out, [1, 2, 3]);
        outbound.close(Closed::Expired);
        outbound.push(8, |out| out.push(5));
        assert_eq!(outbound.take(7, &mut out), NextStep::Waits(8));
        assert_eq!(outbound.take(9, &mut out), NextStep::Close(Closed::Expired));
        assert_eq!(out, [1, 2, 3, 4]);
        assert_eq!(outbound.bytes(), 0);
    }

    #[test]
    fn events_are_counted_apart() {
        let outbound = Outbound::default();
        outbound.push(7, |out| out.extend_from_slice(&[1; 10]));
        outbound.push_event(7, |out| out.extend_from_slice(&[2; 5]));
        assert_eq!((outbound.bytes(), outbound.event_bytes()), (15, 5));
        assert_eq!(outbound.next(6), NextStep::Waits(7));
        assert_eq!(outbound.next(7), NextStep::Idle);
        assert_eq!(outbound.take(7, &mut Vec::new()), NextStep::Idle);
        assert_eq!((outbound.bytes(), outbound.event_bytes()), (0, 0));
    }
}
