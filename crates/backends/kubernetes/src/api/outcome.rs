//! **The table**: from a reply, or its absence, to what is known of the request.
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
//! In doubt it is `Unknown`: a 503 may come from a proxy that lost the answer of a server which did
//! write. A 2xx that does not name the new version is `Unknown` too; the caller finds that out when
//! it reads the body.

use crate::api::operation::Verb;
use crate::api::reply::{About, Reply};

/// What is known of a request after its reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It was done, or its answer was read.
    Done,
    /// The object does not exist.
    Absent,
    /// It was not done and never will be: the object is not in the expected state.
    Conflict,
    /// The server has dropped the history that the request continues from.
    Expired,
    /// It was not done and never will be.
    NotApplied,
    /// It may have been done, or may still be done.
    Unknown,
    /// The read failed. Nothing is known about the object.
    Unread,
}

/// The table.
pub(crate) fn outcome(verb: Verb, reply: &Reply) -> Outcome {
    use Outcome::{Absent, Conflict, Done, Expired, NotApplied, Unknown, Unread};
    use Verb::{Create, Delete, Get, List, Update, Watch};

    let (doubt, refused) = if verb.is_write() {
        (Unknown, NotApplied)
    } else {
        (Unread, Unread)
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
