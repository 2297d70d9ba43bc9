//! Waits that the server asks for, and the limits of this process.

use std::time::Duration;

use incumbent::backend::{Backend, Expected, Failure};
use incumbent_kubernetes_double::Verb;
use tokio::time::Instant;

use crate::{Server, create, key, read, refusal, replace};

#[tokio::test]
async fn a_server_that_asks_to_wait_gets_no_requests_and_leases_do_not_wait() {
    let server = Server::start().await;
    let backend = server.open("");
    let root = create(&backend, &key("@root"), b"").await;
    server.once(Verb::Create, "configmaps", refusal(429, Some(30)));
    let refused = backend.swap(&key("a"), Expected::Absent, b"").await;
    assert!(
        matches!(refused, Err(Failure::NotApplied(_))),
        "{refused:?}"
    );
    server.double.forget_seen();
    for _ in 0..10 {
        match backend.swap(&key("a"), Expected::Absent, b"").await {
            Err(Failure::NotApplied(cause)) => {
                assert!(cause.to_string().contains("asked to wait"), "{cause}")
            }
            other => panic!("{other:?}"),
        }
        backend.read(&key("a")).await.unwrap_err();
    }
    assert_eq!(server.double.seen().len(), 0, "it asked for thirty seconds");
    replace(&backend, &key("@root"), &root, b"").await;
}

#[tokio::test]
async fn a_short_wait_is_waited_for() {
    let server = Server::start().await;
    let backend = server.open("");
    server.once(Verb::Get, "configmaps", refusal(503, Some(1)));
    backend.read(&key("a")).await.unwrap_err();
    let begun = Instant::now();
    assert_eq!(read(&backend, &key("a")).await, None);
    assert!(begun.elapsed() > Duration::from_millis(500));
}

#[tokio::test]
async fn renewals_do_not_queue_behind_a_thousand_sealings() {
    let server = Server::start().await;
    let backend = server.open("qps=20&burst=1");
    let mut root = create(&backend, &key("@root"), b"").await;
    let sealings = futures::future::join_all((0..1000).map(|at| {
        let backend = backend.clone();
        async move {
            backend
                .swap(&key(&format!("jobs/{at}")), Expected::Absent, b"")
                .await
        }
    }));
    let sealings = tokio::spawn(sealings);
    for _ in 0..20 {
        let begun = Instant::now();
        root = replace(&backend, &key("@root"), &root, b"").await;
        // At twenty in a second, the thousand would take fifty.
        assert!(
            begun.elapsed() < Duration::from_secs(20),
            "it took {:?}",
            begun.elapsed()
        );
    }
    let sealed = crate::in_time("all are told", sealings).await.unwrap();
    let done = sealed.iter().filter(|one| one.is_ok()).count();
    assert!(
        (1..=60).contains(&done),
        "{done} in a second or two, of twenty in a second"
    );
    let refused = sealed.iter().find_map(|one| one.as_ref().err()).unwrap();
    assert!(
        matches!(refused, Failure::NotApplied(cause) if cause.to_string().contains("more than 20 requests"))
    );
}
