//! From a reply that is no success to the error that says what to do.

use incumbent_backend::causes;

use crate::api::operation::Operation;
use crate::api::reply::{About, Answer, Reply};
use crate::error::KubernetesError;

impl Operation<'_> {
    /// The error that this reply is.
    pub(crate) fn error(&self, reply: Reply) -> KubernetesError {
        let what = self.what();
        match reply {
            Reply::Unsent(source) => {
                let what = format!("{what} at {}", self.server);
                KubernetesError::Unsent { what, source }
            }
            Reply::Unanswered(source) | Reply::Torn(source) => {
                KubernetesError::Unanswered { what, source }
            }
            Reply::Answer(answer) => {
                let why = self.advice(&answer);
                match answer.status {
                    400..=499 => KubernetesError::Refused { what, why },
                    _ => KubernetesError::Failed { what, why },
                }
            }
        }
    }

    /// The error for a success whose body cannot be read.
    pub(crate) fn unreadable(&self, why: &(dyn std::error::Error + 'static)) -> KubernetesError {
        KubernetesError::Failed {
            what: self.what(),
            why: format!("the answer cannot be read: {}", causes(why)),
        }
    }

    /// Why the server refused, and what to do.
    fn advice(&self, answer: &Answer) -> String {
        let Answer {
            status, message, ..
        } = answer;
        match (*status, answer.about) {
            (401, _) => "the API server does not accept the credentials (401): the token or certificate is missing, \
                         wrong or expired; they are read again for the next request"
                .into(),
            (403, _) if message.contains(&format!("cannot {} resource", self.verb.word())) => {
                // The server's own words say which account it is.
                format!("{}; the API server says: {message}", self.lacking())
            }
            (403, _) => format!("the API server forbids it (403): {message}"),
            (404, About::Namespace) => format!("there is no namespace {:?}", self.namespace),
            (409, About::Another) => format!("another object prevents it (409): {message}"),
            (405 | 406 | 415, _) => format!(
                "the answer is not that of an API server this program knows ({status}): {message}"
            ),
            (413 | 422, _) => format!("the API server rejects the object ({status}): {message}"),
            (429, _) => match answer.wait {
                Some(wait) => {
                    format!("the API server is too busy (429) and asks to wait for {wait:?}")
                }
                None => format!("the API server is too busy (429): {message}"),
            },
            _ => format!("the answer was {status}: {message}"),
        }
    }

    /// The right that is missing, and where.
    pub(crate) fn lacking(&self) -> String {
        format!(
            "the role lacks {:?} on {:?} in namespace {:?}",
            self.verb.word(),
            self.resource.plural,
            self.namespace
        )
    }
}
