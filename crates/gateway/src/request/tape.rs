//! The body of a request: [`Tape`] lets it through, and keeps what it can so that it can be sent
//! again.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt as _;
use http_body_util::combinators::UnsyncBoxBody;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep};

use crate::decide::repeat::Kept;
use crate::headers;
use crate::stream::insertions::Insertions;

/// What bodies fail with.
pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;
/// The body of a request, from wherever it comes.
pub(crate) type Source = UnsyncBoxBody<Bytes, BoxError>;

/// The body of one request.
#[derive(Clone)]
pub(crate) struct Tape {
    reel: Option<Arc<Mutex<Reel>>>,
}

/// The body as one attempt sends it, from its beginning. Only the newest of a tape goes on.
pub(crate) struct Playback {
    reel: Option<Arc<Mutex<Reel>>>,
    number: u64,
    left: SizeHint,
    /// Where trailers go, on a connection of HTTP/1.1.
    insertions: Option<Insertions>,
}

/// What a tape may keep and take.
#[derive(Clone, Debug)]
pub(crate) struct Allowance {
    /// Bytes to keep of one body.
    pub(crate) kept: usize,
    /// Bytes to keep of all bodies.
    pub(crate) room: Arc<Semaphore>,
    /// The longest body.
    pub(crate) longest: Option<u64>,
    /// How long to wait for more.
    pub(crate) stall: Duration,
}

/// Why the client's body ended early. Nothing of it is the leader's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Spoilt {
    #[error("the body is longer than allowed")]
    TooLong,
    #[error("the body did not arrive")]
    Late,
    #[error("the body is malformed")]
    Malformed,
}

/// The attempt that this body belonged to was given up.
#[derive(Debug, thiserror::Error)]
#[error("another attempt has begun")]
struct Superseded;

struct Reel {
    source: Source,
    hint: SizeHint,
    allowance: Allowance,
    /// A copy of what was read, unless it is cut. A copy, as a piece of a body holds on to all that
    /// came with it.
    copy: Vec<u8>,
    /// How much of the copy the newest playback has had.
    played: usize,
    room: Option<OwnedSemaphorePermit>,
    /// Nothing more is kept, and the copy goes when it was played.
    is_cut: bool,
    read: u64,
    is_over: bool,
    spoilt: Option<Spoilt>,
    /// The number of the newest playback.
    newest: u64,
    stalled: Option<Pin<Box<Sleep>>>,
    /// Whether somebody waits for more from the source.
    is_awaited: bool,
}

enum Kind {
    Data(Bytes),
    Trailers(http::HeaderMap),
}

impl Tape {
    /// Keeps `source` within the allowance.
    pub(crate) fn new(source: Source, allowance: &Allowance) -> Self {
        if source.is_end_stream() {
            return Self { reel: None };
        }
        let reel = Reel {
            hint: source.size_hint(),
            source,
            allowance: allowance.clone(),
            copy: Vec::new(),
            played: 0,
            room: None,
            is_cut: false,
            read: 0,
            is_over: false,
            spoilt: None,
            newest: 0,
            stalled: None,
            is_awaited: false,
        };
        Self {
            reel: Some(Arc::new(Mutex::new(reel))),
        }
    }

    /// The body from its beginning, for the next attempt. Earlier ones end with an error.
    pub(crate) fn play(&self, insertions: Option<Insertions>) -> Playback {
        let Some(reel) = &self.reel else {
            return Playback {
                reel: None,
                number: 0,
                left: SizeHint::with_exact(0),
                insertions,
            };
        };
        let mut inner = lock(reel);
        inner.newest += 1;
        inner.played = 0;
        Playback {
            number: inner.newest,
            left: inner.hint,
            insertions,
            reel: Some(Arc::clone(reel)),
        }
    }

    /// Whether it can be sent from its beginning.
    pub(crate) fn kept(&self) -> Kept {
        match self.reel.as_ref().map(lock) {
            Some(reel) if reel.is_cut || reel.spoilt.is_some() => Kept::Cut,
            Some(_) | None => Kept::Whole,
        }
    }

    /// Whether all of it was read.
    pub(crate) fn is_over(&self) -> bool {
        self.reel.as_ref().is_none_or(|reel| lock(reel).is_over)
    }

    /// Whether more of it is waited for, and has not come from the client.
    pub(crate) fn is_awaited(&self) -> bool {
        self.reel.as_ref().is_some_and(|reel| lock(reel).is_awaited)
    }

    /// Why it ended early, if it did.
    pub(crate) fn spoilt(&self) -> Option<Spoilt> {
        self.reel.as_ref().and_then(|reel| lock(reel).spoilt)
    }

    /// How many bytes were read.
    pub(crate) fn read(&self) -> u64 {
        self.reel.as_ref().map_or(0, |reel| lock(reel).read)
    }

    /// It will not be sent again: what is kept may go.
    pub(crate) fn forget(&self) {
        if let Some(reel) = &self.reel {
            let mut reel = lock(reel);
            // What a later attempt has not replayed yet is still wanted.
            reel.is_cut = true;
            reel.drop_played();
        }
    }
}

