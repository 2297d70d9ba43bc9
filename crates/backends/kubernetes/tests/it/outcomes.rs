//! The outcome of a swap when requests, answers and connections get lost. A swap is one request.

use std::time::Duration;

use incumbent::backend::{Backend, BoxError, Erased, Expected, Failure, Swapped, Unread};
use incumbent_backend_kubernetes::{KubernetesBackend, KubernetesError};
use incumbent_kubernetes_double::{Double, How, Verb};
use tokio::time::Instant;

use crate::{Server, create, key, place, read, refusal, replace};

/// The outcome of a write, as it is reported.
#[derive(Debug, PartialEq)]
enum Outcome {
    Committed,
    Conflict,
    NotApplied,
    Unknown,
}

fn outcome_of(swapped: Result<Swapped, Failure>) -> Outcome {
    match swapped {
        Ok(Swapped::Committed(_)) => Outcome::Committed,
        Ok(Swapped::Conflict) => Outcome::Conflict,
        Err(Failure::NotApplied(_)) => Outcome::NotApplied,
        Err(Failure::Unknown(_)) => Outcome::Unknown,
        Err(other) => panic!("{other}"),
    }
}

/// Creates, replaces and erases under this fault. Returns the outcome of each, and whether it was
/// done.
async fn each(how: fn() -> How) -> [(Outcome, bool); 3] {
    let server = Server::start().await;
    let backend = server.open("");
    let at = create(&backend, &key("replaced"), b"1").await;
    let erased_at = create(&backend, &key("erased"), b"1").await;
    server.once(Verb::Create, "configmaps", how());
    let created = outcome_of(backend.swap(&key("created"), Expected::Absent, b"1").await);
    server.once(Verb::Update, "configmaps", how());
    let replaced = outcome_of(
        backend
            .swap(&key("replaced"), Expected::At(&at), b"2")
            .await,
    );
    server.once(Verb::Delete, "configmaps", how());
    let erased = match backend.erase(&key("erased"), &erased_at).await {
        Ok(Erased::Gone) => Outcome::Committed,
        Ok(_) => Outcome::Conflict,
        Err(failure) => outcome_of(Err(failure)),
    };
    let is = async |item: &str| read(&backend, &key(item)).await.map(|found| found.body);
    [
        (created, is("created").await.is_some()),
        (replaced, is("replaced").await == Some(b"2".to_vec())),
        (erased, is("erased").await.is_none()),
    ]
}

#[tokio::test]
async fn a_write_whose_request_or_answer_was_lost_is_unknown() {
    let unknown = |done: bool| [(); 3].map(|()| (Outcome::Unknown, done));
    assert_eq!(each(|| How::CutBefore).await, unknown(false));
    assert_eq!(each(|| How::CutAfter).await, unknown(true));
    assert_eq!(each(|| How::CutInAnswer).await, unknown(true));
}

#[tokio::test]
async fn a_write_that_is_not_answered_in_time_is_unknown() {
    let begun = Instant::now();
    let (before, after) = tokio::join!(each(|| How::HangBefore), each(|| How::HangAfter));
    assert_eq!(before, [(); 3].map(|()| (Outcome::Unknown, false)));
    assert_eq!(after, [(); 3].map(|()| (Outcome::Unknown, true)));
    let took = begun.elapsed();
    assert!(
        took < Duration::from_secs(60),
        "three times four seconds, and not {took:?}"
    );
}

#[tokio::test]
async fn a_write_that_is_refused_is_not_applied_and_a_failure_is_unknown() {
    for status in [400, 401, 403, 405, 406, 413, 415, 422, 429] {
        let told = each(match status {
            400 => || refusal(400, None),
            401 => || refusal(401, None),
            403 => || refusal(403, None),
            405 => || refusal(405, None),
            406 => || refusal(406, None),
            413 => || refusal(413, None),
            415 => || refusal(415, None),
            422 => || refusal(422, None),
            _ => || refusal(429, None),
        });
        assert_eq!(
            told.await,
            [(); 3].map(|()| (Outcome::NotApplied, false)),
            "{status}"
        );
    }
    for how in [
        || refusal(500, None),
        || refusal(502, None),
        || refusal(503, None),
        || refusal(504, None),
    ] {
        assert_eq!(each(how).await, [(); 3].map(|()| (Outcome::Unknown, false)));
    }
}

