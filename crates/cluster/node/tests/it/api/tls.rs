//! Nodes that speak TLS, to clients and to each other; and HTTP/2.

use std::sync::Arc;

use http::{Request, Response};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use incumbent_cluster_node::api::JobList;
use incumbent_gateway::worker::{WorkerNonce, verify_same};
use incumbent_gateway::{ServerTls, UpstreamTls};
use incumbent_tls::{ClientFiles, Trust, server_name};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use super::harness::{Cluster, FakeLeader, How, PATIENCE, Running, id, node_view, record, view};

/// An authority, and a certificate of it for 127.0.0.1, in the directory of the cluster.
fn tls(cluster: &Cluster) -> (ServerTls, UpstreamTls) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = params.self_signed(&key).unwrap();
    let issuer = Issuer::new(params, key);
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &issuer).unwrap();
    let write = |name: &str, text: String| {
        std::fs::write(cluster.dir(name), text).unwrap();
        cluster.dir(name)
    };
    let server = ServerTls {
        certificate: write("node.pem", certificate.pem()),
        key: write("node.key", key.serialize_pem()),
        client_ca: None,
        pass_certificate: false,
    };
    let upstream = UpstreamTls {
        ca: Some(write("ca.pem", authority.pem())),
        ..UpstreamTls::default()
    };
    (server, upstream)
}

/// Asks over HTTP/2, in which requests have no field `Host`.
async fn over_http2(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    url: String,
) -> Response<Bytes> {
    let io = TokioIo::new(stream);
    let (mut sender, connection) = http2::handshake(TokioExecutor::new(), io).await.unwrap();
    tokio::spawn(connection);
    let request = Request::get(url).body(Empty::<Bytes>::new()).unwrap();
    let answer: Response<Incoming> = sender.send_request(request).await.unwrap();
    let (head, body) = answer.into_parts();
    Response::from_parts(head, body.collect().await.unwrap().to_bytes())
}

async fn over_tls(cluster: &Cluster, node: &Running, path: &str) -> Response<Bytes> {
    let files = ClientFiles {
        trust: Trust::File(cluster.dir("ca.pem")),
        identity: None,
    };
    let config = files.read(&[b"h2"]).unwrap();
    let stream = TcpStream::connect(node.address).await.unwrap();
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    let stream = connector
        .connect(server_name("127.0.0.1").unwrap(), stream)
        .await
        .unwrap();
    over_http2(stream, format!("https://{}{path}", node.address)).await
}

#[tokio::test]
async fn with_tls_clients_and_nodes_are_answered_and_a_challenge_needs_none() {
    let cluster = Cluster::new();
    let tls = tls(&cluster);
    let fake = FakeLeader::default();
    fake.add(view(id(1), "job"));
    let nonce = WorkerNonce::random();
    let how = How {
        leader: Some(fake.into()),
        tls: Some(tls.clone()),
        nonce: Some(nonce),
        ..How::default()
    };
    let leader = cluster.node(how).await;
    let how = How {
        tls: Some(tls),
        ..How::default()
    };
    let other = cluster.node(how).await;
    let leadership = leader.lead().await;
    other.follows().await;
    for node in [&leader, &other] {
        let answer = over_tls(&cluster, node, "/v1/jobs").await;
        let list: JobList = serde_json::from_slice(answer.body()).unwrap();
        assert_eq!(list.jobs.len(), 1);
    }
    let port = leader.address.port();
    assert!(
        verify_same(leader.address, None, port, nonce, PATIENCE)
            .await
            .is_ok()
    );
    let plain =
        super::serving::raw(leader.address, b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
    assert!(!plain.starts_with("HTTP/1.1 2"), "{plain}");
    drop(leadership);
}

#[tokio::test]
async fn a_request_without_a_field_host_is_passed_on_and_checked_too() {
    let cluster = Cluster::new();
    let fake = Arc::new(FakeLeader::default());
    fake.add(view(id(1), "job"));
    let how = How {
        leader: Some(Arc::clone(&fake)),
        ..How::default()
    };
    let (leader, other) = (cluster.node(how).await, cluster.node(How::default()).await);
    *fake.nodes.lock().unwrap() = vec![node_view("well", other.address)];
    other.write(&record(id(1), 1, other.address)).await;
    let leadership = leader.lead().await;
    other.follows().await;
    let ask = async |host: &str, path: &str| {
        let stream = TcpStream::connect(other.address).await.unwrap();
        over_http2(stream, format!("http://{host}{path}")).await
    };
    let own = other.address.to_string();
    let metrics = ask(&own, "/v1/metrics").await;
    let text = String::from_utf8(metrics.into_body().into()).unwrap();
    assert!(text.contains("node_answered{node=\"well\"} 1"), "{text}");
    // By name: the leader is asked which job that is.
    assert_eq!(ask(&own, "/v1/jobs/job/logs").await.status(), 200);
    assert_eq!(ask("evil.example", "/v1/jobs").await.status(), 403);
    drop(leadership);
}
