//! The body of an answer: [`Answer`].

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt as _;
use http::Response;
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep};

use crate::answer::ending::Ending;
use crate::answer::flow::{Flow, PIECE};
use crate::answer::whole::Whole;
use crate::decide::problem::Problem;
use crate::headers;
use crate::leader::connection::Http1;
use crate::leader::share::Share;
use crate::leader::target::Target;
use crate::request::activity::Busy;
use crate::request::report::Report;
use crate::request::tape::{BoxError, Tape};
use crate::stream::insertions::Insertions;

/// The body of an answer: passed on as it comes, or already in memory.
pub struct Answer {
    kind: Kind,
    report: Option<Box<Report>>,
    /// The request, on a connection that is served here, and whether it has a body.
    busy: Option<(Busy, bool)>,
    /// On a stream of HTTP/2, whose client is watched.
    flow: Option<Arc<Flow>>,
    /// How many pieces were given out, and what is left of the last one.
    pieces: u64,
    rest: Bytes,
    /// Whether what was given out before has been sent, or is being sent.
    is_flushed: bool,
    /// Why the body ends early, told next.
    error: Option<BoxError>,
}

enum Kind {
    Whole(Whole),
    Passed(Box<Passed>),
}

/// What is passed on.
pub(crate) struct Passed {
    pub(crate) body: Incoming,
    /// The connection that it comes on, if others can use it afterwards.
    pub(crate) back: Option<Back>,
    /// Its place on a connection of HTTP/2, until it ends.
    pub(crate) _share: Option<Share>,
    pub(crate) silence: Option<Silence>,
    pub(crate) ending: Ending,
    pub(crate) trailers: Trailers,
}

/// What becomes of the trailers of an answer.
pub(crate) enum Trailers {
    /// They are passed on as a frame of their own.
    Passed,
    /// They are inserted into the client's connection of HTTP/1.1.
    Inserted(Insertions),
    /// They are dropped: the client does not accept them, or the answer has no place for them.
    Dropped,
}

/// A connection on loan.
pub(crate) struct Back {
    pub(crate) connection: Http1,
    pub(crate) address: usize,
    pub(crate) target: Arc<Target>,
}

/// How long a body may be silent.
pub(crate) struct Silence {
    longest: Duration,
    timer: Pin<Box<Sleep>>,
}

/// Why the answer was cut off by the gateway.
#[derive(Debug, thiserror::Error)]
enum Cut {
    #[error("the answer was silent for too long")]
    Silent,
    #[error("the answer took too long, or its sender no longer leads")]
    Ended,
}

impl Answer {
    /// An answer of the gateway's own that is none of its problems.
    pub(crate) fn own(found: Response<Full<Bytes>>, mut report: Box<Report>) -> Response<Self> {
        report.status = found.status();
        let (parts, body) = found.into_parts();
        let whole = body.collect().now_or_never();
        let whole = whole.expect("a body in memory is there at once");
        let Ok(whole) = whole;
        let whole = whole.to_bytes();
        let body = Self::new(Kind::Whole(Whole::made(whole)), Some(report));
        Response::from_parts(parts, body)
    }

    pub(crate) fn problem(problem: Problem, mut report: Option<Box<Report>>) -> Response<Self> {
        let only_reads = report.as_ref().is_some_and(|report| report.only_reads);
        let body = problem.body(only_reads);
        if let Some(report) = &mut report {
            report.problem = Some(problem);
            report.status = problem.status();
        }
        let mut response = Response::new(());
        *response.status_mut() = problem.status();
        *response.headers_mut() = problem.headers(&body);
        response.map(|()| Self::new(Kind::Whole(Whole::made(body)), report))
    }

    pub(crate) fn passed(passed: Passed, report: Box<Report>) -> Self {
        let mut answer = Self::new(Kind::Passed(Box::new(passed)), Some(report));
        // Nobody asks for the first frame of an empty body.
        if answer.is_end_stream() {
            answer.finish();
        }
        answer
    }

    pub(crate) fn whole(whole: Whole, report: Box<Report>) -> Self {
        let mut answer = Self::new(Kind::Whole(whole), Some(report));
        if answer.is_end_stream() {
            answer.finish();
        }
        answer
    }

    /// Nothing: what follows is no HTTP.
    pub(crate) fn upgraded(report: Box<Report>) -> Self {
        let mut answer = Self::new(Kind::Whole(Whole::default()), Some(report));
        answer.finish();
        answer
    }

    fn new(kind: Kind, report: Option<Box<Report>>) -> Self {
        Self {
            kind,
            report,
            busy: None,
            flow: None,
            pieces: 0,
            rest: Bytes::new(),
            is_flushed: false,
            error: None,
        }
    }

    /// Tells whether it waits for its client.
    #[must_use]
    pub(crate) fn flowing(mut self, flow: Option<Arc<Flow>>) -> Self {
        self.flow = flow;
        self
    }

    /// The request is being answered until this ends.
    #[must_use]
    pub(crate) fn of(mut self, request: Busy, has_body: bool) -> Self {
        self.busy = Some((request, has_body));
        self
    }

