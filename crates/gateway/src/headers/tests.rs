use bytes::Bytes;
use http::header::{HeaderMap, HeaderName};
use http::{HeaderValue, Request};

use super::request::BadRequest;
use super::*;
use crate::decide::endpoint::Upstream;
use crate::request::client::{Client, Peer};

fn peer(address: &str) -> Peer {
    Peer {
        address: address.parse().unwrap(),
        tls: false,
        certificate: None,
    }
}

fn client(address: &str) -> Client {
    Client::new(peer(address))
}

fn hop(client: &Client) -> Hop<'_> {
    Hop {
        name: "incumbent-1",
        client,
        is_trusted: false,
        pass_certificate: false,
        drop_authorization: false,
    }
}

fn parts(lines: &[(&str, &str)]) -> http::request::Parts {
    let mut request = Request::get("/path?query");
    for (name, value) in lines {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap().into_parts().0
}

fn passed(lines: &[(&str, &str)]) -> HeaderMap {
    let mut parts = parts(lines);
    let peer = client("10.1.2.3:4");
    request(&mut parts, &hop(&peer)).unwrap();
    parts.headers
}

fn line<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut lines = headers.get_all(name).iter();
    let first = lines.next().map(|line| line.to_str().unwrap());
    assert!(lines.next().is_none(), "{name} is on one line");
    first
}

#[test]
fn what_is_about_the_connection_is_not_passed_on() {
    let headers = passed(&[
        ("host", "h"),
        ("connection", "close, X-Mine"),
        ("connection", "x-other,host , content-length"),
        ("x-mine", "1"),
        ("x-other", "1"),
        ("keep-alive", "1"),
        ("proxy-connection", "1"),
        ("proxy-authorization", "1"),
        ("te", "gzip"),
        ("trailer", "x-sum"),
        ("transfer-encoding", "chunked"),
        ("upgrade", "h2c"),
        ("http2-settings", "AAAA"),
        ("content-length", "5"),
        ("x-kept", "1"),
    ]);
    let mut names: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
    names.sort_unstable();
    let expected = [
        "forwarded",
        "trailer",
        "via",
        "x-forwarded-for",
        "x-forwarded-host",
        "x-forwarded-proto",
        "x-kept",
    ];
    assert_eq!(names, expected);
}

#[test]
fn what_only_a_gateway_may_say_is_not_taken_from_a_client() {
    let headers = passed(&[
        ("host", "h"),
        ("incumbent-epoch", "99"),
        ("incumbent-anything", "1"),
        ("client-cert", ":AA==:"),
        ("client-cert-chain", ":AA==:"),
    ]);
    for name in [
        "incumbent-epoch",
        "incumbent-anything",
        "client-cert",
        "client-cert-chain",
    ] {
        assert_eq!(line(&headers, name), None);
    }
}

#[test]
fn the_leader_learns_who_asked_and_how() {
    let headers = passed(&[("host", "any.name:8080")]);
    assert_eq!(
        line(&headers, "forwarded"),
        Some("for=10.1.2.3;host=\"any.name:8080\";proto=http")
    );
    assert_eq!(line(&headers, "x-forwarded-for"), Some("10.1.2.3"));
    assert_eq!(line(&headers, "x-forwarded-host"), Some("any.name:8080"));
    assert_eq!(line(&headers, "x-forwarded-proto"), Some("http"));
    assert_eq!(line(&headers, "via"), Some("1.1 incumbent-1"));
}

#[test]
fn ipv6_is_written_as_the_standard_says_and_mapped_ipv4_as_itself() {
    let peer6 = Client::new(Peer {
        tls: true,
        ..peer("[2001:db8::1]:4")
    });
    let mut six = parts(&[("host", "h")]);
    request(&mut six, &hop(&peer6)).unwrap();
    let written = line(&six.headers, "forwarded");
    assert_eq!(
        written,
        Some("for=\"[2001:db8::1]\";host=\"h\";proto=https")
    );
    assert_eq!(line(&six.headers, "x-forwarded-for"), Some("2001:db8::1"));
    let mapped = client("[::ffff:10.0.0.1]:4");
    let mut four = parts(&[("host", "h")]);
    request(&mut four, &hop(&mapped)).unwrap();
    assert_eq!(line(&four.headers, "x-forwarded-for"), Some("10.0.0.1"));
}

