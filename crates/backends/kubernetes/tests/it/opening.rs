//! What opening a store checks, and what it does not.

use std::io::Write;

use incumbent::backend::{Backend, Unread};
use incumbent_backend_kubernetes::{KubernetesBackend, KubernetesError};
use incumbent_kubernetes_double::Options;
use tempfile::NamedTempFile;

use crate::{Server, create, key, place};

fn file(text: &str) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

fn opened(address: &str) -> Result<KubernetesBackend, KubernetesError> {
    KubernetesBackend::open(&address.parse().unwrap())
}

#[tokio::test]
async fn an_address_that_cannot_be_used_is_an_error() {
    for address in [
        "kubernetes:///",
        "kubernetes://a.b/c",
        "kubernetes:///c?x=1",
        "file:///c",
    ] {
        assert!(
            matches!(opened(address), Err(KubernetesError::Address(_))),
            "{address}"
        );
    }
}

#[tokio::test]
async fn a_kubeconfig_that_cannot_be_used_is_an_error_at_once() {
    let empty = file("apiVersion: v1\nkind: Config\n");
    let broken = file("this: [is no");
    for path in [
        "/nonexistent/kubeconfig",
        empty.path().to_str().unwrap(),
        broken.path().to_str().unwrap(),
    ] {
        let error = opened(&format!("kubernetes:///demo?kubeconfig={path}"));
        assert!(
            matches!(error, Err(KubernetesError::Config(_))),
            "{path}: {error:?}"
        );
    }
    let server = Server::start().await;
    let path = server.file.path().to_str().unwrap();
    let other = opened(&format!(
        "kubernetes:///demo?kubeconfig={path}&context=other"
    ));
    assert!(
        matches!(other, Err(KubernetesError::Config(_))),
        "{other:?}"
    );
    assert!(
        opened(&format!(
            "kubernetes:///demo?kubeconfig={path}&context=double"
        ))
        .is_ok()
    );
}

#[test]
fn outside_of_a_runtime_it_is_an_error_and_no_panic() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let server = runtime.block_on(Server::start());
    let address = place::address(server.file.path(), "demo", "");
    assert!(matches!(
        KubernetesBackend::open(&address),
        Err(KubernetesError::NoRuntime)
    ));
}

#[tokio::test]
async fn the_server_need_not_be_there() {
    let server = Server::start().await;
    server.double.go_down();
    let backend = server.open("");
    assert!(matches!(
        backend.read(&key("a")).await,
        Err(Unread::Unavailable(_))
    ));
    server.double.come_back();
    create(&backend, &key("a"), b"").await;
}

#[tokio::test]
async fn the_namespace_is_that_of_the_address_or_of_the_context() {
    let options = Options {
        namespaces: vec!["default".into(), "other".into()],
        ..Options::default()
    };
    let server = Server::start_with(options).await;
    let path = server.file.path().to_str().unwrap();
    let usual = opened(&format!("kubernetes:///demo?kubeconfig={path}")).unwrap();
    let other = opened(&format!("kubernetes://other/demo?kubeconfig={path}")).unwrap();
    create(&usual, &key("a"), b"").await;
    create(&other, &key("b"), b"").await;
    assert!(
        server
            .double
            .object("configmaps", "default", "demo.g.a")
            .is_some()
    );
    assert!(
        server
            .double
            .object("configmaps", "other", "demo.g.b")
            .is_some()
    );
    assert_eq!(format!("{other:?}"), "KubernetesBackend(other/demo)");
}

#[tokio::test]
async fn the_server_learns_which_program_it_is() {
    let server = Server::start().await;
    create(&server.open(""), &key("a"), b"").await;
    let agents: Vec<String> = server
        .double
        .seen()
        .into_iter()
        .map(|seen| seen.user_agent)
        .collect();
    assert_eq!(agents, [concat!("incumbent/", env!("CARGO_PKG_VERSION"))]);
}
