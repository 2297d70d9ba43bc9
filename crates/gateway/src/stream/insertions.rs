//! What the gateway writes on a connection of HTTP/1.1 beside what hyper writes: [`Insertions`].
//!
//! hyper's server sends no interim answers (1xx), and both its sides leave out trailers that the
//! head did not declare in `Trailer`. The connection inserts both instead:
//!
//! - An *interim answer* goes between two messages. hyper flushes a connection only when it has
//!   nothing left to write, so the first bytes after a flush begin a message as long as the request
//!   waits for the head of its answer.
//! - *Trailers* replace the end of a chunked body. The body ends with one chunk of random letters,
//!   and the connection replaces that chunk, and the last chunk behind it, by the last chunk with
//!   the trailers. 128 random bits tell the chunk from data.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};

/// How many bytes of interim answers may wait for their turn. More are dropped: they are hints.
const MOST_INTERIM: usize = 16 * 1024;
/// How many random letters mark the end of a body, of four bits each.
const MARK: usize = 32;
/// How hyper writes a chunk with the mark, and then the end of the body.
const FRAMED_MARK: usize = b"20\r\n".len() + MARK + b"\r\n0\r\n\r\n".len();

/// What waits to be inserted into a connection. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Insertions(Arc<Shared>);

#[derive(Default)]
struct Shared {
    /// Whether there may be something. Most writes ask this, and nothing else.
    is_waiting: AtomicBool,
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    /// The number of the request that is being answered.
    request: u64,
    /// Whether that request still waits for the head of its answer.
    is_open: bool,
    interim: Vec<u8>,
    trailers: Option<Trailers>,
}

/// Trailers, and how the body ends that they belong to.
struct Trailers {
    framed_mark: [u8; FRAMED_MARK],
    /// How much of the mark was written last.
    matched: usize,
    end: Vec<u8>,
}

/// Takes interim answers for one request until it is dropped: then the head of its answer follows.
pub(crate) struct Interim {
    insertions: Insertions,
    request: u64,
}

/// Passes interim answers of one request on to its client, from wherever they come.
#[derive(Clone)]
pub(crate) struct InterimSender {
    insertions: Insertions,
    request: u64,
    /// Wakes the task that serves the connection.
    connection: Waker,
}

/// The connection's side: puts the insertions where they belong.
#[derive(Default)]
pub(super) struct Inserter {
    insertions: Insertions,
    /// Whether hyper has written nothing since it last flushed.
    is_at_border: bool,
    /// What is written before anything else.
    out: Bytes,
}

impl Insertions {
    /// A request has come whose answer may be preceded by interim ones.
    pub(crate) fn expect_interim(&self) -> Interim {
        let mut waiting = self.lock();
        waiting.request += 1;
        waiting.is_open = true;
        waiting.interim.clear();
        Interim {
            insertions: self.clone(),
            request: waiting.request,
        }
    }

    /// Ends the body that is being written with these trailers: what it returns must be the last
    /// piece of the body.
    pub(crate) fn end_with(&self, trailers: &HeaderMap) -> Bytes {
        let mark = mark();
        let mut framed_mark = [0; FRAMED_MARK];
        framed_mark[..4].copy_from_slice(b"20\r\n");
        framed_mark[4..4 + MARK].copy_from_slice(&mark);
        framed_mark[4 + MARK..].copy_from_slice(b"\r\n0\r\n\r\n");
        let mut end = b"0\r\n".to_vec();
        write_fields(&mut end, trailers);
        self.lock().trailers = Some(Trailers {
            framed_mark,
            matched: 0,
            end,
        });
        self.0.is_waiting.store(true, Ordering::Release);
        Bytes::copy_from_slice(&mark)
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        let waiting = self.0.waiting.lock();
        waiting.unwrap_or_else(PoisonError::into_inner)
    }
}

impl Interim {
    /// What passes interim answers on, called in the task that serves the connection.
    pub(crate) fn sender(&self, connection: Waker) -> InterimSender {
        InterimSender {
            insertions: self.insertions.clone(),
            request: self.request,
            connection,
        }
    }
}

impl Drop for Interim {
    fn drop(&mut self) {
        let mut waiting = self.insertions.lock();
        if waiting.request == self.request {
            waiting.is_open = false;
        }
    }
}

