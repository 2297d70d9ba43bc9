//! Answers that are read whole before their head is passed on: [`read`].
//!
//! An answer whose head has been passed on can no longer be replaced: if the leader dies before the
//! body has come, the client gets a part of it. Reading a short answer whole costs little, and
//! until then the request can still be sent to the next leader.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http_body::{Body as _, Frame};
use hyper::body::Incoming;
use incumbent::Seal;
use tokio::time::Instant;

use super::room::Reserved;
use crate::decide::route::{Failure, Route};
use crate::leader::attempt::{Job, LOOK};
use crate::request::report::Report;
use crate::shared::Shared;

/// An answer in memory: one that was read whole, or one that is made here.
#[derive(Default)]
pub(crate) struct Whole {
    data: Option<Bytes>,
    trailers: Option<HeaderMap>,
    _reserved: Option<Reserved>,
}

/// What has been read of an answer.
#[derive(Default)]
struct Collected {
    /// Most answers come in one piece, which is passed on as it is.
    first: Bytes,
    all: BytesMut,
    trailers: Option<HeaderMap>,
}

impl Whole {
    pub(crate) fn made(data: Bytes) -> Self {
        Self {
            data: Some(data),
            ..Self::default()
        }
    }

    pub(crate) fn length(&self) -> usize {
        self.data.as_ref().map_or(0, Bytes::len)
    }

    pub(crate) fn is_end(&self) -> bool {
        self.data.is_none() && self.trailers.is_none()
    }

    /// The next piece of it.
    pub(crate) fn next(&mut self) -> Option<Frame<Bytes>> {
        match self.data.take() {
            Some(data) => Some(Frame::data(data)),
            None => self.trailers.take().map(Frame::trailers),
        }
    }
}

/// Room for this answer, if it is to be read whole: it says how long it is, that is within the
/// limit, and there is room left. The whole request must have been sent: an application may answer
/// piece by piece what its client sends piece by piece.
pub(crate) fn reserve(shared: &Shared, job: &Job<'_>, body: &Incoming) -> Option<Reserved> {
    let length = usize::try_from(body.size_hint().exact()?).ok()?;
    if length > shared.options.limits.whole_answer || !job.tape.is_over() {
        return None;
    }
    shared.whole_answers.reserve(length)
}

/// Reads an answer to its end.
///
/// # Errors
///
/// [`Failure`]: it did not come to its end. What follows is decided as if its head had not come.
pub(crate) async fn read(
    shared: &Shared,
    job: &Job<'_>,
    (route, report): (&Route, &Report),
    (term, body): (Seal, &mut Incoming),
    reserved: Reserved,
) -> Result<Whole, Failure> {
    let length = reserved.bytes;
    let mut collected = Collected::default();
    let mut look = job.client.timer(LOOK);
    let mut last_progress = None;
    let mut overtaken = None;
    while !body.is_end_stream() {
        let next = poll_fn(
            |cx: &mut Context<'_>| match Pin::new(&mut *body).poll_frame(cx) {
                Poll::Ready(frame) => Poll::Ready(Some(frame)),
                Poll::Pending => look.as_mut().poll(cx).map(|()| None),
            },
        );
        match next.await {
            Some(Some(Ok(frame))) => {
                last_progress = None;
                collected.add(frame, length);
            }
            Some(Some(Err(error))) => {
                tracing::debug!(%error, "an answer broke off before it was passed on");
                return Err(Failure::Broken { reused: false });
            }
            Some(None) => break,
            None => {
                let now = Instant::now();
                look.as_mut().reset(now + LOOK);
                let silent = waited(&mut last_progress, now);
                let overtaken = match shared.board.is_overtaken(term) {
                    true => Some(waited(&mut overtaken, now)),
                    false => None,
                };
                give_up(shared, job, (route, report), silent, overtaken)?;
            }
        }
    }
    job.client.leave(look);
    Ok(collected.whole(reserved))
}

/// How long ago something was first seen.
fn waited(since: &mut Option<Instant>, now: Instant) -> Duration {
    now.duration_since(*since.get_or_insert(now))
}

/// Whether an answer that has been silent for so long is not waited for any longer.
fn give_up(
    shared: &Shared,
    job: &Job<'_>,
    (route, report): (&Route, &Report),
    silent: Duration,
    overtaken: Option<Duration>,
) -> Result<(), Failure> {
    let times = &shared.options.times;
    if shared.is_closing() {
        return Err(Failure::Closing);
    }
    if overtaken.is_some_and(|overtaken| overtaken >= times.overtaken)
        && route.may_repeat(job.tape.kept())
    {
        return Err(Failure::Overtaken);
    }
    let longest = times.silence.unwrap_or(times.first_byte);
    let is_late = silent >= longest || times.total.is_some_and(|total| report.at() >= total);
    if is_late {
        return Err(Failure::Slow);
    }
    Ok(())
}

impl Collected {
    fn add(&mut self, frame: Frame<Bytes>, length: usize) {
        match frame.into_data() {
            Ok(data) if self.first.is_empty() => self.first = data,
            Ok(data) => {
                if self.all.is_empty() {
                    self.all.reserve(length);
                    self.all.extend_from_slice(&self.first);
                }
                self.all.extend_from_slice(&data);
            }
            Err(frame) => self.trailers = frame.into_trailers().ok(),
        }
    }

    fn whole(self, reserved: Reserved) -> Whole {
        let data = if self.all.is_empty() {
            self.first
        } else {
            self.all.freeze()
        };
        Whole {
            data: (!data.is_empty()).then_some(data),
            trailers: self.trailers,
            _reserved: Some(reserved),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::room::Room;
    use super::*;

    #[test]
    fn an_answer_that_comes_in_pieces_is_put_together() {
        let mut collected = Collected::default();
        for piece in ["one ", "two ", "three"] {
            collected.add(Frame::data(Bytes::from(piece)), 13);
        }
        let reserved = Room::new(13).reserve(13).unwrap();
        let mut whole = collected.whole(reserved);
        assert_eq!(whole.length(), 13);
        let data = whole.next().unwrap().into_data().unwrap();
        assert_eq!(data, "one two three");
        assert!(whole.is_end());
    }
}
