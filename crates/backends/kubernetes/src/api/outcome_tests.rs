//! One test for each row of the table, over all verbs.

use std::time::Duration;

use bytes::Bytes;

use super::Outcome::{Absent, Conflict, Done, Expired, NotApplied, Unknown, Unread};
use super::*;
use crate::api::operation::Operation;
use crate::api::reply::Answer;
use crate::error::KubernetesError;
use crate::object::resource::CONFIG_MAPS;

const VERBS: [Verb; 6] = [
    Verb::Create,
    Verb::Update,
    Verb::Delete,
    Verb::Get,
    Verb::List,
    Verb::Watch,
];

fn operation(verb: Verb) -> Operation<'static> {
    let listed = matches!(verb, Verb::List | Verb::Watch);
    Operation {
        server: "https://api.example:6443",
        verb,
        resource: &CONFIG_MAPS,
        namespace: "default",
        name: (!listed).then_some("demo.g--root"),
    }
}

fn answer(verb: Verb, status: u16, body: &str) -> Reply {
    let body = Bytes::copy_from_slice(body.as_bytes());
    Reply::Answer(Answer::new(&operation(verb), status, None, body))
}

fn status(reason: &str, kind: &str, name: &str) -> String {
    format!(
        r#"{{"kind":"Status","apiVersion":"v1","metadata":{{}},"status":"Failure","message":"m","reason":"{reason}","details":{{"name":"{name}","kind":"{kind}"}}}}"#
    )
}

/// Checks a row for create, update, delete, get, list and watch.
fn row(reply: impl Fn(Verb) -> Reply, expected: [Outcome; 6]) {
    for (verb, expected) in VERBS.into_iter().zip(expected) {
        let reply = reply(verb);
        assert_eq!(outcome(verb, &reply), expected, "{verb:?}: {reply:?}");
    }
}

fn row_of(statuses: &[u16], body: &str, expected: [Outcome; 6]) {
    for status in statuses {
        row(|verb| answer(verb, *status, body), expected);
    }
}

const DOUBT: [Outcome; 6] = [Unknown, Unknown, Unknown, Unread, Unread, Unread];
const REFUSED: [Outcome; 6] = [NotApplied, NotApplied, NotApplied, Unread, Unread, Unread];

#[test]
fn success_is_done() {
    row_of(&[200, 201, 202], "{}", [Done; 6]);
}

#[test]
fn not_found_of_this_object_is_absence_and_conflict() {
    let body = status("NotFound", "configmaps", "demo.g--root");
    // A list names no object, so the answer is not about it.
    row_of(
        &[404],
        &body,
        [Unknown, Conflict, Conflict, Absent, Unread, Unread],
    );
}

#[test]
fn not_found_of_the_namespace_is_not_applied() {
    row_of(
        &[404],
        &status("NotFound", "namespaces", "default"),
        REFUSED,
    );
}

#[test]
fn not_found_of_anything_else_is_doubt() {
    row_of(&[404], "404 page not found", DOUBT);
    row_of(&[404], "<html>nginx</html>", DOUBT);
    row_of(&[404], &status("NotFound", "", ""), DOUBT);
    row_of(&[404], &status("NotFound", "configmaps", "another"), DOUBT);
}

#[test]
fn exists_already_is_a_conflict_of_a_create() {
    let body = status("AlreadyExists", "configmaps", "demo.g--root");
    row(
        |verb| answer(verb, 409, &body),
        [Conflict, Unknown, Unknown, Unread, Unread, Unread].map(|o| o),
    );
}

#[test]
fn conflict_of_this_object_is_a_conflict_of_a_replacement_and_a_removal() {
    let body = status("Conflict", "configmaps", "demo.g--root");
    for (verb, expected) in [
        (Verb::Create, Unknown),
        (Verb::Update, Conflict),
        (Verb::Delete, Conflict),
        (Verb::Get, Unread),
    ] {
        assert_eq!(outcome(verb, &answer(verb, 409, &body)), expected);
    }
}

#[test]
fn a_refused_precondition_names_the_kind_and_is_a_conflict() {
    let body = status("Conflict", "ConfigMap", "demo.g--root");
    assert_eq!(
        outcome(Verb::Delete, &answer(Verb::Delete, 409, &body)),
        Conflict
    );
}

#[test]
fn conflict_about_a_quota_is_not_applied() {
    row_of(&[409], &status("Conflict", "resourcequotas", "q"), REFUSED);
}

#[test]
fn conflict_without_a_status_is_doubt() {
    row_of(&[409], "conflict", DOUBT);
    row_of(&[409], &status("Conflict", "", ""), DOUBT);
}

#[test]
fn gone_is_expired_history() {
    row_of(
        &[410],
        &status("Expired", "", ""),
        [Unknown, Unknown, Unknown, Unread, Expired, Expired],
    );
}

