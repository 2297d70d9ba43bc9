//! TLS, and the identities in certificates.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use incumbent_leader_server::{Identity, Options, ServerFiles};
use incumbent_zk_proto::jute::Reader;
use incumbent_zk_proto::{
    Acl, Code, ConnectResponse, Create, CreateKind, Id, ReplyHeader, Request, Response, perms,
};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, IsCa, KeyPair,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, RootCertStore};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::harness::{LONG_MS, Running, create, done, get_data, soon};
use crate::raw::{Raw, asked, greeting};

/// A certificate authority.
struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    dir: TempDir,
}

/// A certificate and its key.
struct Certified {
    certificate: rcgen::Certificate,
    key: KeyPair,
}

fn named(parts: &[(DnType, &str)]) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    for (kind, value) in parts {
        name.push(kind.clone(), *value);
    }
    name
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name = named(&[(DnType::CommonName, "authority")]);
        let key = KeyPair::generate().unwrap();
        let issuer = CertifiedIssuer::self_signed(params, key).unwrap();
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("ca.pem"), issuer.pem()).unwrap();
        Self { issuer, dir }
    }

    fn file(&self) -> PathBuf {
        self.dir.path().join("ca.pem")
    }

    fn certify(&self, name: DistinguishedName) -> Certified {
        let mut params = CertificateParams::new(vec!["localhost".into()]).unwrap();
        params.distinguished_name = name;
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Certified { certificate, key }
    }

    /// A server with a certificate of this authority; clients need one of `clients`.
    async fn server(&self, clients: Option<&Self>) -> Running {
        self.server_for(clients.map(Self::file)).await
    }

    /// The same; clients need a certificate of the authority in this file.
    async fn server_for(&self, clients: Option<PathBuf>) -> Running {
        let identity = self.install("server");
        let files = ServerFiles {
            identity,
            client_ca: clients,
        };
        let options = Options {
            tls: Some((SocketAddr::from(([127, 0, 0, 1], 0)), files)),
            ..Options::local()
        };
        Running::start(options).await
    }

    /// Puts a new certificate of this name, and its key, where the server reads them.
    fn install(&self, name: &str) -> Identity {
        let own = self.certify(named(&[(DnType::CommonName, name)]));
        let identity = Identity {
            certificate: self.dir.path().join("cert"),
            key: self.dir.path().join("key"),
        };
        std::fs::write(&identity.certificate, own.certificate.pem()).unwrap();
        std::fs::write(&identity.key, own.key.serialize_pem()).unwrap();
        identity
    }
}

/// A client over TLS with a session.
struct Client {
    stream: TlsStream<TcpStream>,
}

impl Client {
    /// Trusts `authority`, and shows a certificate if it has one.
    async fn connect(
        server: &Running,
        authority: &Authority,
        own: Option<&Certified>,
    ) -> std::io::Result<Self> {
        Self::connect_to(server.tls_address.unwrap(), authority, own).await
    }

