//! A request's fields, as the leader gets them.

use base64::Engine as _;
use http::header::{
    CONNECTION, CONTENT_TYPE, EXPECT, FORWARDED, HOST, HeaderMap, HeaderName, HeaderValue, TE,
    UPGRADE, VIA,
};
use http::request::Parts;
use http::{Method, Version};
use incumbent::Epoch;

use super::fields::{EPOCH, strip, tokens};
use crate::decide::problem::Problem;
use crate::request::client::Client;

/// How many gateways and proxies a request may have passed. More means that they send it round in a
/// circle.
pub(crate) const MOST_HOPS: usize = 16;

/// An element of `Forwarded` without its host: an IPv6 address, and the names around.
const LONGEST_ELEMENT: usize = 80;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const CLIENT_CERT: HeaderName = HeaderName::from_static("client-cert");

/// What this gateway is to a request that passes it.
#[derive(Clone, Copy)]
pub(crate) struct Hop<'a> {
    /// The name of this gateway in `Via`: nobody else's.
    pub(crate) name: &'a str,
    pub(crate) client: &'a Client,
    /// Whether the client is a proxy whose word on earlier hops counts.
    pub(crate) is_trusted: bool,
    /// Whether the client's certificate is passed on.
    pub(crate) pass_certificate: bool,
    /// Whether `Authorization` was meant for this gateway.
    pub(crate) drop_authorization: bool,
}

/// What a request asks for, apart from its fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    /// The host that the client believes it talks to; empty if it did not say.
    pub(crate) host: HeaderValue,
    /// A WebSocket is to be opened.
    pub(crate) upgrade: bool,
    /// The client takes trailers.
    pub(crate) trailers: bool,
    /// Only HTTP/2 will do towards the leader.
    pub(crate) http2: bool,
}

/// Why a request is not passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BadRequest {
    /// It has passed here before, or too many others.
    Loop,
    /// None or several hosts, or one that cannot be.
    Host,
    /// It asks for a tunnel.
    Connect,
    /// It expects what nobody knows.
    Expectation,
}

impl From<BadRequest> for Problem {
    fn from(bad: BadRequest) -> Self {
        match bad {
            BadRequest::Loop => Self::Loop,
            BadRequest::Host => Self::BadHost,
            BadRequest::Connect => Self::NoTunnels,
            BadRequest::Expectation => Self::Expectation,
        }
    }
}

/// Makes the fields of a request those that the leader gets, except what depends on who that is
/// ([`for_node`]).
pub(crate) fn request(parts: &mut Parts, hop: &Hop<'_>) -> Result<Asked, BadRequest> {
    if parts.method == Method::CONNECT {
        return Err(BadRequest::Connect);
    }
    let host = host(parts)?;
    let headers = &mut parts.headers;
    if is_loop(headers, hop.name) {
        return Err(BadRequest::Loop);
    }
    if let Some(expected) = headers.remove(EXPECT)
        && !expected.as_bytes().eq_ignore_ascii_case(b"100-continue")
    {
        return Err(BadRequest::Expectation);
    }
    let upgrade = wants_upgrade(&parts.method, parts.version, headers);
    let trailers = tokens(headers, &TE).any(|token| token.eq_ignore_ascii_case("trailers"));
    // Browsers ask for trailers with every request: that alone is no reason to need HTTP/2 further
    // on.
    let http2 = parts.version == Version::HTTP_2 && is_grpc(headers);
    strip(headers, |name| match name {
        // Whoever sends it frames it anew, from what the body really is.
        "host" | "http2-settings" | "content-length" => true,
        "client-cert" | "client-cert-chain" => true,
        "authorization" => hop.drop_authorization,
        "forwarded" | "x-real-ip" => !hop.is_trusted,
        _ => {
            name.starts_with("incumbent-") || (!hop.is_trusted && name.starts_with("x-forwarded-"))
        }
    });
    forwarded(headers, &host, hop);
    let version = match parts.version {
        Version::HTTP_10 => "1.0",
        Version::HTTP_2 => "2.0",
        _ => "1.1",
    };
    append(headers, VIA, visible(&[version, " ", hop.name].concat()));
    if let Some(certificate) = &hop.client.peer.certificate
        && hop.pass_certificate
    {
        let text = base64::engine::general_purpose::STANDARD.encode(certificate);
        headers.insert(CLIENT_CERT, visible(&format!(":{text}:")));
    }
    Ok(Asked {
        host,
        upgrade,
        trailers,
        http2,
    })
}

