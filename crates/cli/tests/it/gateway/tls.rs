//! TLS for clients and towards the leader, and bearer tokens, with `curl`.

use std::fs;
use std::path::PathBuf;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

use crate::harness::{Place, finished, free_port, until};

use super::front::{self, curl, front, no_curl, node_at, taken_apart};

/// An authority. The test's directory holds the files that it has signed.
pub(crate) struct Authority {
    dir: PathBuf,
    name: &'static str,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn new(place: &Place, name: &'static str) -> Self {
        let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
            .distinguished_name
            .push(rcgen::DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        fs::write(place.path(&format!("{name}.ca")), certificate.pem()).unwrap();
        Self {
            dir: place.path(""),
            name,
            issuer: Issuer::new(params, key),
        }
    }

    pub(crate) fn file(&self) -> String {
        format!("{}.ca", self.name)
    }

    /// Writes `NAME.pem` and `NAME.key`.
    pub(crate) fn sign(&self, name: &str, subject: &str) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![subject.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        fs::write(self.dir.join(format!("{name}.key")), key.serialize_pem()).unwrap();
        fs::write(self.dir.join(format!("{name}.pem")), certificate.pem()).unwrap();
    }
}

/// A gateway with TLS for clients; its `address` is the one with TLS.
fn with_tls(place: &Place, flags: &[&str]) -> front::Front {
    let mut command = place.incumbent(&["gateway", "--listen", "127.0.0.1:0"]);
    command.args([
        "--tls-listen",
        "127.0.0.1:0",
        "--cert",
        "front.pem",
        "--key",
        "front.key",
    ]);
    command.args(flags);
    front::front_of(place, "gateway", command, 2)
}

/// `curl` to the gateway under the name in its certificate.
fn secure(
    place: &Place,
    front: &front::Front,
    name: &str,
    flags: &[&str],
) -> std::process::Command {
    let (_, port) = front.address.rsplit_once(':').unwrap();
    let mut command = curl(place);
    command.args(["--connect-to", &format!("{name}:443:127.0.0.1:{port}")]);
    command.args(flags).arg(format!("https://{name}/headers"));
    command
}

#[test]
fn clients_without_a_certificate_are_refused_and_a_new_one_of_the_gateway_is_shown_without_a_restart()
 {
    if no_curl() {
        return;
    }
    let place = Place::new();
    let (old, new) = (Authority::new(&place, "old"), Authority::new(&place, "new"));
    let (clients, strangers) = (
        Authority::new(&place, "clients"),
        Authority::new(&place, "strangers"),
    );
    old.sign("front", "old.example");
    clients.sign("client", "client.example");
    strangers.sign("stranger", "client.example");
    let _a = front::node(&place, "a", &[]);
    place.active("a");
    let front = with_tls(
        &place,
        &["--client-ca", &clients.file(), "--pass-certificate"],
    );

    let shown = ["--cert", "client.pem", "--key", "client.key"];
    let ask = |name: &str, ca: &str, flags: &[&str]| {
        let mut all = vec!["--cacert", ca];
        all.extend(flags);
        finished(secure(&place, &front, name, &all))
    };
    for version in ["--http1.1", "--http2"] {
        let got =
            taken_apart(&ask("old.example", "old.ca", &[&shown[..], &[version]].concat()).out);
        assert_eq!(got.status, "200", "{got:?}");
        assert!(got.body.contains("client-cert: :"), "{got:?}");
        assert!(got.body.contains("x-forwarded-proto: https\n"), "{got:?}");
        let expected = if version == "--http2" {
            "http/2 200"
        } else {
            "http/1.1 200"
        };
        assert!(got.head.starts_with(expected), "{got:?}");
    }
    let refused = |flags: &[&str]| {
        let done = ask("old.example", "old.ca", flags);
        assert_ne!(done.code, Some(0), "{:?}", done.out);
    };
    refused(&[]);
    refused(&["--cert", "stranger.pem", "--key", "stranger.key"]);

    // A certificate with a key that does not belong to it is not used.
    fs::write(place.path("front.key"), "no key").unwrap();
    front.node.logged("the certificate before stays in use");
    assert_eq!(ask("old.example", "old.ca", &shown).code, Some(0));
    new.sign("front", "new.example");
    until("the new certificate is shown", || {
        ask("new.example", "new.ca", &shown).code == Some(0)
    });
    assert_ne!(ask("old.example", "old.ca", &shown).code, Some(0));
    assert!(
        place
            .note("seen")
            .lines()
            .all(|line| line == "GET /headers")
    );
}