    async fn connect_to(
        address: SocketAddr,
        authority: &Authority,
        own: Option<&Certified>,
    ) -> std::io::Result<Self> {
        let mut roots = RootCertStore::empty();
        roots.add(authority.issuer.der().clone()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let config = match own {
            None => builder.with_no_client_auth(),
            Some(own) => builder
                .with_client_auth_cert(
                    vec![own.certificate.der().clone()],
                    PrivateKeyDer::try_from(own.key.serialize_der()).unwrap(),
                )
                .unwrap(),
        };
        let stream = TcpStream::connect(address).await?;
        let name = ServerName::try_from("localhost").unwrap();
        let connector = TlsConnector::from(Arc::new(config));
        let stream = soon(connector.connect(name, stream)).await?;
        let mut client = Self { stream };
        client.stream.write_all(&greeting(LONG_MS)).await?;
        // A server that refuses the certificate reports it only now.
        let answer = client.frame().await?;
        assert_ne!(ConnectResponse::read(&answer).unwrap().session, 0);
        Ok(client)
    }

    async fn frame(&mut self) -> std::io::Result<Vec<u8>> {
        let mut length = [0; 4];
        soon(self.stream.read_exact(&mut length)).await?;
        let mut frame = vec![0; u32::from_be_bytes(length) as usize];
        soon(self.stream.read_exact(&mut frame)).await?;
        Ok(frame)
    }

    async fn ask(&mut self, request: &Request<'_>) -> Result<Response, Code> {
        self.stream.write_all(&asked(1, request)).await.unwrap();
        let frame = self.frame().await.unwrap();
        let mut reader = Reader::new(&frame);
        match ReplyHeader::read(&mut reader).unwrap().err {
            0 => Ok(Response::read(request.op(), &mut reader).unwrap()),
            number => Err(Code::from_number(number).unwrap()),
        }
    }
}

#[tokio::test]
async fn a_client_over_tls_is_served_beside_plain_ones() {
    let authority = Authority::new();
    let server = authority.server(None).await;
    let mut secure = Client::connect(&server, &authority, None).await.unwrap();
    let mut plain = server.client().await;
    done(&mut plain, &create("/n")).await;
    assert!(secure.ask(&get_data("/n")).await.is_ok());
    // More than one TLS record.
    let long = vec![b'x'; 500_000];
    let set = crate::harness::set("/n", &long);
    assert!(secure.ask(&set).await.is_ok());
    let Ok(Response::Data(Some(bytes), _)) = secure.ask(&get_data("/n")).await else {
        panic!()
    };
    assert_eq!(bytes.len(), long.len());
}

#[tokio::test]
async fn the_name_in_a_certificate_is_an_identity() {
    let authority = Authority::new();
    let server = authority.server(Some(&authority)).await;
    let name = |who| {
        named(&[
            (DnType::CountryName, "DE"),
            (DnType::OrganizationName, "A, Inc"),
            (DnType::CommonName, who),
        ])
    };
    let (first, second) = (
        authority.certify(name("first")),
        authority.certify(name("second")),
    );
    let mut first = Client::connect(&server, &authority, Some(&first))
        .await
        .unwrap();
    let mut second = Client::connect(&server, &authority, Some(&second))
        .await
        .unwrap();
    let Ok(Response::Identities(who)) = first.ask(&Request::WhoAmI).await else {
        panic!()
    };
    let id = Id {
        scheme: "x509".into(),
        // As Java prints it.
        id: "CN=first,O=A\\, Inc,C=DE".into(),
    };
    assert!(who.contains(&id), "{who:?}");
    let mine = |path, id| {
        Request::Create(Create {
            path,
            data: None,
            acl: vec![Acl {
                perms: perms::ALL,
                id,
            }],
            flags: 0,
            kind: CreateKind::Plain,
        })
    };
    assert!(first.ask(&mine("/named", id)).await.is_ok());
    let auth = Id {
        scheme: "auth".into(),
        id: String::new(),
    };
    assert!(first.ask(&mine("/auth", auth.clone())).await.is_ok());
    for path in ["/named", "/auth"] {
        assert!(first.ask(&get_data(path)).await.is_ok());
        assert_eq!(second.ask(&get_data(path)).await, Err(Code::NoAuth));
    }
}

#[tokio::test]
async fn names_that_are_no_text_are_still_told_apart() {
    let authority = Authority::new();
    let server = authority.server(Some(&authority)).await;
    let mut said = Vec::new();
    for name in ["one", "two"] {
        let text = rcgen::string::BmpString::try_from(name).unwrap();
        let mut subject = DistinguishedName::new();
        subject.push(DnType::CommonName, rcgen::DnValue::BmpString(text));
        let own = authority.certify(subject);
        let mut client = Client::connect(&server, &authority, Some(&own))
            .await
            .unwrap();
        said.push(format!("{:?}", client.ask(&Request::WhoAmI).await));
    }
    assert_ne!(said[0], said[1]);
}

#[tokio::test]
async fn who_has_no_certificate_of_the_right_authority_is_refused_alone() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let server = authority.server(Some(&authority)).await;
    let name = || named(&[(DnType::CommonName, "client")]);
    let good = authority.certify(name());
    let mut client = Client::connect(&server, &authority, Some(&good))
        .await
        .unwrap();
    let forged = stranger.certify(name());
    for own in [None, Some(&forged)] {
        let refused = Client::connect(&server, &authority, own).await;
        assert!(refused.is_err());
    }
    // A client that does not trust the server ends the connection itself.
    assert!(
        Client::connect(&server, &stranger, Some(&good))
            .await
            .is_err()
    );
    assert!(client.ask(&create("/on")).await.is_ok());
}