/// Adds to a copy of the fields what depends on the leader it goes to. `authority` stands in where
/// the client named no host.
pub(crate) fn for_node(
    headers: &mut HeaderMap,
    asked: &Asked,
    epoch: Epoch,
    authority: &str,
    http2: bool,
) {
    headers.insert(EPOCH, HeaderValue::from(epoch.get()));
    if http2 {
        if asked.trailers {
            headers.insert(TE, HeaderValue::from_static("trailers"));
        }
        return;
    }
    let host = match asked.host.is_empty() {
        true => visible(authority),
        false => asked.host.clone(),
    };
    headers.insert(HOST, host);
    match (asked.upgrade, asked.trailers) {
        (true, _) => {
            headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
            headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        }
        (false, true) => {
            headers.insert(CONNECTION, HeaderValue::from_static("te"));
            headers.insert(TE, HeaderValue::from_static("trailers"));
        }
        (false, false) => {}
    }
}

/// Whether a request opens a WebSocket. Other upgrades are not passed on: HTTP/2 inside of a tunnel
/// would escape all checks.
fn wants_upgrade(method: &Method, version: Version, headers: &HeaderMap) -> bool {
    version == Version::HTTP_11
        && method == Method::GET
        && tokens(headers, &CONNECTION).any(|token| token.eq_ignore_ascii_case("upgrade"))
        && tokens(headers, &UPGRADE).any(|token| token.eq_ignore_ascii_case("websocket"))
}

/// The host that the client named, by the target before the field (RFC 9112, 3.2.2).
fn host(parts: &Parts) -> Result<HeaderValue, BadRequest> {
    let mut lines = parts.headers.get_all(HOST).iter();
    let line = match (lines.next(), lines.next()) {
        (_, Some(_)) => return Err(BadRequest::Host),
        (line, None) => line,
    };
    if line.is_some_and(|line| !is_host(line.as_bytes())) {
        return Err(BadRequest::Host);
    }
    match (parts.uri.authority(), line) {
        // Without a user and a password, which are nobody's business here.
        (Some(authority), _) => {
            let host = authority.as_str().rsplit('@').next().unwrap_or_default();
            Ok(visible(host))
        }
        (None, Some(line)) => Ok(line.clone()),
        (None, None) if parts.version == Version::HTTP_11 => Err(BadRequest::Host),
        (None, None) => Ok(HeaderValue::from_static("")),
    }
}

/// Any name will do, but what could be read as something else than a name.
fn is_host(host: &[u8]) -> bool {
    let is_fine =
        |b: &u8| b.is_ascii_alphanumeric() || b"-._~!$&'()*+;=:[]%".contains(b) || !b.is_ascii();
    host.iter().all(is_fine)
}

/// Whether its outcome comes in trailers, which HTTP/1.1 loses as a rule. Not so
/// `application/grpc-web`, which was made for that.
fn is_grpc(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    let Some(rest) = kind.and_then(|kind| kind.strip_prefix(b"application/grpc")) else {
        return false;
    };
    matches!(rest.first(), None | Some(b'+' | b';' | b' '))
}

fn is_loop(headers: &HeaderMap, name: &str) -> bool {
    let mut hops = 0;
    for hop in tokens(headers, &VIA) {
        hops += 1;
        if hops > MOST_HOPS || hop.split_ascii_whitespace().nth(1) == Some(name) {
            return true;
        }
    }
    false
}

fn forwarded(headers: &mut HeaderMap, host: &HeaderValue, hop: &Hop<'_>) {
    let Client { peer, ip, node, .. } = hop.client;
    let proto = if peer.tls { "https" } else { "http" };
    let host_text = host.to_str().unwrap_or_default();
    // Room for all of it at once: this is written for every request.
    let mut element = String::with_capacity(LONGEST_ELEMENT + host_text.len());
    element.extend(["for=", node]);
    if !host_text.is_empty() {
        element.extend([";host=\"", host_text, "\""]);
    }
    element.extend([";proto=", proto]);
    append(headers, FORWARDED, visible(&element));
    append(headers, X_FORWARDED_FOR, ip.clone());
    // The first proxy knows what the client asked for; later ones see only what that proxy made of
    // it.
    if !host_text.is_empty() && !headers.contains_key(X_FORWARDED_HOST) {
        headers.insert(X_FORWARDED_HOST, host.clone());
    }
    if !headers.contains_key(X_FORWARDED_PROTO) {
        headers.insert(X_FORWARDED_PROTO, HeaderValue::from_static(proto));
    }
}

/// Adds a member to a list, on one line with those before it.
fn append(headers: &mut HeaderMap, name: HeaderName, member: HeaderValue) {
    let line = match headers.contains_key(&name) {
        false => member,
        true => {
            let mut all: Vec<&str> = tokens(headers, &name).collect();
            all.push(member.to_str().unwrap_or_default());
            visible(&all.join(", "))
        }
    };
    headers.insert(name, line);
}

fn visible(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static(""))
}
