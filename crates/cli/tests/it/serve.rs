//! `incumbent serve`: how it starts, what it reports about itself, and how it ends.

use std::io::{Read, Write};
use std::net::TcpStream;

use incumbent_zk_proto::jute::{Reader, frame};
use incumbent_zk_proto::{Acl, ConnectRequest, Create, CreateKind, ReplyHeader, Request, Response};
use rustix::process::Signal;

use crate::harness::{Node, Place, finished, over_tcp};

impl Place {
    /// Starts `incumbent serve` at a free port, and returns its address too.
    fn server(&self, name: &str, flags: &[&str]) -> (Node, String) {
        let mut command = self.incumbent(&["serve", "--listen", "127.0.0.1:0"]);
        command.args(flags);
        let node = self.start(name, command);
        let printed = self.noted(&format!("{name}.out"));
        let address = printed.strip_prefix("zookeeper://").unwrap().to_owned();
        (node, address)
    }
}

/// A client with a session.
struct Client(TcpStream);

impl Client {
    fn connect(address: &str) -> Self {
        let mut client = Self(TcpStream::connect(address).unwrap());
        let request = ConnectRequest {
            last_zxid_seen: 0,
            timeout_ms: 10_000,
            session: 0,
            password: &[0; 16],
            read_only: Some(false),
        };
        client.exchange(|out| request.write(out));
        client
    }

    fn exchange(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        let mut out = Vec::new();
        frame(&mut out, write);
        self.0.write_all(&out).unwrap();
        let mut length = [0; 4];
        self.0.read_exact(&mut length).unwrap();
        let mut answer = vec![0; u32::from_be_bytes(length) as usize];
        self.0.read_exact(&mut answer).unwrap();
        answer
    }

    fn ask(&mut self, request: &Request<'_>) -> Option<Response> {
        let answer = self.exchange(|out| request.write_frame(1, out));
        let mut reader = Reader::new(&answer);
        let header = ReplyHeader::read(&mut reader).unwrap();
        (header.err == 0).then(|| Response::read(request.op(), &mut reader).unwrap())
    }
}

fn create(path: &str) -> Request<'_> {
    Request::Create(Create {
        path,
        data: Some(b"kept"),
        acl: vec![Acl::open()],
        flags: 0,
        kind: CreateKind::Plain,
    })
}

fn get(path: &str) -> Request<'_> {
    Request::GetData { path, watch: false }
}

#[test]
fn it_prints_its_address_says_what_it_does_and_ends_when_asked() {
    let place = Place::new();
    let (mut server, address) = place.server("s", &[]);
    let mut client = Client::connect(&address);
    assert!(client.ask(&create("/n")).is_some());
    let log = server.log();
    for words in [
        "serving the ZooKeeper protocol",
        &address,
        "serving from memory",
    ] {
        assert!(log.contains(words), "{words:?} is not in {log}");
    }
    server.signal(Signal::TERM);
    assert_eq!(server.code(), Some(0));
    server.logged("stopped on request");
    assert!(TcpStream::connect(&address).is_err());
}

#[test]
fn what_is_in_its_directory_outlives_it_also_when_it_is_killed() {
    let place = Place::new();
    let flags = ["--data-dir", "data"];
    let (mut server, address) = place.server("first", &flags);
    assert!(Client::connect(&address).ask(&create("/first")).is_some());
    let second = place.ask(&["serve", "--listen", "127.0.0.1:0", "--data-dir", "data"]);
    let second = second.assert_code(1);
    assert!(second.err.contains("is in use by"), "{}", second.err);
    server.signal(Signal::TERM);
    assert_eq!(server.code(), Some(0));

    let (mut server, address) = place.server("second", &flags);
    let mut client = Client::connect(&address);
    assert!(client.ask(&get("/first")).is_some());
    assert!(client.ask(&create("/second")).is_some());
    server.kill();

    let (_server, address) = place.server("third", &flags);
    let mut client = Client::connect(&address);
    for path in ["/first", "/second"] {
        let Some(Response::Data(Some(data), _)) = client.ask(&get(path)) else {
            panic!("{path} is lost")
        };
        assert_eq!(&*data, b"kept");
    }
}

#[test]
fn a_limit_of_the_size_of_files_is_said_and_does_not_kill_it() {
    let place = Place::new();
    let mut command = place.program("sh");
    let script = "ulimit -f 16; exec \"$I\" serve --listen 127.0.0.1:0 --data-dir data";
    command.args(["-c", script]);
    let done = finished(command).assert_code(1);
    assert!(done.err.contains("File too large"), "{}", done.err);
}

