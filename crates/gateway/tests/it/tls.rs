//! TLS for clients.

use std::path::PathBuf;
use std::sync::Arc;

use http::{Method, Request};
use hyper_util::rt::{TokioExecutor, TokioIo};
use incumbent_gateway::{Gateway, Listener, Options, ServerTls};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::{TcpListener, TcpStream};

use crate::harness::{Cluster, Reply, Upstream, boxed, options, read, soon};

/// An authority, and the files of its certificates.
pub(crate) struct Authority {
    dir: tempfile::TempDir,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        std::fs::write(dir.path().join("ca.pem"), certificate.pem()).unwrap();
        let issuer = Issuer::new(params, key);
        Self { dir, issuer }
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn sign(&self, name: &str, subject: &str) -> (PathBuf, PathBuf) {
        self.sign_until(name, subject, 2100)
    }

    /// Signs a certificate that expires when this year begins.
    pub(crate) fn sign_until(&self, name: &str, subject: &str, year: i32) -> (PathBuf, PathBuf) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![subject.to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(2000, 1, 1);
        params.not_after = rcgen::date_time_ymd(year, 1, 1);
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let files = (
            self.file(&format!("{name}.pem")),
            self.file(&format!("{name}.key")),
        );
        std::fs::write(&files.1, key.serialize_pem()).unwrap();
        std::fs::write(&files.0, certificate.pem()).unwrap();
        files
    }

    fn client(&self, identity: Option<&(PathBuf, PathBuf)>, alpn: &[&str]) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots
            .add(CertificateDer::from_pem_file(self.file("ca.pem")).unwrap())
            .unwrap();
        let builder = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let mut config = match identity {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => {
                let certificate = CertificateDer::from_pem_file(certificate).unwrap();
                let key = PrivateKeyDer::from_pem_file(key).unwrap();
                builder
                    .with_client_auth_cert(vec![certificate], key)
                    .unwrap()
            }
        };
        config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        Arc::new(config)
    }
}

pub(crate) fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

async fn serve(
    cluster: &Cluster,
    options: Options,
) -> (std::net::SocketAddr, tokio::task::JoinHandle<()>) {
    let gateway = Gateway::new(&cluster.group(), options).unwrap();
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    let serving = tokio::spawn(gateway.run([Listener::tls(socket)], std::future::pending()));
    (address, serving)
}

type Got = Result<(Reply, Vec<u8>), crate::harness::BoxError>;

/// Gets an answer, and the certificate that was shown.
async fn get(to: std::net::SocketAddr, config: Arc<ClientConfig>, name: &str) -> Got {
    Box::pin(get_inside(to, config, name)).await
}

