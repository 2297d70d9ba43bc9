use tonic::{Code, Status};

use super::{Known, TABLE, Then, judge};
use crate::wire::Lost;

use Code::{
    Aborted, AlreadyExists, Cancelled, DataLoss, DeadlineExceeded, FailedPrecondition, Internal,
    InvalidArgument, OutOfRange, PermissionDenied, ResourceExhausted, Unauthenticated, Unavailable,
    Unimplemented, Unknown,
};
use Known::{Refused, Unsure};
use Then::{GoOn, Leave, LogIn};

/// Server errors, in etcd's words, and the expected classification.
#[rustfmt::skip]
const ANSWERS: &[(Code, &str, Known, Then)] = &[
    (Unavailable, "grpc-status header missing, mapped from HTTP status code 503", Unsure, Leave),
    (PermissionDenied, "grpc-status header missing, mapped from HTTP status code 403", Unsure, Leave),
    (Unauthenticated, "etcdserver: invalid auth token", Refused, LogIn),
    (InvalidArgument, "etcdserver: user name is empty", Refused, LogIn),
    (InvalidArgument, "etcdserver: revision of auth store is old", Refused, LogIn),
    (InvalidArgument, "etcdserver: request is too large", Refused, GoOn),
    (InvalidArgument, "etcdserver: key is not provided", Refused, GoOn),
    (InvalidArgument, "etcdserver: authentication failed, invalid user ID or password", Refused, GoOn),
    (PermissionDenied, "etcdserver: permission denied", Refused, GoOn),
    (Unimplemented, "unknown service etcdserverpb.KV", Refused, Leave),
    (ResourceExhausted, "etcdserver: too many requests", Refused, GoOn),
    (ResourceExhausted, "grpc: received message larger than max (3000000 vs. 2097152)", Refused, GoOn),
    (ResourceExhausted, "etcdserver: mvcc: database space exceeded", Unsure, GoOn),
    (ResourceExhausted, "something else", Unsure, GoOn),
    (Unavailable, "etcdserver: rpc not supported for learner", Refused, Leave),
    (Unavailable, "etcdserver: request timed out", Unsure, Leave),
    (Unavailable, "etcdserver: request timed out, possibly due to previous leader failure", Unsure, Leave),
    (Unavailable, "etcdserver: request timed out, possibly due to connection lost", Unsure, Leave),
    (Unavailable, "etcdserver: leader changed", Unsure, Leave),
    (Unavailable, "etcdserver: no leader", Unsure, Leave),
    (Unavailable, "etcdserver: server stopped", Unsure, Leave),
    (Unavailable, "transport is closing", Unsure, Leave),
    (DataLoss, "etcdserver: corrupt cluster", Unsure, Leave),
    // No row matches: an error that is not known to mean "no effect" may follow an effect.
    (FailedPrecondition, "etcdserver: not leader", Unsure, GoOn),
    (DeadlineExceeded, "context deadline exceeded", Unsure, GoOn),
    (Cancelled, "context canceled", Unsure, GoOn),
    (Internal, "stream terminated by RST_STREAM", Unsure, GoOn),
    (Unknown, "raft proposal dropped", Unsure, GoOn),
    (Aborted, "", Unsure, GoOn),
    (OutOfRange, "etcdserver: mvcc: required revision has been compacted", Unsure, GoOn),
    (AlreadyExists, "", Unsure, GoOn),
];

#[test]
fn each_answer_is_understood() {
    for (code, message, known, then) in ANSWERS {
        let judged = judge(&Status::new(*code, *message));
        assert_eq!(
            (judged.known, judged.then),
            (*known, *then),
            "{code:?} {message}"
        );
        assert!(judged.why.to_string().contains(message));
    }
}

/// Failures of a connection. The client library wraps them as the causes of a status that it makes
/// itself.
#[test]
fn a_lost_connection_says_whether_anything_was_sent() {
    for (lost, known) in [
        (Lost::Unsent("closed".into()), Known::Unsent),
        (Lost::Broken("reset".into()), Unsure),
    ] {
        let judged = judge(&Status::from_error(Box::new(lost)));
        assert_eq!((judged.known, judged.then), (known, Leave));
    }
}

#[test]
fn each_row_of_the_table_has_its_answer() {
    for (n, row) in TABLE.iter().enumerate() {
        let fits = |row: &super::Row, code: Code, message: &str| {
            row.code.is_none_or(|c| c == code) && message.contains(row.says)
        };
        let first = |code, message| TABLE.iter().position(|row| fits(row, code, message));
        assert!(
            ANSWERS
                .iter()
                .any(|(code, message, ..)| first(*code, message) == Some(n)),
            "no answer for {:?} {:?}",
            row.code,
            row.says
        );
    }
}

#[test]
fn who_has_to_do_something_is_told_what() {
    for (code, message, advice) in [
        (
            InvalidArgument,
            "etcdserver: request is too large",
            "--max-request-bytes",
        ),
        (
            ResourceExhausted,
            "etcdserver: mvcc: database space exceeded",
            "alarm disarm",
        ),
        (
            PermissionDenied,
            "etcdserver: permission denied",
            "readwrite",
        ),
        (
            InvalidArgument,
            "etcdserver: user name is empty",
            "user:password@",
        ),
    ] {
        let why = judge(&Status::new(code, message)).why.to_string();
        assert!(why.contains(advice), "{why}");
    }
}