impl InterimSender {
    /// Passes an interim answer on, unless its request has been answered by now.
    pub(crate) fn send(&self, status: StatusCode, headers: &HeaderMap) {
        let mut head = format!("HTTP/1.1 {} ", status.as_str()).into_bytes();
        head.extend_from_slice(status.canonical_reason().unwrap_or_default().as_bytes());
        head.extend_from_slice(b"\r\n");
        write_fields(&mut head, headers);
        let mut waiting = self.insertions.lock();
        let is_for_us = waiting.request == self.request && waiting.is_open;
        if !is_for_us || waiting.interim.len() + head.len() > MOST_INTERIM {
            return;
        }
        waiting.interim.append(&mut head);
        self.insertions.0.is_waiting.store(true, Ordering::Release);
        drop(waiting);
        self.connection.wake_by_ref();
    }
}

impl Inserter {
    pub(super) fn new(insertions: Insertions) -> Self {
        Self {
            insertions,
            is_at_border: true,
            out: Bytes::new(),
        }
    }

    /// What has to be written before hyper goes on.
    pub(super) fn out(&mut self) -> &mut Bytes {
        &mut self.out
    }

    /// Hyper is about to write. Whether [`replace`](Self::replace) has to be asked what.
    pub(super) fn before_write(&mut self) -> bool {
        let was_at_border = std::mem::take(&mut self.is_at_border);
        if !self.insertions.0.is_waiting.load(Ordering::Acquire) {
            return false;
        }
        let insertions = self.insertions.clone();
        let mut waiting = insertions.lock();
        let interim = std::mem::take(&mut waiting.interim);
        // Elsewhere it would stand in the middle of a message.
        if was_at_border {
            self.out = interim.into();
        }
        self.note(&waiting);
        waiting.trailers.is_some()
    }

    /// Hyper has nothing left to write.
    pub(super) fn at_flush(&mut self) {
        self.is_at_border = true;
        if !self.insertions.0.is_waiting.load(Ordering::Acquire) {
            return;
        }
        let insertions = self.insertions.clone();
        let mut waiting = insertions.lock();
        let interim = std::mem::take(&mut waiting.interim);
        // Once the head of the answer is written, what follows a flush is its body.
        if waiting.is_open {
            self.out = interim.into();
        }
        self.note(&waiting);
    }

    /// Takes what hyper writes, and turns it into what is written instead.
    pub(super) fn replace<'a>(&mut self, written: impl Iterator<Item = &'a [u8]>) -> usize {
        let insertions = self.insertions.clone();
        let mut waiting = insertions.lock();
        let (mut out, mut taken) = (Vec::new(), 0);
        for part in written {
            taken += part.len();
            let Some(trailers) = &mut waiting.trailers else {
                out.extend_from_slice(part);
                continue;
            };
            let rest = trailers.replace(part, &mut out);
            if trailers.matched == FRAMED_MARK {
                out.extend_from_slice(&trailers.end);
                out.extend_from_slice(rest);
                waiting.trailers = None;
            }
        }
        self.note(&waiting);
        self.out = out.into();
        taken
    }

    fn note(&self, waiting: &Waiting) {
        let is_waiting = waiting.trailers.is_some();
        self.insertions
            .0
            .is_waiting
            .store(is_waiting, Ordering::Release);
    }
}

impl Trailers {
    /// Copies what is not the mark. Returns what follows the mark.
    fn replace<'a>(&mut self, written: &'a [u8], out: &mut Vec<u8>) -> &'a [u8] {
        for (index, byte) in written.iter().enumerate() {
            if *byte != self.framed_mark[self.matched] {
                // No other part of the mark begins as the whole does: there is no digit in it.
                out.extend_from_slice(&self.framed_mark[..self.matched]);
                self.matched = 0;
            }
            if *byte == self.framed_mark[self.matched] {
                self.matched += 1;
            } else {
                out.push(*byte);
            }
            if self.matched == FRAMED_MARK {
                return &written[index + 1..];
            }
        }
        &[]
    }
}

/// Random letters.
fn mark() -> [u8; MARK] {
    let random = rand::random::<u128>().to_be_bytes();
    let mut mark = [0; MARK];
    for (two, byte) in mark.chunks_exact_mut(2).zip(random) {
        two.copy_from_slice(&[b'a' + (byte >> 4), b'a' + (byte & 15)]);
    }
    mark
}