    fn next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if !self.rest.is_empty() {
            let piece = self.rest.split_to(self.rest.len().min(PIECE));
            return Poll::Ready(Some(Ok(Frame::data(piece))));
        }
        let frame = match &mut self.kind {
            Kind::Whole(whole) => whole.next().map(Ok),
            Kind::Passed(passed) => ready!(passed.poll(cx)),
        };
        match frame {
            Some(Ok(frame)) if self.flow.is_some() => match frame.into_data() {
                Ok(mut data) => {
                    self.rest = data.split_off(data.len().min(PIECE));
                    Poll::Ready(Some(Ok(Frame::data(data))))
                }
                Err(other) => Poll::Ready(Some(Ok(other))),
            },
            frame => Poll::Ready(frame),
        }
    }

    fn finish(&mut self) {
        if let Kind::Passed(passed) = &mut self.kind
            && let Some(back) = passed.back.take()
        {
            back.target.give_back(back.connection, back.address);
        }
        if let Some(report) = &mut self.report {
            report.is_complete = true;
        }
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        let Some((request, true)) = &self.busy else {
            return;
        };
        let tape = self.report.as_ref().and_then(|report| report.tape.as_ref());
        if !tape.is_some_and(Tape::is_over) {
            request.leave_over();
        }
    }
}

impl Silence {
    pub(crate) fn new(longest: Duration) -> Self {
        Self {
            longest,
            timer: Box::pin(tokio::time::sleep(longest)),
        }
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = self.get_mut();
        if let Some(error) = this.error.take() {
            return Poll::Ready(Some(Err(error)));
        }
        let next = this.next(cx);
        if let Some(flow) = &this.flow {
            this.pieces += u64::from(next.is_ready());
            flow.offers(next.is_ready().then_some(this.pieces));
        }
        let Poll::Ready(mut frame) = next else {
            this.is_flushed = true;
            return Poll::Pending;
        };
        let was_flushed = std::mem::take(&mut this.is_flushed);
        match frame {
            // The connection ends with the error. What was given out before, the head perhaps,
            // would be lost with it if it has not been sent yet; it is sent while this waits.
            Some(Err(error)) if !was_flushed => {
                this.error = Some(error);
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            _ => {}
        }
        let mut is_mark = false;
        if frame.as_ref().is_some_and(is_trailers)
            && let Kind::Passed(passed) = &this.kind
        {
            frame = frame.and_then(|frame| passed.trailers.turn(frame));
            is_mark = matches!(passed.trailers, Trailers::Inserted(_));
        }
        match &frame {
            Some(Ok(_)) if is_mark => {}
            Some(Ok(frame)) => {
                if let (Some(data), Some(report)) = (frame.data_ref(), &mut this.report) {
                    report.sent += data.len() as u64;
                }
                if this.is_end_stream() {
                    this.finish();
                }
            }
            Some(Err(_)) => {}
            None => this.finish(),
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        let is_over = match &self.kind {
            Kind::Whole(whole) => whole.is_end(),
            Kind::Passed(passed) => passed.body.is_end_stream(),
        };
        is_over && self.rest.is_empty() && self.error.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        let mut hint = match &self.kind {
            Kind::Whole(whole) => SizeHint::with_exact(whole.length() as u64),
            Kind::Passed(passed) => passed.body.size_hint(),
        };
        let rest = self.rest.len() as u64;
        if let Some(most) = hint.upper() {
            hint.set_upper(most + rest);
        }
        hint.set_lower(hint.lower() + rest);
        hint
    }
}

fn is_trailers(frame: &Result<Frame<Bytes>, BoxError>) -> bool {
    frame.as_ref().is_ok_and(Frame::is_trailers)
}

impl Trailers {
    /// What the trailers in this frame turn into.
    fn turn(
        &self,
        frame: Result<Frame<Bytes>, BoxError>,
    ) -> Option<Result<Frame<Bytes>, BoxError>> {
        let Ok(mut trailers) = frame.ok()?.into_trailers() else {
            return None;
        };
        headers::trailers(&mut trailers);
        if trailers.is_empty() {
            return None;
        }
        match self {
            Self::Passed => Some(Ok(Frame::trailers(trailers))),
            Self::Inserted(insertions) => Some(Ok(Frame::data(insertions.end_with(&trailers)))),
            Self::Dropped => None,
        }
    }
}

impl Passed {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if self.ending.poll_total(cx).is_ready() {
            return Poll::Ready(Some(Err(Cut::Ended.into())));
        }
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) {
            if frame.is_some() && self.ending.poll_passing(cx).is_ready() {
                return Poll::Ready(Some(Err(Cut::Ended.into())));
            }
            if let Some(Silence { longest, timer }) = &mut self.silence {
                timer.as_mut().reset(Instant::now() + *longest);
            }
            return Poll::Ready(frame.map(|frame| frame.map_err(BoxError::from)));
        }
        if self.ending.poll_waiting(cx).is_ready() {
            return Poll::Ready(Some(Err(Cut::Ended.into())));
        }
        if let Some(silence) = &mut self.silence {
            ready!(silence.timer.as_mut().poll(cx));
            return Poll::Ready(Some(Err(Cut::Silent.into())));
        }
        Poll::Pending
    }
}
