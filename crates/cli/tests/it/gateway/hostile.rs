//! Hostile or broken clients: malformed framing, half a request, and silence.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use crate::harness::{Place, free_port, until};

use super::front::{self, QUIET_SCRIPT, backend, no_curl};

/// Requests that hide another one, for `/smuggled`.
const MALFORMED: &[(&str, &str)] = &[
    (
        "length and chunks",
        "POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 40\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n",
    ),
    (
        "chunks and length",
        "POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n",
    ),
    (
        "two lengths",
        "POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 38\r\nContent-Length: 0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n",
    ),
    (
        "a list of lengths",
        "POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 0, 38\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n",
    ),
    (
        "a length with a sign",
        "POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: +0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n",
    ),
    (
        "a length that is none",
        "POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 0x0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n",
    ),
    (
        "a field that ends with LF alone",
        "POST /x HTTP/1.1\r\nHost: h\r\nX: y\nContent-Length: 38\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n",
    ),
    (
        "a space before the colon",
        "POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 38\r\nTransfer-Encoding : chunked\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n",
    ),
    (
        "a folded line",
        "POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 38\r\nX: y\r\n Transfer-Encoding: chunked\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n",
    ),
    (
        "chunks that are not the last coding",
        "POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n",
    ),
    (
        "a coding that nobody knows",
        "POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n",
    ),
    (
        "a control character in the coding",
        "POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 38\r\nTransfer-Encoding: \x0bchunked\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n",
    ),
    (
        "the size of a chunk that overflows",
        "POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n10000000000000000\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n",
    ),
    (
        "a chunk that ends with LF alone",
        "POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\nx\n0\n\nGET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n",
    ),
    (
        "chunks by HTTP/1.0",
        "POST /x HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\nContent-Length: 38\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n",
    ),
    (
        "a length that the connection is said to own",
        "POST /x HTTP/1.1\r\nHost: h\r\nConnection: content-length\r\nContent-Length: 34\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n",
    ),
    (
        "CR within a line",
        "GET /x HTTP/1.1\r\nHost: h\r\nX: y\rGET /smuggled HTTP/1.1\r\n\r\n",
    ),
    (
        "a line in the target",
        "GET /x\nGET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n",
    ),
    (
        "an upgrade to HTTP/2",
        "GET /x HTTP/1.1\r\nHost: h\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n\r\n",
    ),
];

/// Sends only this request, and returns everything that comes back.
fn said_by(gateway: &str, request: &str) -> String {
    let mut stream = TcpStream::connect(gateway).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(2)))
        .unwrap();
    // The gateway may close before it has read everything.
    let _ = stream.write_all(request.as_bytes());
    let _ = stream.shutdown(std::net::Shutdown::Write);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn malformed_requests_never_reach_the_leader_as_two() {
    if no_curl() {
        return;
    }
    let place = Place::new();
    let _a = front::node(&place, "a", &[]);
    place.active("a");
    let front = front::gateway(&place, &[]);
    for (name, request) in MALFORMED {
        let answer = said_by(&front.address, request);
        eprintln!("{name}: {:?}", answer.lines().next());
        // A client that uses the same connections to the leader afterwards gets its own answer.
        for number in 0..3 {
            let got = front.get(
                &place,
                &format!("/who?n={name}-{number}").replace(' ', "-"),
                &[],
            );
            assert!(
                got.body.contains(&format!("-{number} holder=a")),
                "{name}: {got:?}"
            );
        }
        assert!(!place.note("seen").contains("smuggled"), "{name}");
        let statuses = answer.matches("HTTP/1.1 ").count() + answer.matches("HTTP/1.0 ").count();
        assert!(statuses <= 2, "{name}: {answer:?}");
    }
}

#[test]
fn what_goes_to_the_leader_says_in_one_way_how_long_it_is() {
    let place = Place::new();
    let address = format!("127.0.0.1:{}", free_port());
    let mut recorder = place.incumbent(&["run", "--publish", &format!("web={address}")]);
    recorder.args(["--", "sh", "-c", QUIET_SCRIPT]);
    recorder
        .env("BACKEND", backend())
        .env("BACKEND_LISTEN", format!("record {address}"));
    let _a = place.start("a", recorder);
    until("it leads", || place.status()["state"] == "active");
    let front = front::gateway(&place, &[]);
    std::thread::scope(|scope| {
        for (_, request) in MALFORMED {
            scope.spawn(|| said_by(&front.address, request));
        }
    });
    let recorded = place.note("recorded");
    eprintln!(
        "{} of {} were passed on",
        recorded.lines().count(),
        MALFORMED.len()
    );
    for request in recorded.lines() {
        let (head, body) = request.split_once(r"\r\n\r\n").unwrap();
        let head = head.to_ascii_lowercase();
        let lengths = head.matches("content-length:").count();
        let chunks = head.matches("transfer-encoding:").count();
        assert!(lengths + chunks <= 1, "{request}");
        if lengths + chunks == 0 {
            assert_eq!(body, "", "{request}");
        }
        assert!(!head.contains("smuggled"), "{request}");
        for (position, _) in head.match_indices(r"\n") {
            assert!(head[..position].ends_with(r"\r"), "{request}");
        }
    }
}

#[test]
fn half_open_clients_do_not_hold_others_up() {
    if no_curl() {
        return;
    }
    let place = Place::new();
    let _a = front::node(&place, "a", &[]);
    place.active("a");
    let front = front::gateway(&place, &[]);
    let kinds = [
        "",
        "GET /half HTTP/1.1\r\nHost: h\r\nX: ",
        "POST /half HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\nbegun",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ];
    let mut half: Vec<_> = (0..100)
        .map(|number| {
            let mut stream = TcpStream::connect(&front.address).unwrap();
            stream
                .write_all(kinds[number % kinds.len()].as_bytes())
                .unwrap();
            stream
        })
        .collect();
    for number in 0..20 {
        // Sends one more byte at a time, as slow attackers do.
        for stream in half.iter_mut().skip(1).step_by(kinds.len()) {
            let _ = stream.write_all(b"x");
        }
        // The half-open ones are given up later than `curl` waits.
        let got = front.get(&place, &format!("/who?n={number}"), &[]);
        assert_eq!(got.status, "200", "{got:?}");
    }
}

#[test]
fn requests_over_the_limit_of_held_ones_are_told_so_at_once() {
    if no_curl() {
        return;
    }
    let place = Place::new();
    let front = front::gateway(&place, &["--held", "2", "--hold", "5m"]);
    let clients: Vec<_> = (0..5)
        .map(|_| {
            let mut command = front::curl(&place);
            command.arg(front.url("/who"));
            std::thread::spawn(move || front::got(command))
        })
        .collect();
    let is_told = |client: &std::thread::JoinHandle<_>| client.is_finished();
    until("three are told", || {
        clients.iter().filter(|client| is_told(client)).count() == 3
    });
    let (told, held): (Vec<_>, Vec<_>) = clients.into_iter().partition(is_told);
    for client in told {
        let problem = client.join().unwrap().assert_retryable(&["503"]);
        assert_eq!(problem["processed"], "no");
        assert_ne!(problem["type"], "urn:incumbent:problem:no-leader");
    }
    let _a = front::node(&place, "a", &[]);
    for client in held {
        assert_eq!(client.join().unwrap().status, "200");
    }
}
