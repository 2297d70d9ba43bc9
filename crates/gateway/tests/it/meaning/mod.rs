//! What leaves the gateway means what came in, whichever versions of HTTP its client and its leader
//! speak. Each case goes through all four pairs.

mod client;
mod leader;
mod message;

use leader::Leader;
use message::{Fields, Message, fields, values};

use crate::harness::{Cluster, options};

/// A version of HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    One,
    Two,
}

/// What a client or a leader says.
#[derive(Clone, Debug, Default)]
struct Spoken {
    fields: Fields,
    body: Vec<u8>,
    trailers: Fields,
    /// Of a leader: interim answers before the answer.
    interim: Vec<(String, Fields)>,
    /// Of a client: whether it takes trailers.
    wants_trailers: bool,
    /// Of a client: whether it is a GET in any case.
    is_get: bool,
    /// In HTTP/1.1: these bytes instead.
    raw: Option<String>,
}

impl Spoken {
    fn with(pairs: &[(&str, &str)]) -> Self {
        Self {
            fields: fields(pairs),
            ..Self::default()
        }
    }

    fn raw(text: impl Into<String>) -> Self {
        Self {
            raw: Some(text.into()),
            ..Self::default()
        }
    }

    fn body(mut self, text: &str) -> Self {
        self.body = text.into();
        self
    }

    fn trailers(mut self, pairs: &[(&str, &str)]) -> Self {
        self.trailers = fields(pairs);
        self
    }

    fn method(&self) -> &'static str {
        if self.is_get || self.body.is_empty() {
            "GET"
        } else {
            "POST"
        }
    }

    /// The end of the head, and the body, in HTTP/1.1: in chunks if it has trailers.
    fn framed(&self) -> String {
        let body = String::from_utf8(self.body.clone()).unwrap();
        if self.trailers.is_empty() {
            return format!("Content-Length: {}\r\n\r\n{body}", body.len());
        }
        let trailers = message::head("0", &self.trailers);
        let length = body.len();
        format!("Transfer-Encoding: chunked\r\n\r\n{length:x}\r\n{body}\r\n{trailers}\r\n")
    }
}

/// What became of one request: what the leader was asked, if it was, and what the client got.
struct Outcome {
    client: Version,
    leader: Version,
    asked: Vec<Message>,
    answer: Message,
}

impl Outcome {
    /// What the leader was asked.
    #[track_caller]
    fn request(&self) -> &Message {
        let [request] = &self.asked[..] else {
            panic!("{self}: {:?}, {:?}", self.asked, self.answer)
        };
        request
    }

    #[track_caller]
    fn is_problem(&self, status: u16, name: &str) {
        let body = String::from_utf8_lossy(&self.answer.body);
        assert_eq!(self.answer.status(), status, "{self}: {:?}", self.answer);
        assert!(
            body.contains(&format!("urn:incumbent:problem:{name}\"")),
            "{self}: {body}"
        );
    }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "client {:?}, leader {:?}", self.client, self.leader)
    }
}

const BOTH: [Version; 2] = [Version::One, Version::Two];

/// Passes a request and its answer through the gateway in all pairs of these versions.
async fn in_all(
    clients: &[Version],
    leaders: &[Version],
    request: &Spoken,
    answer: &Spoken,
) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    for leader in leaders {
        let cluster = Cluster::new().await;
        let upstream = Leader::answering(*leader, answer.clone()).await;
        let _leadership = cluster.lead(&[("web", &upstream.url())]).await;
        let front = cluster.gateway_with(options()).await;
        for client in clients {
            let before = upstream.asked().len();
            let answer = client::ask(*client, front.address, request).await;
            outcomes.push(Outcome {
                client: *client,
                leader: *leader,
                asked: upstream.asked().split_off(before),
                answer,
            });
        }
    }
    outcomes
}

fn ok() -> Spoken {
    Spoken::default().body("ok")
}