impl Spoilt {
    /// Why reading the body failed: what came is no body, or nothing comes any more.
    fn of(error: &(dyn std::error::Error + 'static)) -> Self {
        let mut cause = Some(error);
        while let Some(error) = cause {
            if let Some(error) = error.downcast_ref::<io::Error>()
                && matches!(
                    error.kind(),
                    io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData
                )
            {
                return Self::Malformed;
            }
            cause = error.source();
        }
        Self::Late
    }
}

impl Body for Playback {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = self.get_mut();
        let Some(reel) = &this.reel else {
            return Poll::Ready(None);
        };
        let mut reel = lock(reel);
        if reel.newest != this.number {
            return Poll::Ready(Some(Err(Superseded.into())));
        }
        let frame = match reel.replay() {
            Some(kind) => Some(Ok(kind)),
            None => ready!(reel.poll_more(cx)).map(|kind| kind.map_err(BoxError::from)),
        };
        drop(reel);
        Poll::Ready(match frame {
            Some(Ok(Kind::Data(data))) => {
                let length = data.len() as u64;
                if let Some(exact) = this.left.exact() {
                    this.left.set_exact(exact.saturating_sub(length));
                }
                Some(Ok(Frame::data(data)))
            }
            Some(Ok(Kind::Trailers(trailers))) => this.trailers(trailers).map(Ok),
            Some(Err(error)) => Some(Err(error)),
            None => None,
        })
    }

    fn is_end_stream(&self) -> bool {
        let Some(reel) = &self.reel else { return true };
        let reel = lock(reel);
        reel.is_over && reel.newest == self.number && reel.played == reel.copy.len()
    }

    fn size_hint(&self) -> SizeHint {
        self.left
    }
}

impl Playback {
    /// The frame that passes these trailers on, if there is anything to pass on and a place for it.
    fn trailers(&self, mut trailers: http::HeaderMap) -> Option<Frame<Bytes>> {
        headers::trailers(&mut trailers);
        if trailers.is_empty() {
            return None;
        }
        match &self.insertions {
            None => Some(Frame::trailers(trailers)),
            // A body with a length has no end for them.
            Some(_) if self.left.exact().is_some() => None,
            Some(insertions) => Some(Frame::data(insertions.end_with(&trailers))),
        }
    }
}

impl Reel {
    /// What an earlier attempt has read already.
    fn replay(&mut self) -> Option<Kind> {
        if self.played < self.copy.len() {
            let data = Bytes::copy_from_slice(&self.copy[self.played..]);
            self.played = self.copy.len();
            self.drop_played();
            return Some(Kind::Data(data));
        }
        None
    }

    fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Kind, Spoilt>>> {
        if let Some(spoilt) = self.spoilt {
            return Poll::Ready(Some(Err(spoilt)));
        }
        if self.is_over {
            return Poll::Ready(None);
        }
        let polled = Pin::new(&mut self.source).poll_frame(cx);
        self.is_awaited = polled.is_pending();
        let Poll::Ready(frame) = polled else {
            let stall = self.allowance.stall;
            let late = self
                .stalled
                .get_or_insert_with(|| Box::pin(tokio::time::sleep(stall)));
            ready!(late.as_mut().poll(cx));
            return Poll::Ready(self.spoil(Spoilt::Late));
        };
        // The timer is kept for the next wait, as making one costs more than setting it.
        if let Some(stalled) = &mut self.stalled {
            stalled
                .as_mut()
                .reset(Instant::now() + self.allowance.stall);
        }
        let kind = match frame {
            None => {
                self.is_over = true;
                return Poll::Ready(None);
            }
            Some(Err(error)) => return Poll::Ready(self.spoil(Spoilt::of(&*error))),
            Some(Ok(frame)) => match frame.into_data() {
                Ok(mut data) => Kind::Data(data.copy_to_bytes(data.remaining())),
                Err(frame) => match frame.into_trailers() {
                    Ok(trailers) => Kind::Trailers(trailers),
                    // There are no others.
                    Err(_) => Kind::Data(Bytes::new()),
                },
            },
        };
        if let Kind::Data(data) = &kind {
            self.read += data.len() as u64;
            if self
                .allowance
                .longest
                .is_some_and(|longest| self.read > longest)
            {
                return Poll::Ready(self.spoil(Spoilt::TooLong));
            }
        }
        self.is_over = self.source.is_end_stream();
        self.keep(&kind);
        Poll::Ready(Some(Ok(kind)))
    }

    fn keep(&mut self, kind: &Kind) {
        match kind {
            Kind::Data(data) if !self.is_cut && self.has_room(data.len()) => {
                self.copy.extend_from_slice(data);
                self.played = self.copy.len();
            }
            // A body with trailers, once it was read to its end, is not sent again: they are rare
            // where bodies are small.
            Kind::Data(_) | Kind::Trailers(_) => {
                self.is_cut = true;
                self.drop_played();
            }
        }
    }

    fn has_room(&mut self, length: usize) -> bool {
        if self.copy.len() + length > self.allowance.kept {
            return false;
        }
        let Ok(wanted) = u32::try_from(length) else {
            return false;
        };
        let room = Arc::clone(&self.allowance.room);
        let Ok(more) = room.try_acquire_many_owned(wanted) else {
            return false;
        };
        match &mut self.room {
            Some(room) => room.merge(more),
            None => self.room = Some(more),
        }
        true
    }

    fn drop_played(&mut self) {
        if self.is_cut && self.played == self.copy.len() {
            (self.copy, self.played) = (Vec::new(), 0);
            self.room = None;
        }
    }

    fn spoil(&mut self, why: Spoilt) -> Option<Result<Kind, Spoilt>> {
        self.spoilt = Some(why);
        Some(Err(why))
    }
}

/// Any body as the one that requests have here.
pub(crate) fn source<B>(body: B) -> Source
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    body.map_err(Into::into).boxed_unsync()
}

fn lock(reel: &Arc<Mutex<Reel>>) -> MutexGuard<'_, Reel> {
    reel.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
