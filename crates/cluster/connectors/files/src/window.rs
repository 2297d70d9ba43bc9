//! [`Window`]: the part of a file that is in memory.

use std::io::{self, Read};

/// The longest record of a text file: a file without newlines must not fill the memory.
pub const LONGEST_RECORD: usize = 16 * 1024 * 1024;

/// How much is read at once: large enough that a system call costs nothing beside decoding, small
/// enough for the cache of the processor.
const CHUNK: usize = 256 * 1024;

/// The part of a file that is in memory: what was read and not yet decoded.
pub(crate) struct Window {
    input: Box<dyn Read>,
    bytes: Vec<u8>,
    start: usize,
    end: usize,
    has_ended: bool,
}

/// What [`Window::fill`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Filled {
    /// There is more.
    Some,
    /// There is nothing now. The input wakes the worker when there is.
    Waiting,
    /// The input has ended.
    Ended,
}

impl Window {
    /// Of an input that answers `WouldBlock` if it has nothing now.
    pub(crate) fn new(input: Box<dyn Read>) -> Self {
        Self {
            input,
            bytes: Vec::new(),
            start: 0,
            end: 0,
            has_ended: false,
        }
    }

    /// What is not consumed yet.
    pub(crate) fn unread(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    /// This many bytes have been dealt with.
    pub(crate) fn consume(&mut self, length: usize) {
        self.start += length;
        debug_assert!(self.start <= self.end, "only what was read is consumed");
    }

    /// The input has ended: `unread` is the rest of it.
    pub(crate) fn has_ended(&self) -> bool {
        self.has_ended
    }

    /// Reads some more behind what is unread.
    pub(crate) fn fill(&mut self) -> io::Result<Filled> {
        if self.has_ended {
            return Ok(Filled::Ended);
        }
        if self.start > 0 {
            self.bytes.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        if self.end + CHUNK / 2 > self.bytes.len() {
            let length = (self.bytes.len() * 2).max(CHUNK);
            self.bytes.resize(length, 0);
        }
        loop {
            match self.input.read(&mut self.bytes[self.end..]) {
                Ok(0) => {
                    self.has_ended = true;
                    return Ok(Filled::Ended);
                }
                Ok(read) => {
                    self.end += read;
                    return Ok(Filled::Some);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Ok(Filled::Waiting);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_unread_stays_in_order_while_more_is_read() {
        let content: Vec<u8> = (0..3_000_000u32).map(|at| (at % 251) as u8).collect();
        let mut window = Window::new(Box::new(io::Cursor::new(content.clone())));
        let mut seen = Vec::new();
        loop {
            let filled = window.fill().unwrap();
            let keep = match filled {
                Filled::Ended => 0,
                _ => window.unread().len().min(1000),
            };
            let taken = window.unread().len() - keep;
            seen.extend_from_slice(&window.unread()[..taken]);
            window.consume(taken);
            if filled == Filled::Ended {
                break;
            }
        }
        assert!(seen == content);
        assert!(window.bytes.len() <= 2 * CHUNK);
    }
}