#[tokio::test]
async fn without_a_server_nothing_was_sent() {
    let server = Server::start().await;
    let backend = server.open("");
    let at = create(&backend, &key("a"), b"1").await;
    server.double.go_down();
    for expected in [Expected::Absent, Expected::At(&at)] {
        match backend.swap(&key("a"), expected, b"2").await {
            Err(Failure::NotApplied(cause)) => {
                assert!(matches!(ours(cause), KubernetesError::Unsent { .. }));
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(matches!(
        backend.read(&key("a")).await,
        Err(Unread::Unavailable(_))
    ));
    server.double.come_back();
    assert_eq!(read(&backend, &key("a")).await.unwrap().body, b"1");
}

/// A host that accepts connections and stays silent: the TLS handshake does not end, so nothing of
/// the request is sent.
#[tokio::test]
async fn a_host_that_never_says_hello_gets_no_request() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let double = Double::start(incumbent_kubernetes_double::Options::default()).await;
    let file = tempfile::NamedTempFile::new().unwrap();
    let tls = format!("https://{}", silent.local_addr().unwrap());
    std::fs::write(
        file.path(),
        double.kubeconfig(None).replace(&double.url(), &tls),
    )
    .unwrap();
    let backend = KubernetesBackend::open(&place::address(file.path(), "demo", "")).unwrap();
    let swapped = backend.swap(&key("a"), Expected::Absent, b"").await;
    assert_eq!(outcome_of(swapped), Outcome::NotApplied);
}

/// A server closes idle connections. A request that meets a closed one is sent on another only if
/// nothing of it was sent; otherwise its outcome is unknown.
#[tokio::test]
async fn connections_that_ended_while_idle_give_no_wrong_outcome() {
    let server = Server::start().await;
    let backend = server.open("");
    let mut at = create(&backend, &key("a"), b"0").await;
    for round in 1..=20 {
        server.double.go_down();
        server.double.come_back();
        server.double.forget_seen();
        let body = round.to_string().into_bytes();
        match outcome_at(&backend, &at, &body).await {
            Outcome::Committed => {}
            Outcome::Unknown | Outcome::NotApplied => {}
            Outcome::Conflict => panic!("nobody else writes"),
        }
        assert!(server.writes().len() <= 1, "one request is one request");
        let found = read(&backend, &key("a")).await.unwrap();
        at = found.version;
    }
}

async fn outcome_at(
    backend: &KubernetesBackend,
    at: &incumbent::backend::Version,
    body: &[u8],
) -> Outcome {
    outcome_of(backend.swap(&key("a"), Expected::At(at), body).await)
}

#[tokio::test]
async fn a_write_is_one_request_and_no_read() {
    let server = Server::start().await;
    let backend = server.open("");
    let first = create(&backend, &key("a"), b"1").await;
    let second = replace(&backend, &key("a"), &first, b"2").await;
    assert_eq!(
        outcome_at(&backend, &first, b"late").await,
        Outcome::Conflict
    );
    assert_eq!(
        backend.erase(&key("a"), &second).await.unwrap(),
        Erased::Gone
    );
    let seen: Vec<Verb> = server
        .double
        .seen()
        .into_iter()
        .map(|seen| seen.verb)
        .collect();
    assert_eq!(
        seen,
        [Verb::Create, Verb::Update, Verb::Update, Verb::Delete]
    );
}

#[tokio::test]
async fn a_missing_namespace_is_named() {
    let server = Server::start().await;
    let path = server.file.path().to_str().unwrap();
    let address = format!("kubernetes://nowhere/demo?kubeconfig={path}");
    let backend = KubernetesBackend::open(&address.parse().unwrap()).unwrap();
    assert_eq!(read(&backend, &key("a")).await, None);
    match backend.swap(&key("a"), Expected::Absent, b"").await {
        Err(Failure::NotApplied(cause)) => {
            assert!(
                cause
                    .to_string()
                    .contains("there is no namespace \"nowhere\""),
                "{cause}"
            );
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn reads_and_lists_that_fail_say_nothing_about_what_is_there() {
    let server = Server::start().await;
    let backend = server.open("");
    create(&backend, &key("a"), b"").await;
    for how in [
        How::CutBefore,
        How::CutInAnswer,
        refusal(404, None),
        refusal(403, None),
        refusal(500, None),
    ] {
        server.once(Verb::Get, "configmaps", how.clone());
        let found = backend.read(&key("a")).await;
        assert!(
            matches!(found, Err(Unread::Unavailable(_))),
            "{how:?}: {found:?}"
        );
        server.once(Verb::List, "configmaps", how.clone());
        let listed = backend.list(key("a").group()).await;
        assert!(
            matches!(listed, Err(Unread::Unavailable(_))),
            "{how:?}: {listed:?}"
        );
    }
}

/// The cause, as an error of this crate.
fn ours(cause: BoxError) -> KubernetesError {
    *cause.downcast().unwrap()
}