#[test]
fn a_strangers_word_on_earlier_hops_does_not_count_and_a_trusted_ones_does() {
    let said = [
        ("host", "inner"),
        ("forwarded", "for=6.6.6.6"),
        ("x-forwarded-for", "6.6.6.6"),
        ("x-forwarded-for", "7.7.7.7"),
        ("x-forwarded-host", "outer"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-port", "1"),
        ("x-real-ip", "6.6.6.6"),
    ];
    let headers = passed(&said);
    assert_eq!(line(&headers, "x-forwarded-for"), Some("10.1.2.3"));
    assert_eq!(line(&headers, "x-forwarded-host"), Some("inner"));
    assert_eq!(line(&headers, "x-forwarded-proto"), Some("http"));
    assert_eq!(line(&headers, "x-forwarded-port"), None);
    assert_eq!(line(&headers, "x-real-ip"), None);

    let mut parts = parts(&said);
    let peer = client("10.1.2.3:4");
    let trusting = Hop {
        is_trusted: true,
        ..hop(&peer)
    };
    request(&mut parts, &trusting).unwrap();
    let headers = parts.headers;
    assert_eq!(
        line(&headers, "x-forwarded-for"),
        Some("6.6.6.6, 7.7.7.7, 10.1.2.3")
    );
    assert_eq!(line(&headers, "x-forwarded-host"), Some("outer"));
    assert_eq!(line(&headers, "x-forwarded-proto"), Some("https"));
    assert_eq!(
        line(&headers, "forwarded"),
        Some("for=6.6.6.6, for=10.1.2.3;host=\"inner\";proto=http")
    );
}

#[test]
fn a_request_that_passes_twice_is_refused() {
    let peer = client("10.1.2.3:4");
    let again = |via: &str| {
        let mut parts = parts(&[("host", "h"), ("via", via)]);
        request(&mut parts, &hop(&peer)).map(|_| line(&parts.headers, "via").unwrap().to_owned())
    };
    assert_eq!(again("1.1 incumbent-1"), Err(BadRequest::Loop));
    assert_eq!(again("1.0 a, 2.0 incumbent-1 (x)"), Err(BadRequest::Loop));
    assert_eq!(
        again("1.1 incumbent-2"),
        Ok("1.1 incumbent-2, 1.1 incumbent-1".into())
    );
    assert_eq!(again(&vec!["1.1 x"; 17].join(",")), Err(BadRequest::Loop));
}

#[test]
fn any_host_is_accepted_that_is_one() {
    let peer = client("10.1.2.3:4");
    for good in [
        "h",
        "LOCALHOST:1",
        "[::1]:80",
        "10.0.0.1",
        "under_score",
        "a.b.c.",
        "xn--4ca",
        "",
    ] {
        let asked = request(&mut parts(&[("host", good)]), &hop(&peer)).unwrap();
        assert_eq!(asked.host, good);
    }
    for bad in ["a b", "a/b", "a,b", "a@b", "a?b", "a#b", "a\\b", "a\"b"] {
        let asked = request(&mut parts(&[("host", bad)]), &hop(&peer));
        assert_eq!(asked, Err(BadRequest::Host), "{bad}");
    }
    let twice = request(&mut parts(&[("host", "a"), ("host", "a")]), &hop(&peer));
    assert_eq!(twice, Err(BadRequest::Host));
    assert_eq!(request(&mut parts(&[]), &hop(&peer)), Err(BadRequest::Host));
}

#[test]
fn an_absolute_target_names_the_host_and_is_not_followed() {
    let peer = client("10.1.2.3:4");
    let mut parts = parts(&[("host", "field")]);
    parts.uri = "http://user@target:81/x".parse().unwrap();
    let asked = request(&mut parts, &hop(&peer)).unwrap();
    assert_eq!(asked.host, "target:81");
}

#[test]
fn tunnels_and_unknown_expectations_are_refused() {
    let peer = client("10.1.2.3:4");
    let mut connect = parts(&[("host", "h")]);
    connect.method = http::Method::CONNECT;
    assert_eq!(request(&mut connect, &hop(&peer)), Err(BadRequest::Connect));
    let mut expecting = parts(&[("host", "h"), ("expect", "miracles")]);
    assert_eq!(
        request(&mut expecting, &hop(&peer)),
        Err(BadRequest::Expectation)
    );
    let mut usual = parts(&[("host", "h"), ("expect", "100-Continue")]);
    request(&mut usual, &hop(&peer)).unwrap();
    assert_eq!(line(&usual.headers, "expect"), None);
}

#[test]
fn only_websockets_are_upgrades() {
    let peer = client("10.1.2.3:4");
    for (connection, upgrade, expected) in [
        ("Upgrade", "WebSocket", true),
        ("keep-alive, upgrade", "websocket", true),
        ("keep-alive", "websocket", false),
        ("upgrade", "h2c", false),
    ] {
        let lines = [
            ("host", "h"),
            ("connection", connection),
            ("upgrade", upgrade),
        ];
        let mut parts = parts(&lines);
        let asked = request(&mut parts, &hop(&peer)).unwrap();
        assert_eq!(asked.upgrade, expected);
        for_node(&mut parts.headers, &asked, Epoch::new(7), "u:1", false);
        assert_eq!(
            line(&parts.headers, "upgrade"),
            expected.then_some("websocket")
        );
        assert_eq!(line(&parts.headers, "incumbent-epoch"), Some("7"));
    }
}

use incumbent::Epoch;

#[test]
fn the_certificate_is_passed_on_only_as_told() {
    let shown = Client::new(Peer {
        certificate: Some(Bytes::from_static(b"\x01\x02")),
        ..peer("10.1.2.3:4")
    });
    for (pass, expected) in [(true, Some(":AQI=:")), (false, None)] {
        let mut parts = parts(&[("host", "h")]);
        let told = Hop {
            pass_certificate: pass,
            ..hop(&shown)
        };
        request(&mut parts, &told).unwrap();
        assert_eq!(line(&parts.headers, "client-cert"), expected);
    }
}

fn answered(lines: &[(&str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        headers.append(name, HeaderValue::from_str(value).unwrap());
    }
    let own = [("external", 80), ("10.0.0.7", 8081)].map(|(host, port)| Upstream {
        host: host.into(),
        port,
        tls: false,
        http2: false,
    });
    response(&mut headers, &own, false).unwrap();
    headers
}

#[test]
fn no_redirect_leads_to_an_internal_address() {
    for (said, expected) in [
        ("/relative", "/relative"),
        ("also/relative?x", "also/relative?x"),
        ("http://10.0.0.7:8081/a?b#c", "/a?b#c"),
        ("HTTP://10.0.0.7:8081", "/"),
        ("http://10.0.0.7:8081?x", "/?x"),
        ("//10.0.0.7:8081/x", "/x"),
        ("http://external/x", "/x"),
        ("http://10.0.0.7:8081//evil.example/", "/evil.example/"),
        ("http://10.0.0.7:9999/x", "http://10.0.0.7:9999/x"),
        ("https://elsewhere/x", "https://elsewhere/x"),
        ("mailto:a@b", "mailto:a@b"),
    ] {
        assert_eq!(
            line(&answered(&[("location", said)]), "location"),
            Some(expected)
        );
    }
}

#[test]
fn an_answer_loses_what_is_about_its_connection_and_keeps_the_rest() {
    let headers = answered(&[
        ("connection", "x-secret"),
        ("x-secret", "1"),
        ("transfer-encoding", "chunked"),
        ("content-length", "3"),
        ("alt-svc", "h3=\":1\""),
        ("incumbent-epoch", "1"),
        ("set-cookie", "a=1"),
        ("set-cookie", "b=2"),
        ("x-kept", "1"),
    ]);
    let mut names: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["set-cookie", "x-kept"]);
    assert_eq!(headers.get_all("set-cookie").iter().count(), 2);
    assert_eq!(
        line(&answered(&[("content-length", "3")]), "content-length"),
        Some("3")
    );
}
