//! The reply to a request, or why there is none.

use std::time::Duration;

use bytes::Bytes;
use incumbent_backend::BoxError;
use kube::core::Status;

use crate::api::operation::Operation;

/// Longest wait that is obeyed when a server asks for one. A proxy may ask for hours, and a lease
/// ends long before.
pub(crate) const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// What is known of the reply to a request.
#[derive(Debug)]
pub(crate) enum Reply {
    /// The answer, whole.
    Answer(Answer),
    /// The connection broke, or the time was over, in the middle of the answer.
    Torn(BoxError),
    /// The request was sent, or may have been, and no answer came.
    Unanswered(BoxError),
    /// The request was certainly not sent.
    Unsent(BoxError),
}

/// An answer of the server, or of a proxy before it.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// What the refusal is about, if its body is a `Status` of Kubernetes.
    pub(crate) about: About,
    /// One word, such as `AlreadyExists`; empty if there is none.
    pub(crate) reason: String,
    /// The server's words for people.
    pub(crate) message: String,
    /// How long it asks to wait.
    pub(crate) wait: Option<Duration>,
    pub(crate) body: Bytes,
}

/// What a refusal is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum About {
    /// The object of the request.
    Object,
    /// The namespace, which does not exist.
    Namespace,
    /// Some other object, such as a quota.
    Another,
    /// Not said; or the body is no `Status` of Kubernetes, but from a proxy.
    Nothing,
}

impl Answer {
    pub(crate) fn new(
        operation: &Operation,
        status: u16,
        wait: Option<Duration>,
        body: Bytes,
    ) -> Self {
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
                Some(status) => answer.understand(operation, status),
                None => answer.message = beginning(&answer.body),
            }
        }
        answer.wait = answer.wait.map(|wait| wait.min(LONGEST_WAIT));
        answer
    }

    fn understand(&mut self, operation: &Operation, status: Status) {
        self.reason = status.reason;
        self.message = status.message;
        let Some(details) = status.details else {
            return;
        };
        if self.wait.is_none() && details.retry_after_seconds > 0 {
            self.wait = Some(Duration::from_secs(details.retry_after_seconds.into()));
        }
        self.about = match (&*details.kind, &*details.name) {
            ("", _) | (_, "") => About::Nothing,
            ("namespaces", name) if name == operation.namespace => About::Namespace,
            // The server writes `ConfigMap` for a failed precondition of a deletion, and
            // `configmaps` otherwise.
            (kind, name)
                if [operation.resource.plural, operation.resource.kind].contains(&kind)
                    && operation.name == Some(name) =>
            {
                About::Object
            }
            _ => About::Another,
        };
    }

    /// Whether the server, or a proxy before it, is in trouble, as opposed to the request.
    pub(crate) fn is_trouble(&self) -> bool {
        self.status >= 500
    }
}

/// The body as a `Status` of Kubernetes; `None` if it is something else, such as a proxy's page.
fn status_of(body: &[u8]) -> Option<Status> {
    #[derive(serde::Deserialize)]
    struct Header {
        kind: String,
    }
    let header: Header = serde_json::from_slice(body).ok()?;
    (header.kind == "Status").then_some(())?;
    serde_json::from_slice(body).ok()
}

/// The beginning of a body that is no `Status`, on one line.
fn beginning(body: &[u8]) -> String {
    const LENGTH: usize = 200;
    let text = String::from_utf8_lossy(body.get(..LENGTH).unwrap_or(body)).into_owned();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