#[tokio::test]
async fn the_cookies_of_a_request_are_one_field() {
    let request = Spoken::with(&[("cookie", "a=1"), ("cookie", "b=2"), ("cookie", "c=3; d=4")]);
    for outcome in in_all(&BOTH, &BOTH, &request, &ok()).await {
        assert_eq!(
            outcome.request().all("cookie"),
            ["a=1; b=2; c=3; d=4"],
            "{outcome}"
        );
        assert_eq!(outcome.answer.body, b"ok", "{outcome}");
    }
}

/// Every spelling that an application may take for a field of the gateway's own.
fn forged() -> Vec<String> {
    let owned = [
        "forwarded",
        "x-forwarded-for",
        "x-forwarded-host",
        "x-forwarded-proto",
        "x-forwarded-port",
        "x-real-ip",
        "client-cert",
        "client-cert-chain",
        "incumbent-epoch",
        "incumbent-anything",
        "proxy",
    ];
    let mut spelt = Vec::new();
    for name in owned {
        for separator in ["-", "_", "."] {
            spelt.push(name.replace('-', separator));
            spelt.push(name.replacen('-', separator, 1));
        }
    }
    spelt.sort();
    spelt.dedup();
    spelt
}

#[tokio::test]
async fn no_spelling_of_a_field_of_the_gateways_own_passes() {
    let spelt = forged();
    // HTTP/1.1 has upper case, too.
    for upper in [false, true] {
        let forged: Vec<_> = spelt.iter().map(|name| (name.as_str(), "forged")).collect();
        let mut request = Spoken::with(&forged).body("body");
        request.trailers = fields(&[&forged[..], &[("via", "forged"), ("x-sum", "7")]].concat());
        if upper {
            for (name, _) in request.fields.iter_mut().chain(&mut request.trailers) {
                name.make_ascii_uppercase();
            }
        }
        let clients = if upper { &BOTH[..1] } else { &BOTH };
        for outcome in in_all(clients, &BOTH, &request, &ok()).await {
            let asked = outcome.request();
            for (name, value) in asked.fields.iter().chain(&asked.trailers) {
                assert_ne!(value, "forged", "{outcome}: {name}");
            }
            assert_eq!(values(&asked.trailers, "x-sum"), ["7"], "{outcome}");
        }
    }
}

#[tokio::test]
async fn trailers_arrive_though_no_head_declares_them() {
    let mut request = Spoken::default()
        .body("body")
        .trailers(&[("x-request-sum", "7")]);
    request.wants_trailers = true;
    let answer = Spoken::default().body("answer").trailers(&[
        ("x-answer-sum", "8"),
        ("x-answer-sum", "9"),
        ("incumbent-epoch", "1"),
        ("incumbent_epoch", "1"),
    ]);
    for outcome in in_all(&BOTH, &BOTH, &request, &answer).await {
        let asked = outcome.request();
        assert_eq!(
            (asked.is_whole, &asked.body[..]),
            (true, &b"body"[..]),
            "{outcome}"
        );
        assert_eq!(
            asked.trailers,
            fields(&[("x-request-sum", "7")]),
            "{outcome}"
        );
        let answer = &outcome.answer;
        assert_eq!(
            (answer.is_whole, &answer.body[..]),
            (true, &b"answer"[..]),
            "{outcome}"
        );
        let expected = fields(&[("x-answer-sum", "8"), ("x-answer-sum", "9")]);
        assert_eq!(answer.trailers, expected, "{outcome}");
    }
}

/// A client of HTTP/1.1 that does not ask for trailers gets the same answer without them.
#[tokio::test]
async fn trailers_go_to_no_client_of_http_1_that_did_not_ask_for_them() {
    let answer = Spoken::default().body("answer").trailers(&[("x-sum", "8")]);
    for outcome in in_all(&BOTH[..1], &BOTH, &Spoken::default(), &answer).await {
        let answer = &outcome.answer;
        assert_eq!(
            (answer.is_whole, &answer.body[..]),
            (true, &b"answer"[..]),
            "{outcome}"
        );
        assert_eq!(answer.trailers, Fields::new(), "{outcome}");
    }
}

