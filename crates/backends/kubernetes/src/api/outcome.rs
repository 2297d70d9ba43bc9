//! **The table**: what a reply, or its absence, says about what was asked.
//!
//! | reply | create (POST) | replace (PUT) | delete | get | list, watch |
//! |---|---|---|---|---|---|
//! | 2xx | Done | Done | Done | Done | Done |
//! | 404, this object | Unknown | Conflict | Conflict | Absent | Unread |
//! | 404, its namespace | NotApplied | NotApplied | NotApplied | Unread | Unread |
//! | 404, anything else | Unknown | Unknown | Unknown | Unread | Unread |
//! | 409 `AlreadyExists` | Conflict | Unknown | Unknown | Unread | Unread |
//! | 409 `Conflict`, this object | Unknown | Conflict | Conflict | Unread | Unread |
//! | 409, about another object (a quota) | NotApplied | NotApplied | NotApplied | Unread | Unread |
//! | 409 without a status of Kubernetes | Unknown | Unknown | Unknown | Unread | Unread |
//! | 410 | Unknown | Unknown | Unknown | Unread | Expired |
//! | 400, 401, 403, 405, 406, 413, 415, 422, 429 | NotApplied | NotApplied | NotApplied | Unread | Unread |
//! | 500, 502, 503, 504, any other | Unknown | Unknown | Unknown | Unread | Unread |
//! | cut in the middle of the answer | Unknown | Unknown | Unknown | Unread | Unread |
//! | sent: no answer, or not in time | Unknown | Unknown | Unknown | Unread | Unread |
//! | not sent | NotApplied | NotApplied | NotApplied | Unread | Unread |
//!
//! In doubt it is `Unknown`: a 503 may be the word of a proxy that lost the answer of a server that
//! wrote. A 2xx that does not name the new version is `Unknown` too, which the caller sees when it
//! reads it.

use crate::api::reply::{About, Reply};

/// What is done to an object: the verbs as roles name them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Get,
    List,
    Watch,
    Create,
    Update,
    Delete,
}

/// What is known of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It was done, or read.
    Done,
    /// There is no such object.
    Absent,
    /// It was not done and never will: the object is not in the expected state.
    Conflict,
    /// The server does not have the history any more from which to go on.
    Expired,
    /// It was not done and never will.
    NotApplied,
    /// It may have been done, or may be yet.
    Unknown,
    /// It was not read. Says nothing about what is there.
    Unread,
}

/// The table.
pub(crate) fn outcome(verb: Verb, reply: &Reply) -> Outcome {
    use Outcome::{Absent, Conflict, Done, Expired, NotApplied, Unknown, Unread};
    use Verb::{Create, Delete, Get, List, Update, Watch};

    let doubt = match verb {
        Create | Update | Delete => Unknown,
        Get | List | Watch => Unread,
    };
    let refused = match verb {
        Create | Update | Delete => NotApplied,
        Get | List | Watch => Unread,
    };
    let answer = match reply {
        Reply::Unsent(_) => return refused,
        Reply::Unanswered(_) | Reply::Torn(_) => return doubt,
        Reply::Answer(answer) => answer,
    };
    match (answer.status, answer.about, verb) {
        (200..=299, _, _) => Done,
        (404, About::Object, Get) => Absent,
        (404, About::Object, Update | Delete) => Conflict,
        (404, About::Namespace, _) => refused,
        (409, About::Object, Create) if answer.reason == "AlreadyExists" => Conflict,
        (409, About::Object, Update | Delete) if answer.reason == "Conflict" => Conflict,
        (409, About::Another, _) => refused,
        (410, _, List | Watch) => Expired,
        (400 | 401 | 403 | 405 | 406 | 413 | 415 | 422 | 429, _, _) => refused,
        _ => doubt,
    }
}

#[cfg(test)]
#[path = "outcome_tests.rs"]
mod tests;
