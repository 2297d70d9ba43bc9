//! What is asked of the server, to be told about.

use crate::api::outcome::Verb;
use crate::api::reply::{About, Answer, Reply};
use crate::error::{KubernetesError, chain};
use crate::object::resource::Resource;

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked<'a> {
    pub(crate) server: &'a str,
    pub(crate) verb: Verb,
    pub(crate) resource: &'static Resource,
    pub(crate) namespace: &'a str,
    /// None for lists and watches.
    pub(crate) name: Option<&'a str>,
}

impl Verb {
    /// As roles say it.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::List => "list",
            Self::Watch => "watch",
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }
}

impl Asked<'_> {
    /// As in `update configmaps/demo.g--root in namespace default`.
    fn what(&self) -> String {
        let (verb, plural, namespace) = (self.verb.word(), self.resource.plural, self.namespace);
        match self.name {
            Some(name) => format!("{verb} {plural}/{name} in namespace {namespace}"),
            None => format!("{verb} {plural} in namespace {namespace}"),
        }
    }

    /// The object, as in `configmaps/demo.g--root in namespace default`.
    pub(crate) fn object(&self) -> String {
        let name = self.name.unwrap_or_default();
        format!(
            "{}/{name} in namespace {}",
            self.resource.plural, self.namespace
        )
    }

    /// The error that this reply is, if it is no success.
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
            Reply::Answer(answer) => match (answer.status, self.advice(&answer)) {
                (400..=499, why) => KubernetesError::Refused { what, why },
                (_, why) => KubernetesError::Failed { what, why },
            },
        }
    }

    /// A success whose text does not say what it has to.
    pub(crate) fn unreadable(&self, why: &(dyn std::error::Error + 'static)) -> KubernetesError {
        KubernetesError::Failed {
            what: self.what(),
            why: format!("the answer cannot be read: {}", chain(why)),
        }
    }

    /// What has to be done about a refusal.
    fn advice(&self, answer: &Answer) -> String {
        let Answer {
            status, message, ..
        } = answer;
        let (verb, plural, namespace) = (self.verb.word(), self.resource.plural, self.namespace);
        match (*status, answer.about) {
            (401, _) => "the API server does not accept the credentials (401): the token or certificate is missing, wrong or expired".into(),
            (403, _) if message.contains(&format!("cannot {verb} resource")) => {
                format!("the role lacks {verb:?} on {plural:?} in namespace {namespace:?}")
            }
            (403, _) => format!("forbidden: {message}"),
            (404, About::Namespace) => format!("there is no namespace {namespace:?}"),
            (409, About::Another) => format!("another object is in the way: {message}"),
            (405 | 406 | 415, _) => {
                format!("what answers is no API server that we know ({status}): {message}")
            }
            (413 | 422, _) => format!("the API server does not take the object ({status}): {message}"),
            (429, _) => match answer.wait {
                Some(wait) => format!("the API server is too busy (429), and asks to wait for {wait:?}"),
                None => format!("the API server is too busy (429): {message}"),
            },
            _ => format!("the answer was {status}: {message}"),
        }
    }
}
