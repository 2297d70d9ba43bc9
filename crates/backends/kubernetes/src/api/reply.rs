//! What comes back after a request, or does not.

use std::time::Duration;

use bytes::Bytes;
use incumbent_backend::BoxError;
use kube::core::Status;

use crate::api::operation::Asked;

/// Longest wait that is believed when a server asks for one. A proxy may say anything; a lease does
/// not wait for it.
pub(crate) const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// What came back.
#[derive(Debug)]
pub(crate) enum Reply {
    /// The answer, whole.
    Answer(Answer),
    /// The connection broke, or time ran out, in the middle of the answer.
    Torn(BoxError),
    /// It was sent, or may have been, and nothing came back.
    Unanswered(BoxError),
    /// It was certainly not sent.
    Unsent(BoxError),
}

/// An answer of the server, or of something on the way to it.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// What its status is about, if it is one of Kubernetes.
    pub(crate) about: About,
    /// One word, as in `AlreadyExists`; empty if it has none.
    pub(crate) reason: String,
    /// What the server says to people.
    pub(crate) message: String,
    /// How long it asks to be left alone.
    pub(crate) wait: Option<Duration>,
    pub(crate) body: Bytes,
}

/// What a refusal is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum About {
    /// The object that was asked for.
    Object,
    /// The namespace: there is none.
    Namespace,
    /// Some other object, such as a quota.
    Another,
    /// It does not say; or it is no status of Kubernetes, but the word of something on the way.
    Nothing,
}

impl Answer {
    pub(crate) fn new(asked: &Asked, status: u16, wait: Option<Duration>, body: Bytes) -> Self {
        let mut answer = Self {
            status,
            about: About::Nothing,
            reason: String::new(),
            message: String::new(),
            wait,
            body,
        };
        if !(200..=299).contains(&status) {
            match status_of(&answer.body) {
                Some(said) => answer.understand(asked, said),
                None => answer.message = beginning(&answer.body),
            }
        }
        answer.wait = answer.wait.map(|wait| wait.min(LONGEST_WAIT));
        answer
    }

    fn understand(&mut self, asked: &Asked, said: Status) {
        self.reason = said.reason;
        self.message = said.message;
        let Some(details) = said.details else { return };
        if self.wait.is_none() && details.retry_after_seconds > 0 {
            self.wait = Some(Duration::from_secs(details.retry_after_seconds.into()));
        }
        self.about = match (&*details.kind, &*details.name) {
            ("", _) | (_, "") => About::Nothing,
            ("namespaces", name) if name == asked.namespace => About::Namespace,
            // A refused precondition of a removal says `ConfigMap`, all else `configmaps`.
            (kind, name)
                if [asked.resource.plural, asked.resource.kind].contains(&kind)
                    && asked.name == Some(name) =>
            {
                About::Object
            }
            _ => About::Another,
        };
    }

    /// Whether the server, or what is before it, is in trouble, and not the request.
    pub(crate) fn is_trouble(&self) -> bool {
        self.status >= 500
    }
}

/// A `Status` of Kubernetes, and not the page of a proxy.
fn status_of(body: &[u8]) -> Option<Status> {
    #[derive(serde::Deserialize)]
    struct Header {
        kind: String,
    }
    let header: Header = serde_json::from_slice(body).ok()?;
    (header.kind == "Status").then_some(())?;
    serde_json::from_slice(body).ok()
}

/// What a page that is none of Kubernetes begins with, on one line.
fn beginning(body: &[u8]) -> String {
    const LENGTH: usize = 200;
    let text = String::from_utf8_lossy(body.get(..LENGTH).unwrap_or(body)).into_owned();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