#[test]
fn the_leader_is_believed_only_with_a_certificate_of_its_authority_and_believes_only_this_gateway()
{
    if no_curl() {
        return;
    }
    let place = Place::new();
    let leaders = Authority::new(&place, "leaders");
    let gateways = Authority::new(&place, "gateways");
    leaders.sign("leader", "leader.internal");
    gateways.sign("known", "gateway.internal");
    leaders.sign("front", "any.example");
    let address = format!("127.0.0.1:{}", free_port());
    let mut command = node_at(
        &place,
        "a",
        &address,
        &format!("web=https://{address}"),
        &[],
    );
    command.env("BACKEND_TLS", "leader.pem leader.key gateways.ca");
    let _a = place.start("a", command);
    place.active("a");

    let trusting = [
        "--upstream-ca",
        "leaders.ca",
        "--upstream-name",
        "leader.internal",
    ];
    let identity = [
        "--upstream-cert",
        "known.pem",
        "--upstream-key",
        "known.key",
    ];
    let to = |name: &str, flags: &[&str]| {
        let mut command = place.incumbent(&["gateway", "--listen", "127.0.0.1:0", "--hold", "1s"]);
        command.args(flags);
        front(&place, name, command)
    };
    for http in ["1", "2"] {
        let all = [&trusting[..], &identity[..], &["--upstream-http", http]].concat();
        let known = to(&format!("known{http}"), &all);
        let got = known.get(&place, "/who?n=1", &[]);
        assert_eq!(got.body, "n=1 holder=a epoch=1 meant=1\n", "{got:?}");
    }
    // The wrong name, the wrong authority, and no certificate of the gateway.
    let wrong: [(&str, Vec<&str>); 3] = [
        (
            "name",
            [&["--upstream-ca", "leaders.ca"], &identity[..]].concat(),
        ),
        (
            "authority",
            [
                &[
                    "--upstream-ca",
                    "gateways.ca",
                    "--upstream-name",
                    "leader.internal",
                ],
                &identity[..],
            ]
            .concat(),
        ),
        ("nobody", trusting.to_vec()),
    ];
    for (name, flags) in wrong {
        let front = to(name, &flags);
        let got = front.get(&place, "/smuggled", &[]);
        let problem = got.assert_retryable(&["502", "503"]);
        eprintln!("{name}: {}", problem["type"]);
        assert!(
            !got.body.contains("leader.internal") && !got.body.contains(&address),
            "{got:?}"
        );
    }
    assert!(!place.note("seen").contains("smuggled"));
}

#[test]
fn without_the_bearer_token_the_answer_is_401_and_the_token_goes_no_further() {
    if no_curl() {
        return;
    }
    let place = Place::new();
    fs::write(place.path("token"), "s3cret\n").unwrap();
    let _a = front::node(&place, "a", &[]);
    place.active("a");
    let front = front::gateway(&place, &["--token-file", "token"]);
    for wrong in [
        None,
        Some("Bearer s3cre"),
        Some("Bearer wrong!"),
        Some("Basic s3cret"),
        Some("Bearer"),
    ] {
        let header = wrong.map(|value| format!("Authorization: {value}"));
        let flags = header
            .as_ref()
            .map_or(vec![], |header| vec!["-H", header.as_str()]);
        let got = front.get(&place, "/denied", &flags);
        assert_eq!(got.status, "401", "{wrong:?} {got:?}");
        assert!(got.head.contains("www-authenticate: bearer"), "{got:?}");
        assert!(got.head.contains("application/problem+json"), "{got:?}");
    }
    for right in [
        "Authorization: Bearer s3cret",
        "authorization: bearer s3cret",
    ] {
        let got = front.get(&place, "/headers", &["-H", right]);
        assert_eq!(got.status, "200", "{got:?}");
        assert!(
            !got.body.contains("s3cret") && !got.body.contains("authorization"),
            "{got:?}"
        );
    }
    assert!(!place.note("seen").contains("denied"));
    // The command line refuses settings at once that cannot work.
    fs::write(place.path("empty"), "\n").unwrap();
    let done = place.ask(&[
        "gateway",
        "--listen",
        "127.0.0.1:0",
        "--token-file",
        "empty",
    ]);
    assert!(done.assert_code(2).err.contains("empty"));
}

/// With --tls-listen alone there is no port without TLS.
#[test]
fn with_tls_alone_nothing_listens_without_it() {
    let place = Place::new();
    let authority = Authority::new(&place, "any");
    authority.sign("front", "any.example");
    let mut command = place.incumbent(&["gateway", "--tls-listen", "127.0.0.1:0"]);
    command.args(["--cert", "front.pem", "--key", "front.key"]);
    command.args(["--status-listen", "127.0.0.1:0"]);
    let front = front(&place, "gateway", command);
    // Log lines may be written later than printed lines.
    front.node.logged("/readyz");
    front.node.logged("https://");
    let log = front.node.log();
    assert!(!log.contains("http://"), "{log}");
    assert!(place.note("gateway.out").starts_with("https://"));
    // A gateway never leads, so it offers no /leaderz.
    assert!(!log.contains("/leaderz"), "{log}");
}
