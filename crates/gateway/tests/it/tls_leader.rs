//! TLS towards the leader.

use std::sync::Arc;

use http::Request;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{RootCertStore, ServerConfig};
use tokio::net::TcpListener;

use crate::harness::{Cluster, boxed, options, read, soon, until};
use crate::tls::{Authority, provider};

/// A leader with TLS that wants to know its clients.
async fn guarded(
    authority: &Authority,
    name: &str,
    alpn: &[u8],
) -> (String, tokio::task::JoinHandle<()>) {
    let (certificate, key) = authority.sign("leader", name);
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
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap().to_string();
    let serving = tokio::spawn(async move {
        loop {
            let (stream, _) = socket.accept().await.unwrap();
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
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
    });
    (address, serving)
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
