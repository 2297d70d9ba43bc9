//! TLS towards the leader.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http::Request;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{RootCertStore, ServerConfig};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;

use crate::harness::{Cluster, boxed, options, read, soon, until};
use crate::log::Lines;
use crate::tls::{Authority, provider};

/// A leader with TLS that wants to know its clients.
async fn guarded(
    authority: &Authority,
    name: &str,
    alpn: &[u8],
) -> (String, tokio::task::JoinHandle<()>) {
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap().to_string();
    let identity = authority.sign("leader", name);
    (address, serve(socket, authority, identity, alpn))
}

/// Serves with this certificate clients that have one of this authority.
fn serve(
    socket: TcpListener,
    authority: &Authority,
    (certificate, key): (PathBuf, PathBuf),
    alpn: &[u8],
) -> tokio::task::JoinHandle<()> {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_file(authority.file("ca.pem")).unwrap())
        .unwrap();
    let verifier =
        rustls::server::WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider())
            .build()
            .unwrap();
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier)
        .with_single_cert(
            vec![CertificateDer::from_pem_file(certificate).unwrap()],
            PrivateKeyDer::from_pem_file(key).unwrap(),
        )
        .unwrap();
    config.alpn_protocols = vec![alpn.to_vec()];
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    tokio::spawn(async move {
        let mut connections = tokio::task::JoinSet::new();
        loop {
            let (stream, _) = socket.accept().await.unwrap();
            let acceptor = acceptor.clone();
            connections.spawn(async move {
                let Ok(stream) = acceptor.accept(stream).await else {
                    return;
                };
                let service = hyper::service::service_fn(async |request: Request<_>| {
                    let version = format!("guarded {:?}", request.version());
                    let _: hyper::body::Incoming = request.into_body();
                    Ok::<_, std::convert::Infallible>(http::Response::new(boxed(version)))
                });
                let _ = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new())
                    .serve_connection(TokioIo::new(stream), service)
                    .await;
            });
        }
    })
}

/// What is wrong with TLS in a case.
#[derive(Clone, Copy, Debug)]
enum Fault {
    Expired,
    Name,
    Authority,
    NoIdentity,
    NotTls,
}

impl Fault {
    /// The reason in the log and the metrics, and words of what to do.
    fn told(self) -> (&'static str, &'static str) {
        match self {
            Self::Expired => ("expired", "renew it"),
            Self::Name => ("name", "--upstream-name"),
            Self::Authority => ("authority", "--upstream-ca"),
            Self::NoIdentity => ("refused", "--upstream-cert"),
            Self::NotTls => ("not_tls", "compare scheme and port"),
        }
    }
}

/// Why TLS fails is told once, with what to do, however often it is tried; and once that it is
/// over.
#[tokio::test]
async fn why_tls_with_the_leader_fails_is_told_once_and_so_is_its_end() {
    let lines = Lines::of_this_process();
    for (scheme, alpn) in [("https", &b"http/1.1"[..]), ("h2", b"h2")] {
        for fault in [
            Fault::Expired,
            Fault::Name,
            Fault::Authority,
            Fault::NoIdentity,
            Fault::NotTls,
        ] {
            let (cluster, authority) = (Cluster::new().await, Authority::new());
            let stranger = Authority::new();
            let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = socket.local_addr().unwrap();
            let _leadership = cluster
                .lead(&[("web", &format!("{scheme}://{address}"))])
                .await;
            let mut options = options();
            options.times.hold = Duration::from_millis(300);
            options.upstream_tls.name = Some("leader.internal".into());
            options.upstream_tls.ca = Some(authority.file("ca.pem"));
            options.upstream_tls.identity = Some(authority.sign("gateway", "gateway.internal"));
            let mut identity = authority.sign("leader", "leader.internal");
            match fault {
                Fault::Expired => {
                    identity = authority.sign_until("old", "leader.internal", 2001);
                }
                Fault::Name => identity = authority.sign("other", "other.internal"),
                Fault::Authority => identity = stranger.sign("leader", "leader.internal"),
                Fault::NoIdentity => options.upstream_tls.identity = None,
                Fault::NotTls => {}
            }
            let server = match fault {
                Fault::NotTls => tokio::spawn(async move {
                    loop {
                        let (mut stream, _) = socket.accept().await.unwrap();
                        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
                    }
                }),
                _ => serve(socket, &authority, identity, alpn),
            };
            let front = cluster.gateway_with(options).await;
            until("the leader is seen", || {
                front.handle.status().leader != "no leader"
            })
            .await;
            for _ in 0..3 {
                let answer = front.get("/").await;
                assert!(answer.status.is_server_error(), "{fault:?}: {answer:?}");
            }
            let upstream = address.to_string();
            let told = || {
                let own = lines.with("upstream", &upstream).into_iter();
                own.filter(|line| line["message"].is_string())
                    .collect::<Vec<_>>()
            };
            let (reason, advice) = fault.told();
            let all = told();
            assert_eq!(all.len(), 1, "{scheme} {fault:?}: {all:?}");
            assert_eq!(all[0]["reason"], reason, "{scheme} {fault:?}");
            let message = all[0]["message"].as_str().unwrap();
            assert!(message.contains(advice), "{scheme} {fault:?}: {message}");
            // What the gateway itself lacks does not end without it.
            if matches!(fault, Fault::NoIdentity) {
                server.abort();
                continue;
            }
            server.abort();
            let socket = rebound(address).await;
            let good = authority.sign("renewed", "leader.internal");
            let _server = serve(socket, &authority, good, alpn);
            let answered = async { while front.get("/").await.status != 200 {} };
            soon(answered).await;
            let all = told();
            assert_eq!(all.len(), 2, "{scheme} {fault:?}: {all:?}");
            let message = all[1]["message"].as_str().unwrap();
            assert!(
                message.contains("works again"),
                "{scheme} {fault:?}: {message}"
            );
        }
    }
}