#[tokio::test]
async fn the_body_of_a_get_arrives_also_if_its_length_is_unknown() {
    let mut request = Spoken::default().body("query").trailers(&[("x-sum", "7")]);
    request.is_get = true;
    for outcome in in_all(&BOTH, &BOTH, &request, &ok()).await {
        let asked = outcome.request();
        assert_eq!(asked.start, "GET /path", "{outcome}");
        assert_eq!(
            (asked.is_whole, &asked.body[..]),
            (true, &b"query"[..]),
            "{outcome}"
        );
        assert_eq!(outcome.answer.body, b"ok", "{outcome}");
    }
}

const CODINGS: [&str; 5] = [
    "Transfer-Encoding: gzip, chunked",
    "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked",
    "Transfer-Encoding: identity, chunked",
    "Transfer-Encoding: chunked, chunked",
    "Transfer-Encoding: \"chunked\", chunked",
];

#[tokio::test]
async fn a_transfer_coding_that_is_not_understood_is_refused() {
    for coding in CODINGS {
        let request = format!("POST / HTTP/1.1\r\nHost: h\r\n{coding}\r\n\r\n1\r\nx\r\n0\r\n\r\n");
        for outcome in in_all(&BOTH[..1], &BOTH, &Spoken::raw(request), &ok()).await {
            outcome.is_problem(501, "unknown-coding");
            assert_eq!(outcome.asked.len(), 0, "{outcome}: {coding}");
        }
    }
    for coding in CODINGS.into_iter().chain(["Transfer-Encoding: gzip"]) {
        let answer = format!("HTTP/1.1 200 OK\r\n{coding}\r\n\r\n1\r\nx\r\n0\r\n\r\n");
        let answer = Spoken::raw(answer);
        for outcome in in_all(&BOTH, &BOTH[..1], &Spoken::default(), &answer).await {
            outcome.is_problem(502, "bad-answer");
            // What was carried out is not asked for again.
            assert_eq!(outcome.asked.len(), 1, "{outcome}: {coding}");
        }
    }
}

#[tokio::test]
async fn a_malformed_chunk_is_a_bad_request_and_never_the_end_of_an_answer() {
    for chunks in [
        "zz\r\nabc\r\n0\r\n\r\n",
        "3\r\nabcd\r\n0\r\n\r\n",
        "0x3\r\nabc\r\n0\r\n\r\n",
    ] {
        let head = "Host: h\r\nTransfer-Encoding: chunked\r\n\r\n";
        let request = format!("POST / HTTP/1.1\r\n{head}{chunks}");
        for outcome in in_all(&BOTH[..1], &BOTH, &Spoken::raw(request), &ok()).await {
            outcome.is_problem(400, "bad-body");
        }
        let answer = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}");
        let answer = Spoken::raw(answer);
        for outcome in in_all(&BOTH, &BOTH[..1], &Spoken::default(), &answer).await {
            assert!(!outcome.answer.is_whole, "{outcome}: {:?}", outcome.answer);
        }
    }
}

#[tokio::test]
async fn a_target_that_is_no_path_is_refused_and_not_taken_for_the_root() {
    for target in ["a", "a:80", "some.name", "*", "ftp://h/", "ftp://h/path"] {
        let request = format!("GET {target} HTTP/1.1\r\nHost: h\r\n\r\n");
        for outcome in in_all(&BOTH[..1], &BOTH, &Spoken::raw(request), &ok()).await {
            outcome.is_problem(400, "bad-target");
            assert_eq!(outcome.asked.len(), 0, "{outcome}: {target}");
        }
    }
    let request = Spoken::raw("OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n");
    for outcome in in_all(&BOTH[..1], &BOTH, &request, &ok()).await {
        assert_eq!(outcome.request().start, "OPTIONS *", "{outcome}");
    }
}

