//! Requests that two servers could read differently: the gateway refuses them, or passes them on in
//! a form that can be read in one way only.

use std::time::Duration;

use crate::harness::{Cluster, Front, RawUpstream, options, raw};

async fn recording() -> (RawUpstream, Front, Cluster, incumbent::Leadership) {
    let cluster = Cluster::new().await;
    let upstream = RawUpstream::recording().await;
    let leadership = cluster
        .lead(&[("web", &upstream.address.to_string())])
        .await;
    let mut options = options();
    // Refused requests are closed at once, unfinished ones after this time.
    options.times.head = Duration::from_millis(300);
    options.times.stall = Duration::from_millis(300);
    let front = cluster.gateway_with(options).await;
    (upstream, front, cluster, leadership)
}

/// The request that a client tries to smuggle.
const SMUGGLED: &str = "GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n";

#[tokio::test]
async fn malformed_framing_is_refused_and_never_reaches_the_leader() {
    let malformed: &[(&str, &str)] = &[
        (
            "two lengths",
            "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
        ),
        (
            "two lengths in one line",
            "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5, 6\r\n\r\nabcdef",
        ),
        (
            "the same length twice in one line",
            "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5, 5\r\n\r\nabcde",
        ),
        (
            "a length with a sign",
            "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: +5\r\n\r\nabcde",
        ),
        (
            "a negative length",
            "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\nabcde",
        ),
        (
            "a length in hexadecimal",
            "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0x5\r\n\r\nabcde",
        ),
        (
            "a length beyond all numbers",
            "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999999999999999\r\n\r\n",
        ),
        (
            "an empty length",
            "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: \r\n\r\nabcde",
        ),
        (
            "an unknown coding",
            "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        ),
        (
            "a coding after chunked",
            "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        ),
        (
            "two codings in two lines",
            "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n0\r\n\r\n",
        ),
        (
            "chunked in HTTP/1.0",
            "POST / HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        ),
        (
            "a space before the colon",
            "POST / HTTP/1.1\r\nHost: h\r\nContent-Length : 5\r\n\r\nabcde",
        ),
        (
            "a folded line",
            "POST / HTTP/1.1\r\nHost: h\r\nX-A: 1\r\n Content-Length: 5\r\n\r\nabcde",
        ),
        (
            "a first line that is folded",
            "POST / HTTP/1.1\r\n Host: h\r\n\r\n",
        ),
        (
            "a NUL in a value",
            "GET / HTTP/1.1\r\nHost: h\r\nX-A: a\0b\r\n\r\n",
        ),
        (
            "a CR in a value",
            "GET / HTTP/1.1\r\nHost: h\r\nX-A: a\rb\r\n\r\n",
        ),
        (
            "a space in a name",
            "GET / HTTP/1.1\r\nHost: h\r\nX A: 1\r\n\r\n",
        ),
        ("no host", "GET / HTTP/1.1\r\nX-A: 1\r\n\r\n"),
        ("two hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"),
        (
            "a host that is a path",
            "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n",
        ),
        (
            "a space in the target",
            "GET /a b HTTP/1.1\r\nHost: h\r\n\r\n",
        ),
        ("an unknown version", "GET / HTTP/1.7\r\nHost: h\r\n\r\n"),
        ("no version", "GET /\r\n\r\n"),
    ];
    for (what, request) in malformed {
        let (upstream, front, _cluster, _leadership) = recording().await;
        let answer = raw(front.address, format!("{request}{SMUGGLED}").as_bytes()).await;
        assert!(
            answer.is_empty() || answer.starts_with("HTTP/1.1 4"),
            "{what}: {answer}"
        );
        let got = upstream.requests();
        // A request that is wrong only in its host has a clear end, so the next one counts.
        assert!(got.is_empty() || what.contains("host"), "{what}: {got:?}");
    }
}

/// The leader may see the beginning of a body with malformed chunks, but never an end.
#[tokio::test]
async fn malformed_chunks_never_complete_a_request() {
    for chunks in [
        "zz\r\nabc\r\n0\r\n\r\n",
        "3\r\nabcd\r\n0\r\n\r\n",
        "-3\r\nabc\r\n0\r\n\r\n",
        "0x3\r\nabc\r\n0\r\n\r\n",
        "3 3\r\nabc\r\n0\r\n\r\n",
        "FFFFFFFFFFFFFFFFF\r\nabc\r\n0\r\n\r\n",
        "3\nabc\n0\n\n",
        "\r\n3\r\nabc\r\n0\r\n\r\n",
    ] {
        let (upstream, front, _cluster, _leadership) = recording().await;
        let request = format!(
            "POST /first HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}{SMUGGLED}"
        );
        let answer = raw(front.address, request.as_bytes()).await;
        // The recorder answers early, so the client may see that answer, but only one.
        assert!(
            answer.matches("HTTP/1.1 ").count() <= 1,
            "{chunks:?}: {answer}"
        );
        for got in upstream.requests() {
            assert!(!got.contains("smuggled"), "{chunks:?}: {got}");
            assert!(!got.ends_with("0\r\n\r\n"), "{chunks:?}: {got}");
        }
    }
}

/// With both lengths, the standard allows the chunks to count, if the connection ends then and only
/// one length is passed on.
#[tokio::test]
async fn a_length_beside_chunks_is_not_passed_on_and_ends_the_connection() {
    for lines in [
        "Content-Length: 4\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 4",
        "Transfer-Encoding: chunked\r\nContent-Length: 400",
    ] {
        let (upstream, front, _cluster, _leadership) = recording().await;
        let request = format!(
            "POST /first HTTP/1.1\r\nHost: h\r\n{lines}\r\n\r\n3\r\nabc\r\n0\r\n\r\n{SMUGGLED}"
        );
        let answer = raw(front.address, request.as_bytes()).await;
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{lines}: {answer}");
        let got = upstream.requests().concat().to_ascii_lowercase();
        assert!(!got.contains("smuggled"), "{got}");
        assert!(!got.contains("content-length"), "{got}");
        assert_eq!(
            got.matches("transfer-encoding: chunked").count(),
            1,
            "{got}"
        );
        assert!(got.ends_with("\r\n\r\n3\r\nabc\r\n0\r\n\r\n"), "{got}");
    }
}

#[tokio::test]
async fn what_is_one_length_said_twice_is_passed_on_once() {
    let (upstream, front, _cluster, _leadership) = recording().await;
    let request = "POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc";
    let answer = raw(front.address, request.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let got = upstream.requests().concat();
    assert_eq!(got.matches("content-length: 3").count(), 1, "{got}");
    assert!(got.ends_with("\r\n\r\nabc"), "{got}");
}

/// Many servers accept lines that end with LF alone. The lines that are passed on end with CRLF.
#[tokio::test]
async fn bare_line_feeds_are_passed_on_as_proper_ends_of_lines() {
    let (upstream, front, _cluster, _leadership) = recording().await;
    let request = "GET /first HTTP/1.1\nHost: h\nConnection: close\nX-A: 1\n\n";
    let answer = raw(front.address, request.as_bytes()).await;
    assert!(
        answer.starts_with("HTTP/1.1 200") || answer.starts_with("HTTP/1.1 400"),
        "{answer}"
    );
    for got in upstream.requests() {
        assert!(!got.replace("\r\n", "").contains('\n'), "{got:?}");
    }
}

#[tokio::test]
async fn pipelined_requests_are_answered_each_by_its_own_answer() {
    let (upstream, front, _cluster, _leadership) = recording().await;
    let request = "GET /1 HTTP/1.1\r\nHost: h\r\n\r\nPOST /2 HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabcGET /3 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
    let answer = raw(front.address, request.as_bytes()).await;
    assert_eq!(answer.matches("HTTP/1.1 200 OK").count(), 3, "{answer}");
    let got = upstream.requests().concat();
    let order: Vec<_> = ["GET /1 ", "POST /2 ", "GET /3 "]
        .map(|line| got.find(line))
        .into();
    assert!(order.is_sorted() && order[0].is_some(), "{got}");
}

/// `Connection` must not remove the fields that delimit requests.
#[tokio::test]
async fn connection_cannot_name_the_length_away() {
    let (upstream, front, _cluster, _leadership) = recording().await;
    let request = format!(
        "POST / HTTP/1.1\r\nHost: h\r\nConnection: close, content-length, host\r\nContent-Length: {}\r\n\r\n{SMUGGLED}",
        SMUGGLED.len()
    );
    let answer = raw(front.address, request.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let got = upstream.requests().concat();
    assert!(
        got.contains(&format!("content-length: {}\r\n", SMUGGLED.len())),
        "{got}"
    );
    assert!(got.contains("host: h\r\n"), "{got}");
}

#[tokio::test]
async fn an_answer_with_malformed_framing_is_a_bad_gateway() {
    for answer in [
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
        "HTTP/1.1 200 OK\r\nContent-Length : 5\r\n\r\nabcde",
        "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\nabcde",
        "nonsense\r\n\r\n",
    ] {
        let cluster = Cluster::new().await;
        let upstream = RawUpstream::saying(answer).await;
        let _leadership = cluster
            .lead(&[("web", &upstream.address.to_string())])
            .await;
        let front = cluster.gateway().await;
        front.get("/").await.is_problem(502, "bad-answer");
    }
}