#[test]
fn a_digest_as_zookeeper_has_it_is_taken() {
    let place = Place::new();
    let digest = "super:D/InIHSb7yEEbrWz8b9l71RjZJU=";
    let flags = ["--super-digest", digest, "--four-letter-words", "*"];
    place.server("s", &flags);
}

#[test]
fn monitors_see_how_it_is() {
    let place = Place::new();
    let (server, address) = place.server(
        "s",
        &[
            "--status-listen",
            "127.0.0.1:0",
            "--four-letter-words",
            "ruok,mntr",
        ],
    );
    let line = server.logged("serving /metrics");
    let (_, status) = line.split_once("address=").unwrap();
    let status = status.split_whitespace().next().unwrap();
    let _client = Client::connect(&address);
    let look = |path| over_tcp(status, "GET", path, &[], "").unwrap();
    assert_eq!(look("/healthz").status, 200);
    let ready = look("/readyz");
    assert_eq!(ready.status, 200);
    assert_eq!(ready.json()["sessions"], 1, "{}", ready.body);
    let metrics = look("/metrics").body;
    assert!(metrics.contains("incumbent_server_sessions 1"), "{metrics}");
    let word = |word: &str| {
        let mut stream = TcpStream::connect(&address).unwrap();
        stream.write_all(word.as_bytes()).unwrap();
        let mut said = String::new();
        stream.read_to_string(&mut said).unwrap();
        said
    };
    assert_eq!(word("ruok"), "imok");
    assert!(word("srvr").contains("not in the whitelist"));
}

#[test]
fn a_directory_of_something_else_is_refused_by_name() {
    let place = Place::new();
    for (dir, inside, words) in [
        (
            "of-zookeeper",
            "version-2",
            "\"version-2\", which belongs to ZooKeeper",
        ),
        (
            "of-others",
            "photos",
            "\"photos\", which does not belong to this program",
        ),
    ] {
        let inside = place.path(dir).join(inside);
        std::fs::create_dir_all(&inside).unwrap();
        let refused = place.ask(&["serve", "--listen", "127.0.0.1:0", "--data-dir", dir]);
        let refused = refused.assert_code(1);
        assert!(refused.err.contains(words), "{}", refused.err);
        let left = std::fs::read_dir(place.path(dir)).unwrap().count();
        assert_eq!(left, 1, "only {} was there", inside.display());
    }
}

#[test]
fn what_cannot_be_is_said_at_once() {
    let place = Place::new();
    let (_server, address) = place.server("s", &[]);
    let taken = place.ask(&["serve", "--listen", &address]).assert_code(1);
    let reason = format!("cannot listen on {address}");
    assert!(taken.err.contains(&reason), "{}", taken.err);
    assert!(taken.err.to_lowercase().contains("in use"), "{}", taken.err);
    for (flags, word) in [
        (&["--listen", "here"][..], "here"),
        (&["--min-session-timeout", "0s"], "--min-session-timeout"),
        (
            &["--min-session-timeout", "9s", "--max-session-timeout", "8s"],
            "--max-session-timeout",
        ),
        (&["--tls-listen", "127.0.0.1:0"], "--tls-cert"),
        (&["--max-frame", "0"], "--max-frame"),
        (&["--max-nodes", "0"], "--max-nodes"),
        (&["--max-sessions", "0"], "--max-sessions"),
        (&["--super-digest", "foo"], "USER:DIGEST"),
        (&["--super-digest", "super:password"], "USER:DIGEST"),
        (&["--four-letter-words", "foo,ruok"], "\"foo\""),
        (&["--four-letter-words", "srvr, ruok"], "\" ruok\""),
        (&["--disconnect-grace", "soon"], "soon"),
        (
            &[
                "--tls-listen",
                "127.0.0.1:0",
                "--tls-cert",
                "none.pem",
                "--tls-key",
                "none.pem",
            ],
            "none.pem",
        ),
    ] {
        let mut args = vec!["serve"];
        args.extend_from_slice(flags);
        let done = place.ask(&args).assert_code(2);
        assert!(done.err.contains(word), "{flags:?}: {}", done.err);
    }
}

#[test]
fn its_help_says_how_to_keep_data_and_lose_dead_clients_soon() {
    let place = Place::new();
    let help = place.ask(&["serve", "--help"]).assert_code(0).out;
    for words in [
        "--data-dir",
        "--disconnect-grace",
        "--tls-client-ca",
        "zookeeper://",
        "--status-listen",
    ] {
        assert!(help.contains(words), "{words} is not in {help}");
    }
    assert!(place.ask(&["--help"]).out.contains("serve"));
}
