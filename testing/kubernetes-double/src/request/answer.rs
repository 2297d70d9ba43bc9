//! Answers and their bodies.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

use hyper::Response;
use hyper::body::{Body, Bytes, Frame};
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use serde_json::Value;
use tokio::sync::mpsc;

use crate::request::status::Refusal;
use crate::seen::Entry;

/// The connection is to be closed without an answer.
#[derive(Debug)]
pub(crate) struct Cut;

/// A part of a body, or the end of the connection.
pub(crate) type Part = Result<Bytes, Cut>;

/// An answer.
pub(crate) type Answer = Response<AnswerBody>;

/// The body of an answer, whole or as it comes.
#[derive(Debug)]
pub(crate) struct AnswerBody {
    source: Source,
    entry: Option<Arc<Entry>>,
}

#[derive(Debug)]
enum Source {
    Whole(Option<Bytes>),
    Parts(mpsc::Receiver<Part>),
}

impl std::fmt::Display for Cut {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("the connection is cut")
    }
}

impl std::error::Error for Cut {}

impl AnswerBody {
    pub(crate) fn whole(bytes: Bytes) -> AnswerBody {
        AnswerBody {
            source: Source::Whole(Some(bytes)),
            entry: None,
        }
    }

    pub(crate) fn parts(parts: mpsc::Receiver<Part>) -> AnswerBody {
        AnswerBody {
            source: Source::Parts(parts),
            entry: None,
        }
    }

    /// Counts the bytes that are sent.
    pub(crate) fn count_in(&mut self, entry: Arc<Entry>) {
        self.entry = Some(entry);
    }

    /// The first half of the first part, and then no connection.
    pub(crate) fn cut_in_half(self) -> AnswerBody {
        let (sender, receiver) = mpsc::channel(1);
        tokio::spawn(async move {
            let first = match self.source {
                Source::Whole(bytes) => bytes,
                Source::Parts(mut parts) => parts.recv().await.and_then(Result::ok),
            };
            let first = first.unwrap_or_default();
            // A failed send means that the client has left.
            let _ = sender.send(Ok(first.slice(..first.len() / 2))).await;
            // The channel has room again when the half was taken, and it is written before the body
            // is polled again.
            let _ = sender.send(Err(Cut)).await;
        });
        AnswerBody {
            source: Source::Parts(receiver),
            entry: self.entry,
        }
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        let part = match &mut self.source {
            Source::Whole(bytes) => Poll::Ready(bytes.take().map(Ok)),
            Source::Parts(parts) => parts.poll_recv(context),
        };
        if let (Poll::Ready(Some(Ok(bytes))), Some(entry)) = (&part, &self.entry) {
            entry
                .bytes_out
                .fetch_add(bytes.len() as u64, Ordering::Relaxed);
        }
        part.map(|part| part.map(|part| part.map(Frame::data)))
    }
}

/// An answer with a JSON body.
pub(crate) fn json(status: u16, body: &Value) -> Answer {
    let mut bytes = body.to_string().into_bytes();
    bytes.push(b'\n');
    whole(status, "application/json", Bytes::from(bytes))
}

/// An answer with this body.
pub(crate) fn whole(status: u16, content_type: &'static str, bytes: Bytes) -> Answer {
    let length = bytes.len();
    let mut answer = Response::new(AnswerBody::whole(bytes));
    *answer.status_mut() =
        hyper::StatusCode::from_u16(status).unwrap_or(hyper::StatusCode::INTERNAL_SERVER_ERROR);
    answer
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    answer
        .headers_mut()
        .insert(CONTENT_LENGTH, HeaderValue::from(length));
    answer
}

/// A refusal as an answer.
pub(crate) fn refused(refusal: &Refusal) -> Answer {
    let mut answer = json(refusal.code, &refusal.to_json());
    if let Some(seconds) = refusal.retry_after {
        answer
            .headers_mut()
            .insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    answer
}
