//! The contract suite on an embedded server, and how the server is found.

#![expect(clippy::unwrap_used, reason = "tests")]

use incumbent_backend::{Address, Backend, Expected, Swapped};
use incumbent_backend_embedded::{EmbeddedBackend, EmbeddedError};
use incumbent_conformance::Place;

fn address(dir: &std::path::Path, more: &str) -> Address {
    let dir = dir.display();
    let address = format!("embedded://{dir}?listen=127.0.0.1:0{more}");
    address.parse().unwrap()
}

fn place() -> Place {
    let dir = tempfile::tempdir().unwrap();
    let at = address(dir.path(), "");
    // The first handle serves and the others find it, so it has to outlive them, whichever it is.
    let serving = std::sync::Arc::new(tokio::sync::OnceCell::new());
    Place::new(move || {
        let (at, serving) = (at.clone(), std::sync::Arc::clone(&serving));
        async move {
            serving
                .get_or_init(async || EmbeddedBackend::open(&at).await.unwrap())
                .await;
            EmbeddedBackend::open(&at).await.unwrap()
        }
    })
    .keeping(dir)
}

mod bare {
    incumbent_conformance::bare!(super::place());
}

#[tokio::test]
async fn the_first_serves_and_the_next_finds_it() {
    let dir = tempfile::tempdir().unwrap();
    let key = incumbent_backend::Key::root("g".parse().unwrap());
    let first = EmbeddedBackend::open(&address(dir.path(), ""))
        .await
        .unwrap();
    assert!(first.serves());
    let second = EmbeddedBackend::open(&address(dir.path(), ""))
        .await
        .unwrap();
    let looking = EmbeddedBackend::open(&address(dir.path(), "&serve=no"))
        .await
        .unwrap();
    assert!(!second.serves() && !looking.serves());
    let swapped = first.swap(&key, Expected::Absent, b"{}").await.unwrap();
    assert!(matches!(swapped, Swapped::Committed(_)));
    assert_eq!(second.read(&key).await.unwrap().unwrap().body, b"{}");
    assert_eq!(looking.read(&key).await.unwrap().unwrap().body, b"{}");
}

#[tokio::test]
async fn an_address_that_is_in_use_is_refused_with_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = other.local_addr().unwrap();
    let address = format!("embedded://{}?listen={taken}", dir.path().display());
    let opened = EmbeddedBackend::open(&address.parse().unwrap()).await;
    let error = opened.err().unwrap();
    assert!(matches!(error, EmbeddedError::Listen { .. }), "{error:?}");
    let text = error.to_string();
    assert!(
        text.contains(&taken.to_string()) && text.contains("?listen=HOST:PORT"),
        "{text}"
    );
}

#[tokio::test]
async fn who_only_looks_does_not_serve() {
    let dir = tempfile::tempdir().unwrap();
    let looked = EmbeddedBackend::open(&address(dir.path(), "&serve=no")).await;
    assert!(matches!(looked, Err(EmbeddedError::Nobody(_))));
}

#[tokio::test]
async fn what_was_written_is_there_when_the_process_is_back() {
    let dir = tempfile::tempdir().unwrap();
    let key = incumbent_backend::Key::root("g".parse().unwrap());
    let first = EmbeddedBackend::open(&address(dir.path(), ""))
        .await
        .unwrap();
    let _ = first.swap(&key, Expected::Absent, b"{}").await.unwrap();
    drop(first);
    // The directory is free once the server has ended. Opening waits for that.
    let again = EmbeddedBackend::open(&address(dir.path(), ""))
        .await
        .unwrap();
    assert!(again.serves());
    assert_eq!(again.read(&key).await.unwrap().unwrap().body, b"{}");
}