/// Fields, and the empty line behind them.
fn write_fields(out: &mut Vec<u8>, fields: &HeaderMap) {
    for (name, value) in fields {
        for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
            out.extend_from_slice(part);
        }
    }
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use http::HeaderValue;
    use http::header::LINK;

    use super::*;

    fn fields(name: &'static str, value: &'static str) -> HeaderMap {
        let mut fields = HeaderMap::new();
        fields.insert(name, HeaderValue::from_static(value));
        fields
    }

    /// What is on the wire after hyper has written this in these pieces.
    fn written(inserter: &mut Inserter, pieces: &[&[u8]]) -> Vec<u8> {
        let mut wire = Vec::new();
        for piece in pieces {
            let replaces = inserter.before_write();
            wire.extend_from_slice(&std::mem::take(inserter.out()));
            if replaces {
                assert_eq!(inserter.replace([*piece].into_iter()), piece.len());
                wire.extend_from_slice(&std::mem::take(inserter.out()));
            } else {
                wire.extend_from_slice(piece);
            }
        }
        wire
    }

    #[test]
    fn trailers_replace_the_end_of_a_body_wherever_its_pieces_are_cut() {
        for cut in 0..60 {
            let insertions = Insertions::default();
            let mut inserter = Inserter::new(insertions.clone());
            let mark = insertions.end_with(&fields("x-sum", "7"));
            // The data before the mark looks like its beginning.
            let all = [
                b"4\r\n20\r\n\r\n20\r\n",
                &mark[..],
                b"\r\n0\r\n\r\nHTTP/1.1 200 OK",
            ]
            .concat();
            let (one, other) = all.split_at(cut.min(all.len()));
            let wire = written(&mut inserter, &[one, other]);
            let expected = b"4\r\n20\r\n\r\n0\r\nx-sum: 7\r\n\r\nHTTP/1.1 200 OK";
            assert_eq!(
                String::from_utf8_lossy(&wire),
                String::from_utf8_lossy(expected),
                "cut at {cut}"
            );
            assert!(
                !inserter.before_write(),
                "the next message is written as it is"
            );
        }
    }

    #[test]
    fn the_mark_of_another_body_is_data() {
        let insertions = Insertions::default();
        let mut inserter = Inserter::new(insertions.clone());
        let other = Insertions::default().end_with(&HeaderMap::new());
        let mark = insertions.end_with(&fields("x-sum", "7"));
        let foreign = [b"20\r\n", &other[..], b"\r\n"].concat();
        let own = [b"20\r\n", &mark[..], b"\r\n0\r\n\r\n"].concat();
        let wire = written(&mut inserter, &[&foreign, &own]);
        assert_eq!(wire, [&foreign[..], b"0\r\nx-sum: 7\r\n\r\n"].concat());
    }

    fn hint() -> Vec<u8> {
        b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n".to_vec()
    }

    fn send(interim: &Interim) -> InterimSender {
        let sender = interim.sender(Waker::noop().clone());
        sender.send(StatusCode::EARLY_HINTS, &fields(LINK.as_str(), "</a>"));
        sender
    }

    #[test]
    fn an_interim_answer_goes_before_the_head_and_never_into_a_body() {
        let insertions = Insertions::default();
        let mut inserter = Inserter::new(insertions.clone());
        let interim = insertions.expect_interim();
        let late = send(&interim);
        inserter.at_flush();
        assert_eq!(
            std::mem::take(inserter.out()),
            hint(),
            "at once, while it waits"
        );
        send(&interim);
        drop(interim);
        let head = b"HTTP/1.1 200 OK\r\n\r\n";
        let wire = written(&mut inserter, &[head]);
        assert_eq!(
            wire,
            [&hint()[..], head].concat(),
            "before the head at the latest"
        );
        late.send(StatusCode::EARLY_HINTS, &HeaderMap::new());
        inserter.at_flush();
        assert_eq!(written(&mut inserter, &[b"body"]), b"body");
        let _next = insertions.expect_interim();
        late.send(StatusCode::EARLY_HINTS, &HeaderMap::new());
        inserter.at_flush();
        assert!(
            inserter.out().is_empty(),
            "not before the next request's answer"
        );
    }

    #[test]
    fn an_interim_answer_does_not_cut_an_answer_that_is_still_being_written() {
        let insertions = Insertions::default();
        let mut inserter = Inserter::new(insertions.clone());
        assert_eq!(written(&mut inserter, &[b"the first"]), b"the first");
        let interim = insertions.expect_interim();
        send(&interim);
        assert_eq!(written(&mut inserter, &[b" answer"]), b" answer");
    }
}