/// Listens there again, once the one before has ended.
async fn rebound(address: std::net::SocketAddr) -> TcpListener {
    let binding = async {
        loop {
            if let Ok(socket) = TcpListener::bind(address).await {
                return socket;
            }
            tokio::task::yield_now().await;
        }
    };
    soon(binding).await
}

#[tokio::test]
async fn a_leader_is_known_by_its_authority_and_knows_the_gateway_by_its_certificate() {
    let (cluster, authority) = (Cluster::new().await, Authority::new());
    let (address, serving) = guarded(&authority, "leader.internal", b"http/1.1").await;
    let _leadership = cluster
        .lead(&[("web", &format!("https://{address}"))])
        .await;
    let mut good = options();
    good.upstream_tls.ca = Some(authority.file("ca.pem"));
    good.upstream_tls.identity = Some(authority.sign("gateway", "gateway.internal"));
    good.upstream_tls.name = Some("leader.internal".into());
    let front = cluster.gateway_with(good.clone()).await;
    assert_eq!(front.get("/").await.text(), "guarded HTTP/1.1");

    let stranger = Authority::new();
    let mut wrong_authority = good.clone();
    wrong_authority.upstream_tls.ca = Some(stranger.file("ca.pem"));
    let mut wrong_name = good.clone();
    wrong_name.upstream_tls.name = Some("other.internal".into());
    for mut wrong in [wrong_authority, wrong_name] {
        wrong.times.hold = std::time::Duration::from_millis(200);
        let front = cluster.gateway_with(wrong).await;
        until("the leader is seen", || {
            front.handle.status().leader != "no leader"
        })
        .await;
        front.get("/").await.is_problem(503, "unreachable");
    }
    serving.abort();
}

#[tokio::test]
async fn a_leader_that_speaks_http2_over_tls_is_spoken_to_so() {
    let (cluster, authority) = (Cluster::new().await, Authority::new());
    let (address, serving) = guarded(&authority, "leader.internal", b"h2").await;
    let _leadership = cluster.lead(&[("web", &format!("h2://{address}"))]).await;
    let mut options = options();
    options.upstream_tls.ca = Some(authority.file("ca.pem"));
    options.upstream_tls.identity = Some(authority.sign("gateway", "gateway.internal"));
    options.upstream_tls.name = Some("leader.internal".into());
    let front = cluster.gateway_with(options).await;
    assert_eq!(front.get("/").await.text(), "guarded HTTP/2.0");
    serving.abort();
}

/// A certificate of the gateway that is renewed is shown as soon as it is there.
#[tokio::test]
async fn an_identity_towards_the_leader_is_read_again_when_it_changes() {
    let (cluster, authority) = (Cluster::new().await, Authority::new());
    let (address, serving) = guarded(&authority, "leader.internal", b"http/1.1").await;
    let _leadership = cluster
        .lead(&[("web", &format!("https://{address}"))])
        .await;
    let mut options = options();
    options.times.hold = std::time::Duration::from_millis(200);
    let expired = Authority::new();
    let identity = expired.sign("gateway", "gateway.internal");
    options.upstream_tls.ca = Some(authority.file("ca.pem"));
    options.upstream_tls.identity = Some(identity.clone());
    options.upstream_tls.name = Some("leader.internal".into());
    let front = cluster.gateway_with(options).await;
    until("the leader is seen", || {
        front.handle.status().leader != "no leader"
    })
    .await;
    let refused = front.get("/").await;
    assert!(refused.status.is_server_error(), "{refused:?}");
    let renewed = authority.sign("gateway", "gateway.internal");
    std::fs::copy(renewed.1, identity.1).unwrap();
    std::fs::copy(renewed.0, identity.0).unwrap();
    let answered = async {
        while front.get("/").await.status != 200 {
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    };
    soon(answered).await;
    serving.abort();
}

#[tokio::test]
async fn a_leader_without_http2_over_tls_is_there_for_all_who_do_not_need_it() {
    let (cluster, authority) = (Cluster::new().await, Authority::new());
    let (address, serving) = guarded(&authority, "leader.internal", b"http/1.1").await;
    let _leadership = cluster
        .lead(&[("web", &format!("https://{address}"))])
        .await;
    let mut options = options();
    options.upstream_tls.ca = Some(authority.file("ca.pem"));
    options.upstream_tls.identity = Some(authority.sign("gateway", "gateway.internal"));
    options.upstream_tls.name = Some("leader.internal".into());
    let front = cluster.gateway_with(options).await;
    for _ in 0..2 {
        assert_eq!(front.get("/").await.text(), "guarded HTTP/1.1");
        let mut client = crate::harness::http2(front.address).await;
        let call = Request::post("http://h/")
            .header("content-type", "application/grpc")
            .body(boxed(""))
            .unwrap();
        let reply = soon(client.send_request(call)).await.unwrap();
        read(reply).await.unwrap().is_problem(502, "no-http2");
        assert_eq!(front.handle.status().leader, "ready");
    }
    serving.abort();
}
