//! TLS, with certificates on both sides.

use std::path::{Path, PathBuf};
use std::process::Command;

use incumbent_backend::{Backend, Expected, Failure};
use incumbent_servers::free_port;
use incumbent_servers::zookeeper::{Options, ZooKeeper};

use crate::{base, create, key, open, read};

/// A directory with a CA and a certificate that it signed: `ca.pem`, `cert.pem`, `key.pem`, and
/// `both.pem`, which contains the last two.
struct Certificates(tempfile::TempDir);

impl Certificates {
    fn make() -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let made = Self(directory);
        let run = |arguments: &str| {
            let mut command = Command::new("openssl");
            command
                .args(arguments.split(' '))
                .current_dir(made.0.path());
            command.output().ok().map(|output| {
                let error = String::from_utf8_lossy(&output.stderr);
                assert!(output.status.success(), "openssl {arguments}: {error}");
            })
        };
        let new = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2";
        run(&format!(
            "req -x509 {new} -subj /CN=authority -keyout ca.key -out ca.pem"
        ))?;
        std::fs::write(
            made.file("san"),
            "subjectAltName=IP:127.0.0.1,DNS:localhost",
        )
        .unwrap();
        run(&format!(
            "req {new} -subj /CN=us -keyout key.pem -out request"
        ))?;
        let sign = "x509 -req -in request -CA ca.pem -CAkey ca.key -CAcreateserial -days 2";
        run(&format!("{sign} -extfile san -out cert.pem"))?;
        let read = |name| std::fs::read_to_string(made.file(name)).unwrap();
        std::fs::write(made.file("both.pem"), read("key.pem") + &read("cert.pem")).unwrap();
        Some(made)
    }

    fn file(&self, name: &str) -> PathBuf {
        Path::join(self.0.path(), name)
    }

    fn path(&self, name: &str) -> String {
        self.file(name).display().to_string()
    }
}

#[tokio::test]
#[allow(clippy::print_stderr, reason = "a skipped test is skipped aloud")]
async fn certificates_open_a_secure_port_and_their_lack_does_not() {
    let Some(ours) = Certificates::make() else {
        eprintln!("SKIPPED: there is no openssl");
        return;
    };
    let others = Certificates::make().expect("it was there");
    let port = free_port().unwrap();
    let options = Options::default()
        .config("serverCnxnFactory=org.apache.zookeeper.server.NettyServerCnxnFactory")
        .config(format!("secureClientPort={port}"))
        .config("secureClientPortAddress=127.0.0.1")
        .config(format!("ssl.keyStore.location={}", ours.path("both.pem")))
        .config(format!("ssl.trustStore.location={}", ours.path("ca.pem")));
    let Some(_server) = ZooKeeper::start(options) else {
        return;
    };
    let base = base();
    let with = |files: &Certificates, own: &Certificates| {
        let (ca, cert, key) = (
            files.path("ca.pem"),
            own.path("cert.pem"),
            own.path("key.pem"),
        );
        open(&format!(
            "zookeeper://localhost:{port}{base}?ca={ca}&cert={cert}&key={key}&session-timeout=2s"
        ))
    };
    let backend = with(&ours, &ours);
    create(&backend, &key("a"), b"1").await;
    assert_eq!(read(&backend, &key("a")).await.unwrap().body, b"1");
    // A server with the wrong certificate, a client of an unknown CA, and no TLS at all.
    let plain = open(&format!(
        "zookeeper://localhost:{port}{base}?session-timeout=2s"
    ));
    for other in [with(&others, &ours), with(&ours, &others), plain] {
        let swapped = other.swap(&key("b"), Expected::Absent, b"").await;
        assert!(
            matches!(swapped, Err(Failure::NotApplied(_))),
            "{swapped:?}"
        );
    }
}
