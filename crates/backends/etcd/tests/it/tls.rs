//! TLS, with certificates on both sides.

use incumbent_backend::{Backend, Expected, Failure, causes};
use incumbent_backend_etcd::EtcdBackend;
use incumbent_servers::etcd::{Etcd, Options};

use crate::certificates::Authority;
use crate::{create, key, open, read};

fn secure(authority: &Authority) -> Option<Etcd> {
    let (cert, key) = authority.certify("root");
    Etcd::start(Options::default().tls(authority.ca(), cert, key))
}

fn with(
    server: &Etcd,
    path: &str,
    trusted: &Authority,
    own: &Authority,
    name: &str,
) -> EtcdBackend {
    let (cert, key) = own.certify(name);
    open(&format!(
        "etcd://localhost:{}{path}?timeout=2s&ca={}&cert={}&key={}",
        server.socket().port(),
        trusted.ca().display(),
        cert.display(),
        key.display(),
    ))
}

#[tokio::test]
async fn certificates_open_a_secure_port_and_their_lack_does_not() {
    let (ours, others) = (Authority::new(), Authority::new());
    let Some(server) = secure(&ours) else { return };
    let backend = with(&server, "/it", &ours, &ours, "us");
    create(&backend, &key("a"), b"1").await;
    assert_eq!(read(&backend, &key("a")).await.unwrap().body, b"1");
    // A server with the wrong certificate, a client of an unknown CA, one without a certificate,
    // and no TLS at all.
    let anonymous = open(&format!(
        "etcd://{}/it?timeout=2s&ca={}",
        server.address(),
        ours.ca().display()
    ));
    let plain = open(&format!("etcd://{}/it?timeout=2s", server.address()));
    for other in [
        with(&server, "/it", &others, &ours, "us"),
        with(&server, "/it", &ours, &others, "us"),
        anonymous,
        plain,
    ] {
        let swapped = other.swap(&key("b"), Expected::Absent, b"").await;
        assert!(
            matches!(swapped, Err(Failure::NotApplied(_))),
            "{swapped:?}"
        );
    }
    assert_eq!(read(&backend, &key("b")).await, None);
}

/// With `--client-cert-auth`, a certificate's common name is the user. No password is needed.
#[tokio::test]
async fn the_name_in_a_certificate_is_the_user() {
    let ours = Authority::new();
    let Some(server) = secure(&ours) else { return };
    for command in [
        "role add it",
        "role grant-permission it readwrite --prefix=true /it/",
        "user add us:x",
        "user grant-role us it",
        "user add root:x",
        "user grant-role root root",
        "auth enable",
    ] {
        let words: Vec<_> = command.split(' ').collect();
        server.ctl(&words).unwrap();
    }
    let backend = with(&server, "/it", &ours, &ours, "us");
    create(&backend, &key("a"), b"1").await;
    let found = server.ctl(&["get", "/it/demo//a"]).unwrap();
    assert_eq!(found, "/it/demo//a\n1\n");
    for (path, name) in [("/elsewhere", "us"), ("/it", "them")] {
        let other = with(&server, path, &ours, &ours, name);
        let swapped = other.swap(&key("b"), Expected::Absent, b"").await;
        let Err(Failure::NotApplied(why)) = swapped else {
            panic!("{swapped:?}");
        };
        assert!(
            causes(&*why).contains("permission denied"),
            "{}",
            causes(&*why)
        );
    }
}
