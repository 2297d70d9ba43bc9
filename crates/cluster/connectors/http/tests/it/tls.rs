//! Over TLS, with a CA of one's own: whom the sink trusts, and what it says if it does not.

use std::io::Write as _;
use std::net::TcpListener;
use std::path::PathBuf;

use incumbent_stream::{Staged, Writer};
use incumbent_stream_http::Http;
use incumbent_tls::{Identity, ServerFiles};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};

use crate::server::{Answer, OK, Server, at, open};

/// A CA that no system knows.
struct Authority {
    dir: tempfile::TempDir,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).unwrap();
        std::fs::write(dir.path().join("ca.pem"), certificate.pem()).unwrap();
        let issuer = Issuer::new(params, key);
        Self { dir, issuer }
    }

    fn ca(&self) -> PathBuf {
        self.dir.path().join("ca.pem")
    }

    /// A server whose certificate is for 127.0.0.1, and otherwise as is said.
    fn server(&self, change: impl FnOnce(&mut CertificateParams)) -> Server {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        change(&mut params);
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let identity = Identity {
            certificate: self.dir.path().join("server.pem"),
            key: self.dir.path().join("server.key"),
        };
        std::fs::write(&identity.certificate, certificate.pem()).unwrap();
        std::fs::write(&identity.key, key.serialize_pem()).unwrap();
        let files = ServerFiles {
            identity,
            client_ca: None,
        };
        Server::start_tls(files.read(&[]).unwrap(), |number, _| match number {
            // Waited out as without TLS.
            0 => Answer::Status(503, "", "busy"),
            _ => OK,
        })
    }
}

/// Two records in a checkpoint that is committed, and why they are not sent.
fn not_sent(sink: &Http) -> (Vec<Staged>, String) {
    let mut writer = open(sink, &at(1, 0, 1), &[]).unwrap();
    writer.write(vec![7, 8]).unwrap();
    let staged = writer.stage(1).unwrap();
    let refused = writer.commit(1).and_then(|()| writer.close());
    (staged, refused.unwrap_err().to_string())
}

#[test]
fn a_ca_of_ones_own_is_trusted_if_it_is_named() {
    let authority = Authority::new();
    let server = authority.server(|_| ());
    let sink = Http::post(server.secure_url("127.0.0.1")).ca(authority.ca());
    let mut writer = open(&sink, &at(1, 0, 1), &[]).unwrap();
    writer.write(vec![7, 8]).unwrap();
    writer.stage(1).unwrap();
    writer.commit(1).unwrap();
    writer.close().unwrap();
    let bodies: Vec<_> = server.remembered().into_values().collect();
    assert_eq!(bodies, ["7", "8"]);
}

#[test]
fn a_refused_certificate_is_one_error_that_says_what_was_not_sent_and_what_to_do() {
    let (authority, other) = (Authority::new(), Authority::new());
    let server = authority.server(|_| ());
    let expired = authority.server(|params| {
        params.not_before = date_time_ymd(2001, 1, 1);
        params.not_after = date_time_ymd(2002, 1, 1);
    });
    let url = || server.secure_url("127.0.0.1");
    for (sink, advice) in [
        (Http::post(url()), "name the authority's certificate"),
        (Http::post(url()).ca(other.ca()), "Http::ca names the file"),
        (
            Http::post(server.secure_url("localhost")).ca(authority.ca()),
            "use one of its names in the address",
        ),
        (
            Http::post(expired.secure_url("127.0.0.1")).ca(authority.ca()),
            "has expired",
        ),
    ] {
        let (_, text) = not_sent(&sink);
        for part in [
            "/records: ",
            "2 of the requests of batch 0123456789abcdef0123456789abcdef/alerts/0/1/1 were not sent",
            "wait in the checkpoint",
            advice,
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(!text.contains("hidden") && !text.contains('\n'), "{text}");
    }
    assert!(server.arrived().is_empty() && expired.arrived().is_empty());
}

#[test]
fn what_a_refused_certificate_held_up_is_sent_once_it_is_accepted() {
    let authority = Authority::new();
    let server = authority.server(|_| ());
    let sink = Http::post(server.secure_url("127.0.0.1"));
    let (staged, _) = not_sent(&sink);
    assert!(open(&sink, &at(2, 0, 1), &staged).is_err(), "still refused");
    open(&sink.ca(authority.ca()), &at(3, 0, 1), &staged).unwrap();
    let keys: Vec<_> = server.remembered().into_keys().collect();
    let key = |number| format!("0123456789abcdef0123456789abcdef/alerts/0/1/1/{number}");
    assert_eq!(keys, [0, 1].map(key), "as the first attempt would have");
}

#[test]
fn a_server_that_does_not_speak_tls_is_waited_for() {
    // As a proxy may be while it starts.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let _ = (&stream).write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
        }
    });
    let sink = Http::post(format!("https://127.0.0.1:{port}/"));
    let mut writer = open(&sink, &at(1, 0, 1), &[]).unwrap();
    writer.write(vec![7]).unwrap();
    writer.stage(1).unwrap();
    writer.commit(1).unwrap();
    assert!(writer.held_bytes() > 0);
    assert_eq!(writer.stage(2).unwrap().len(), 1, "checkpoints go on");
}