#[tokio::test]
async fn two_hosts_that_differ_are_refused() {
    let request = Spoken::with(&[("host", "other.name")]);
    for outcome in in_all(&BOTH[1..], &BOTH, &request, &ok()).await {
        outcome.is_problem(400, "bad-host");
        assert_eq!(outcome.asked.len(), 0, "{outcome}");
    }
}

#[tokio::test]
async fn early_hints_are_passed_on_over_http_1() {
    let mut answer = ok();
    let hints = fields(&[
        ("link", "</a.css>; rel=preload"),
        ("incumbent-epoch", "1"),
        ("connection", "x-secret"),
        ("x-secret", "1"),
    ]);
    answer.interim = vec![("103".into(), hints.clone()), ("103".into(), hints)];
    for outcome in in_all(&BOTH[..1], &BOTH[..1], &Spoken::default(), &answer).await {
        let hint = (
            "103".to_owned(),
            fields(&[("link", "</a.css>; rel=preload")]),
        );
        assert_eq!(outcome.answer.interim, [hint.clone(), hint], "{outcome}");
        assert_eq!(outcome.answer.body, b"ok", "{outcome}");
    }
    // The library below has no way for them in HTTP/2. The answer is none the worse for that.
    let hints = vec![("103".into(), fields(&[("link", "</a.css>; rel=preload")]))];
    answer.interim = hints;
    for outcome in in_all(&BOTH, &BOTH, &Spoken::default(), &answer).await {
        let over_one = (outcome.client, outcome.leader) == (Version::One, Version::One);
        assert_eq!(
            outcome.answer.interim.len(),
            usize::from(over_one),
            "{outcome}"
        );
        assert_eq!(outcome.answer.body, b"ok", "{outcome}");
    }
    // No interim answer goes to a client of HTTP/1.0, which knows of none.
    let old = Spoken::raw("GET / HTTP/1.0\r\nHost: h\r\n\r\n");
    for outcome in in_all(&BOTH[..1], &BOTH[..1], &old, &answer).await {
        assert_eq!(outcome.answer.interim, [], "{outcome}");
        assert_eq!(outcome.answer.body, b"ok", "{outcome}");
    }
}

#[tokio::test]
async fn answers_with_many_and_large_fields_pass_up_to_the_limit() {
    // `Content-Length` is one more.
    let many = |count: usize| {
        let names: Vec<_> = (1..count).map(|n| format!("c{n}=1")).collect();
        let pairs: Vec<_> = names
            .iter()
            .map(|cookie| ("set-cookie", cookie.as_str()))
            .collect();
        Spoken::with(&pairs).body("ok")
    };
    for outcome in in_all(&BOTH, &BOTH, &Spoken::default(), &many(100)).await {
        assert_eq!(
            outcome.answer.status(),
            200,
            "{outcome}: {:?}",
            outcome.answer
        );
        assert_eq!(outcome.answer.all("set-cookie").len(), 99, "{outcome}");
    }
    for outcome in in_all(&BOTH, &BOTH[..1], &Spoken::default(), &many(101)).await {
        outcome.is_problem(502, "answer-too-large");
        assert_eq!(
            outcome.asked.len(),
            1,
            "{outcome}: it is not asked for again"
        );
    }
    let large = |kib: usize| {
        let text = "x".repeat(kib * 1024);
        Spoken::with(&[("x-large", &text)]).body("ok")
    };
    for outcome in in_all(&BOTH, &BOTH, &Spoken::default(), &large(60)).await {
        assert_eq!(
            outcome.answer.status(),
            200,
            "{outcome}: {:?}",
            outcome.answer
        );
        assert_eq!(
            outcome.answer.all("x-large")[0].len(),
            60 * 1024,
            "{outcome}"
        );
    }
    for outcome in in_all(&BOTH, &BOTH, &Spoken::default(), &large(70)).await {
        outcome.is_problem(502, "answer-too-large");
        assert_eq!(
            outcome.asked.len(),
            1,
            "{outcome}: it is not asked for again"
        );
    }
}