#[test]
fn refusals_are_not_applied() {
    row_of(&[400, 401, 403, 405, 406, 413, 415, 422, 429], "", REFUSED);
    row_of(
        &[403],
        &status("Forbidden", "configmaps", "demo.g--root"),
        REFUSED,
    );
    row_of(
        &[422],
        &status("Invalid", "configmaps", "demo.g--root"),
        REFUSED,
    );
    row_of(&[429], &status("TooManyRequests", "", ""), REFUSED);
}

#[test]
fn failures_of_servers_and_proxies_are_doubt() {
    row_of(
        &[500, 502, 503, 504, 507, 599, 408, 418, 301, 302, 307, 100],
        "",
        DOUBT,
    );
    row_of(
        &[500],
        &status("InternalError", "configmaps", "demo.g--root"),
        DOUBT,
    );
    row_of(
        &[504],
        &status("Timeout", "configmaps", "demo.g--root"),
        DOUBT,
    );
}

#[test]
fn an_answer_that_was_cut_is_doubt() {
    row(|_| Reply::Torn("cut".into()), DOUBT);
}

#[test]
fn no_answer_to_what_was_sent_is_doubt() {
    row(|_| Reply::Unanswered("reset".into()), DOUBT);
}

#[test]
fn what_was_not_sent_is_not_applied() {
    row(|_| Reply::Unsent("connection refused".into()), REFUSED);
}

fn text(verb: Verb, status: u16, body: &str) -> String {
    operation(verb)
        .error(answer(verb, status, body))
        .to_string()
}

#[test]
fn a_missing_verb_is_named() {
    let body = r#"{"kind":"Status","reason":"Forbidden","details":{"name":"demo.g--root","kind":"configmaps"},"code":403,
        "message":"configmaps \"demo.g--root\" is forbidden: User \"system:serviceaccount:default:jm\" cannot update resource \"configmaps\" in API group \"\" in the namespace \"default\""}"#;
    assert_eq!(
        text(Verb::Update, 403, body),
        "could not update configmaps/demo.g--root in namespace default: \
         the role lacks \"update\" on \"configmaps\" in namespace \"default\"; the API server says: \
         configmaps \"demo.g--root\" is forbidden: User \"system:serviceaccount:default:jm\" cannot update resource \
         \"configmaps\" in API group \"\" in the namespace \"default\""
    );
    let quota = body.replace("cannot update resource", "exceeded quota");
    assert!(
        text(Verb::Update, 403, &quota).contains("forbids it (403): "),
        "it is not the role"
    );
}

#[test]
fn refusals_say_what_to_do() {
    assert!(text(Verb::Get, 401, "").contains("credentials"));
    assert!(
        text(
            Verb::Create,
            404,
            &status("NotFound", "namespaces", "default")
        )
        .contains("no namespace \"default\"")
    );
    assert!(text(Verb::Create, 413, "").contains("rejects the object"));
    assert!(text(Verb::List, 503, "<html>\n upstream  gone").contains("503: <html> upstream gone"));
}

#[test]
fn a_wait_is_taken_from_the_header_or_the_status_and_has_an_end() {
    let with_details = r#"{"kind":"Status","reason":"TooManyRequests","message":"m","details":{"retryAfterSeconds":7}}"#;
    let wait = |header: Option<u64>, body: &str| {
        let body = Bytes::copy_from_slice(body.as_bytes());
        Answer::new(
            &operation(Verb::Get),
            429,
            header.map(Duration::from_secs),
            body,
        )
        .wait
    };
    assert_eq!(wait(Some(3), with_details), Some(Duration::from_secs(3)));
    assert_eq!(wait(None, with_details), Some(Duration::from_secs(7)));
    assert_eq!(wait(Some(100_000), ""), Some(Duration::from_secs(60)));
    assert_eq!(wait(None, ""), None);
}

#[test]
fn errors_are_named_for_what_happened() {
    let error = |reply| operation(Verb::Update).error(reply);
    let unsent = error(Reply::Unsent("x".into()));
    assert!(matches!(unsent, KubernetesError::Unsent { .. }));
    let whom = "in namespace default at https://api.example:6443: the request was not sent";
    assert!(unsent.to_string().ends_with(whom), "{unsent}");
    assert!(matches!(
        error(Reply::Unanswered("x".into())),
        KubernetesError::Unanswered { .. }
    ));
    assert!(matches!(
        error(Reply::Torn("x".into())),
        KubernetesError::Unanswered { .. }
    ));
    assert!(matches!(
        error(answer(Verb::Update, 403, "")),
        KubernetesError::Refused { .. }
    ));
    assert!(matches!(
        error(answer(Verb::Update, 502, "")),
        KubernetesError::Failed { .. }
    ));
}