#[tokio::test]
async fn plain_where_tls_is_meant_and_the_reverse_fail_alone() {
    let authority = Authority::new();
    let server = authority.server(None).await;
    let mut secure = Client::connect(&server, &authority, None).await.unwrap();
    let mut plain = Raw::connect(server.tls_address.unwrap()).await;
    plain.send(&greeting(LONG_MS)).await;
    // A TLS alert is not a reply.
    let said = plain.closed().await;
    assert!(said.len() < 16, "{said:?}");
    plain.closed_because("TLS handshake failed").await;
    let refused = Client::connect_to(server.address, &authority, None).await;
    assert!(refused.is_err());
    assert!(secure.ask(&create("/on")).await.is_ok());
}

/// Made by `openssl x509 -req` without extensions.
#[tokio::test]
async fn a_certificate_of_version_1_is_refused_with_the_reason_in_the_log() {
    let file = |name| std::path::Path::new("tests/it/x509_v1").join(name);
    let authority = Authority::new();
    let server = authority.server_for(Some(file("ca.pem"))).await;
    let mut roots = RootCertStore::empty();
    roots.add(authority.issuer.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let key = PrivateKeyDer::from_pem_file(file("client.key")).unwrap();
    let key = provider.key_provider.load_private_key(key).unwrap();
    let certificate = CertificateDer::from_pem_file(file("client.pem")).unwrap();
    let own = CertifiedKey::new(vec![certificate], key);
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_client_cert_resolver(Arc::new(SingleCertAndKey::from(own)));
    let raw = Raw::connect(server.tls_address.unwrap()).await;
    let name = ServerName::try_from("localhost").unwrap();
    let mut refused = None;
    let logged = {
        let (stream, log) = raw.split_log();
        let connected = TlsConnector::from(Arc::new(config))
            .connect(name, stream)
            .await;
        if let Ok(mut stream) = connected {
            let _ = stream.write_all(&greeting(LONG_MS)).await;
            refused = stream.read_u8().await.err();
        }
        log
    };
    logged
        .closed_because("X.509 version 1, which is refused")
        .await;
    assert!(refused.is_some());
}

/// Within seconds, and without a restart. Open connections continue.
#[tokio::test]
async fn a_certificate_that_was_replaced_is_shown_to_new_clients() {
    let authority = Authority::new();
    let server = authority.server(None).await;
    let mut before = Client::connect(&server, &authority, None).await.unwrap();
    let shown = |client: &Client| {
        let certificates = client.stream.get_ref().1.peer_certificates().unwrap();
        certificates[0].as_ref().to_vec()
    };
    let old = shown(&before);
    let broken = authority.dir.path().join("cert");
    std::fs::write(&broken, "in the middle of being written").unwrap();
    authority.install("renewed");
    let renewed = async {
        loop {
            let client = Client::connect(&server, &authority, None).await.unwrap();
            if shown(&client) != old {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    soon(renewed).await;
    assert!(before.ask(&create("/on")).await.is_ok());
}

#[tokio::test]
async fn files_that_cannot_be_used_are_named_at_the_start() {
    let authority = Authority::new();
    let Identity { certificate, .. } = authority.install("server");
    let files = ServerFiles {
        identity: Identity {
            certificate,
            key: authority.dir.path().join("missing"),
        },
        client_ca: None,
    };
    let options = Options {
        tls: Some((SocketAddr::from(([127, 0, 0, 1], 0)), files)),
        ..Options::local()
    };
    let error = incumbent_leader_server::Server::bind(options).await.err();
    let error = error.expect("it does not start");
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(cause.contains("missing"), "{error}: {cause}");
}
