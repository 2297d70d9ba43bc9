use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::{ClientConnection, ServerConnection};

use super::*;
use crate::{Explanation, explain};

/// Certificates made for one test, in files.
struct Files {
    dir: tempfile::TempDir,
    issuer: Issuer<'static, KeyPair>,
}

impl Files {
    /// `ca.pem`, and a certificate `ours` for localhost with its key.
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca = params.self_signed(&key).unwrap();
        fs::write(dir.path().join("ca.pem"), ca.pem()).unwrap();
        let files = Self {
            dir,
            issuer: Issuer::new(params, key),
        };
        files.issue("ours", |_| {});
        files
    }

    fn issue(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) -> Identity {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec!["localhost".into()]).unwrap();
        change(&mut params);
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        self.write(&format!("{name}.pem"), certificate.pem());
        self.write(&format!("{name}.key"), key.serialize_pem());
        self.identity(name)
    }

    fn identity(&self, name: &str) -> Identity {
        Identity {
            certificate: self.path(&format!("{name}.pem")),
            key: self.path(&format!("{name}.key")),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        fs::write(self.path(name), text).unwrap();
        self.path(name)
    }

    fn client(&self, identity: Option<Identity>) -> ClientFiles {
        ClientFiles {
            trust: Trust::File(self.path("ca.pem")),
            identity,
        }
    }

    fn server(&self, identity: Identity, asks: bool) -> ServerFiles {
        ServerFiles {
            identity,
            client_ca: asks.then(|| self.path("ca.pem")),
        }
    }
}

fn version_1() -> Identity {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/fixtures");
    Identity {
        certificate: fixtures.join("version-1.pem"),
        key: fixtures.join("version-1.key"),
    }
}

/// Connects a client to a server, until both are connected or the first of them fails.
fn shake(client: &ClientFiles, server: &ServerFiles, name: &str) -> Result<(), Explanation> {
    let config = Arc::new(client.read(&[b"h2"]).unwrap());
    let mut client = ClientConnection::new(config, server_name(name).unwrap()).unwrap();
    let config = Arc::new(server.read(&[b"h2"]).unwrap());
    let mut server = ServerConnection::new(config).unwrap();
    let failed = |error: rustls::Error| explain(&io::Error::other(error)).unwrap();
    for _ in 0..10 {
        let mut bytes = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut bytes).unwrap();
        }
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            server.read_tls(&mut rest).unwrap();
        }
        server.process_new_packets().map_err(failed)?;
        let mut bytes = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut bytes).unwrap();
        }
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            client.read_tls(&mut rest).unwrap();
        }
        client.process_new_packets().map_err(failed)?;
        if !client.is_handshaking() && !server.is_handshaking() && !client.wants_write() {
            assert_eq!(client.alpn_protocol(), Some(&b"h2"[..]));
            return Ok(());
        }
    }
    panic!("they never agree")
}

#[test]
fn a_client_and_a_server_of_the_same_authority_connect() {
    let files = Files::new();
    let ours = files.identity("ours");
    let server = files.server(ours.clone(), false);
    assert_eq!(shake(&files.client(None), &server, "localhost"), Ok(()));
    let server = files.server(ours.clone(), true);
    assert_eq!(
        shake(&files.client(Some(ours)), &server, "localhost"),
        Ok(())
    );
}

#[test]
fn why_a_handshake_fails_is_said_in_words() {
    let files = Files::new();
    let others = Files::new();
    let ours = files.identity("ours");
    let old = files.issue("old", |params| {
        params.not_before = rcgen::date_time_ymd(2000, 1, 1);
        params.not_after = rcgen::date_time_ymd(2001, 1, 1);
    });
    let early = files.issue("early", |params| {
        params.not_before = rcgen::date_time_ymd(3000, 1, 1);
        params.not_after = rcgen::date_time_ymd(3001, 1, 1);
    });
    let plain = files.client(None);
    for (client, server, name, reason, words) in [
        (
            &plain,
            files.server(old, false),
            "localhost",
            "expired",
            "renew",
        ),
        (
            &plain,
            files.server(early, false),
            "localhost",
            "not_yet_valid",
            "clocks",
        ),
        (
            &plain,
            files.server(ours.clone(), false),
            "other",
            "name",
            "localhost",
        ),
        (
            &others.client(None),
            files.server(ours.clone(), false),
            "localhost",
            "authority",
            "ca",
        ),
        (
            &plain,
            files.server(ours, true),
            "localhost",
            "refused",
            "certificate",
        ),
    ] {
        let failed = shake(client, &server, name).unwrap_err();
        assert_eq!(failed.reason, reason, "{failed:?}");
        assert!(failed.advice.contains(words), "{failed:?}");
    }
}