async fn get_inside(to: std::net::SocketAddr, config: Arc<ClientConfig>, name: &str) -> Got {
    let stream = TcpStream::connect(to).await?;
    let name = ServerName::try_from(name.to_owned())?;
    let stream = tokio_rustls::TlsConnector::from(config)
        .connect(name, stream)
        .await?;
    let shown = stream.get_ref().1.peer_certificates().unwrap()[0].to_vec();
    let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    let request = Request::builder().method(Method::GET).body(boxed(""))?;
    let reply = if is_http2 {
        let (mut sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
                .await?;
        tokio::spawn(connection);
        let mut request = request;
        *request.uri_mut() = "https://any.name/".parse()?;
        read(sender.send_request(request).await?).await?
    } else {
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        let mut request = request;
        request.headers_mut().insert("host", "any.name".parse()?);
        read(sender.send_request(request).await?).await?
    };
    Ok((reply, shown))
}

#[tokio::test]
async fn clients_choose_their_http_by_alpn_and_any_name_is_served() {
    let (cluster, authority) = (Cluster::new().await, Authority::new());
    let upstream = Upstream::saying("in").await;
    let _leadership = cluster.lead_at(&upstream).await;
    let (certificate, key) = authority.sign("server", "*.some.example");
    let mut options = options();
    options.tls = Some(ServerTls {
        certificate,
        key,
        client_ca: None,
        pass_certificate: false,
    });
    let (address, serving) = serve(&cluster, options).await;
    for alpn in [&[][..], &["http/1.1"], &["h2"], &["h2", "http/1.1"]] {
        for name in ["one.some.example", "two.some.example"] {
            let (reply, _) = soon(get(address, authority.client(None, alpn), name))
                .await
                .unwrap();
            assert_eq!(reply.text(), "in");
        }
    }
    let seen = upstream.seen();
    assert_eq!(seen.len(), 8);
    assert!(
        seen.iter()
            .all(|seen| seen.headers["x-forwarded-proto"] == "https")
    );
    assert!(seen.iter().all(|seen| seen.headers["host"] == "any.name"));
    serving.abort();
}

#[tokio::test]
async fn clients_without_the_certificate_that_is_asked_for_are_refused_and_others_are_made_known() {
    let (cluster, authority) = (Cluster::new().await, Authority::new());
    let upstream = Upstream::saying("in").await;
    let _leadership = cluster.lead_at(&upstream).await;
    let (certificate, key) = authority.sign("server", "a.example");
    let client = authority.sign("client", "client.example");
    let mut options = options();
    let client_ca = Some(authority.file("ca.pem"));
    options.tls = Some(ServerTls {
        certificate,
        key,
        client_ca,
        pass_certificate: true,
    });
    let (address, serving) = serve(&cluster, options).await;
    assert!(
        soon(get(address, authority.client(None, &[]), "a.example"))
            .await
            .is_err()
    );
    let stranger = Authority::new();
    let other = stranger.sign("client", "client.example");
    assert!(
        soon(get(
            address,
            authority.client(Some(&other), &[]),
            "a.example"
        ))
        .await
        .is_err()
    );
    assert!(upstream.seen().is_empty());
    let known = authority.client(Some(&client), &[]);
    let (reply, _) = soon(get(address, known, "a.example")).await.unwrap();
    assert_eq!(reply.text(), "in");
    let shown = upstream.seen()[0].headers["client-cert"]
        .to_str()
        .unwrap()
        .to_owned();
    let der = CertificateDer::from_pem_file(&client.0).unwrap();
    use base64::Engine as _;
    let expected = base64::engine::general_purpose::STANDARD.encode(&der);
    assert_eq!(shown, format!(":{expected}:"));
    serving.abort();
}

#[tokio::test(start_paused = false)]
async fn a_certificate_is_read_again_when_it_changes_and_connections_stay() {
    let (cluster, authority) = (Cluster::new().await, Authority::new());
    let upstream = Upstream::saying("in").await;
    let _leadership = cluster.lead_at(&upstream).await;
    let (certificate, key) = authority.sign("server", "a.example");
    let mut options = options();
    options.tls = Some(ServerTls {
        certificate: certificate.clone(),
        key,
        client_ca: None,
        pass_certificate: false,
    });
    let (address, serving) = serve(&cluster, options).await;
    let config = authority.client(None, &["http/1.1"]);
    let stream = TcpStream::connect(address).await.unwrap();
    let name = ServerName::try_from("a.example").unwrap();
    let old = tokio_rustls::TlsConnector::from(Arc::clone(&config))
        .connect(name, stream)
        .await
        .unwrap();
    let (mut kept, connection) = hyper::client::conn::http1::handshake(TokioIo::new(old))
        .await
        .unwrap();
    tokio::spawn(connection);
    let (_, before) = soon(get(address, Arc::clone(&config), "a.example"))
        .await
        .unwrap();
    // The certificate first: without its key it cannot be used, and the old one stays.
    std::fs::write(&certificate, "nonsense").unwrap();
    authority.sign("server", "a.example");
    let changed = async {
        loop {
            let (reply, shown) = get(address, Arc::clone(&config), "a.example")
                .await
                .unwrap();
            assert_eq!(reply.text(), "in");
            if shown != before {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    };
    soon(changed).await;
    let request = Request::get("/")
        .header("host", "h")
        .body(boxed(""))
        .unwrap();
    assert_eq!(
        read(soon(kept.send_request(request)).await.unwrap())
            .await
            .unwrap()
            .text(),
        "in"
    );
    serving.abort();
}

#[tokio::test]
async fn files_that_cannot_be_used_are_told_at_once() {
    let (cluster, authority) = (Cluster::new().await, Authority::new());
    let (certificate, _) = authority.sign("one", "a.example");
    let (_, key) = authority.sign("two", "a.example");
    let mut options = options();
    options.tls = Some(ServerTls {
        certificate,
        key,
        client_ca: None,
        pass_certificate: false,
    });
    assert!(Gateway::new(&cluster.group(), options.clone()).is_err());
    options.tls = None;
    options.upstream_tls.ca = Some(authority.file("none.pem"));
    assert!(Gateway::new(&cluster.group(), options).is_err());
}