#[test]
fn a_certificate_of_version_1_is_refused_by_name_on_both_sides() {
    let files = Files::new();
    let refused = [
        files.server(version_1(), false).read(&[]).err().unwrap(),
        files.client(Some(version_1())).read(&[]).err().unwrap(),
    ];
    for error in refused {
        assert!(matches!(error, TlsError::VersionOne(_)), "{error:?}");
        let text = error.to_string();
        assert!(
            text.contains("version-1.pem") && text.contains("-extfile"),
            "{text}"
        );
    }
    // The file still works as a CA.
    let trusts = ClientFiles {
        trust: Trust::File(version_1().certificate),
        identity: None,
    };
    trusts.read(&[]).unwrap();
    // The TLS library judges the certificate that the peer presents.
    let config = trusts.read(&[]).unwrap();
    let shown = pem::certificates(&version_1().certificate).unwrap();
    let verifier = rustls::client::WebPkiServerVerifier::builder_with_provider(
        Arc::new(roots(&version_1().certificate).unwrap()),
        Arc::clone(config.crypto_provider()),
    );
    let judged = rustls::client::danger::ServerCertVerifier::verify_server_cert(
        &*verifier.build().unwrap(),
        &shown[0],
        &[],
        &server_name("localhost").unwrap(),
        &[],
        rustls::pki_types::UnixTime::since_unix_epoch(std::time::Duration::from_secs(
            1_800_000_000,
        )),
    );
    assert_eq!(explain(&judged.unwrap_err()).unwrap().reason, "version_1");
}

#[test]
fn what_cannot_be_used_is_named_and_never_shown() {
    let files = Files::new();
    let ours = files.identity("ours");
    let theirs = files.issue("theirs", |_| {});
    let key = fs::read_to_string(&ours.key).unwrap();
    let secret: String = key.lines().skip(1).take(1).collect();
    let on_one_line = files.write("line.key", key.replace('\n', ""));
    let cut = files.write("cut.key", &key[..key.len() / 2]);
    let odd = files.write("odd.key", key.replace(&secret[..8], "\u{e9}!!{{"));
    let no_key = files.write("no.key", format!("password: {secret}\n"));
    let locked = files.write(
        "locked.key",
        format!(
            "-----BEGIN ENCRYPTED PRIVATE KEY-----\n{secret}\n-----END ENCRYPTED PRIVATE KEY-----\n"
        ),
    );
    let nonsense = files.write(
        "nonsense.key",
        "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
    );
    let empty = files.write("empty.pem", "");
    let with_key = |key: &Path| Identity {
        certificate: ours.certificate.clone(),
        key: key.to_owned(),
    };
    for (identity, words) in [
        (with_key(&on_one_line), "line.key"),
        (with_key(&cut), "cut.key is damaged"),
        (with_key(&odd), "odd.key"),
        (with_key(&no_key), "no private key in"),
        (with_key(&locked), "passphrase"),
        (with_key(&nonsense), "nonsense.key cannot be used"),
        (with_key(&theirs.key), "does not belong to the certificate"),
        (
            with_key(&files.path("absent.key")),
            "cannot read private key from",
        ),
        (
            Identity {
                certificate: empty.clone(),
                key: ours.key.clone(),
            },
            "no certificate in",
        ),
        (
            Identity {
                certificate: ours.key.clone(),
                key: ours.key.clone(),
            },
            "no certificate in",
        ),
    ] {
        let errors = [
            files
                .server(identity.clone(), false)
                .read(&[])
                .err()
                .unwrap(),
            files.client(Some(identity)).read_pem().err().unwrap(),
        ];
        for error in errors {
            let shown = format!("{error} {error:?} {:?}", std::error::Error::source(&error));
            assert!(shown.contains(words), "{words}: {shown}");
            for part in [&secret[..12], &secret[20..32]] {
                assert!(!shown.contains(part), "{words}: {shown}");
            }
        }
    }
    let empty = ClientFiles {
        trust: Trust::File(empty),
        identity: None,
    };
    assert!(
        empty
            .read(&[])
            .err()
            .unwrap()
            .to_string()
            .contains("empty.pem")
    );
    assert!(server_name("a b").is_err());
}

#[test]
fn options_of_an_address_go_together() {
    let of = |ca: bool, cert: bool, key: bool| {
        let path = |wanted: bool| wanted.then(|| PathBuf::from("/f"));
        ClientFiles::of_options(path(ca), path(cert), path(key))
    };
    assert_eq!(of(false, false, false), Ok(None));
    assert!(of(true, false, false).unwrap().unwrap().identity.is_none());
    assert_eq!(of(true, true, true).unwrap().unwrap().paths().len(), 3);
    for (ca, cert, key) in [
        (false, true, true),
        (false, false, true),
        (true, true, false),
    ] {
        assert!(of(ca, cert, key).is_err());
    }
}

#[test]
fn the_system_has_authorities_or_says_that_it_has_none() {
    ClientFiles::default().read(&[b"h2"]).unwrap();
}
