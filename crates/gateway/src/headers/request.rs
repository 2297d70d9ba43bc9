//! A request's fields, as the leader gets them.

use base64::Engine as _;
use http::header::{
    CONNECTION, CONTENT_TYPE, COOKIE, EXPECT, FORWARDED, HOST, HeaderMap, HeaderName, HeaderValue,
    TE, UPGRADE, VIA,
};
use http::request::Parts;
use http::{Method, Version};
use incumbent::Epoch;

use super::fields::{EPOCH, is_understood_coding, strip, tokens};
use super::owned::{Owner, owner};
use crate::decide::problem::Problem;
use crate::request::client::Client;

/// How many gateways and proxies a request may have passed. More means that it goes in a circle.
pub(crate) const MOST_HOPS: usize = 16;

/// The longest element of `Forwarded` without its host: an IPv6 address, and the names around it.
const LONGEST_ELEMENT: usize = 80;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const CLIENT_CERT: HeaderName = HeaderName::from_static("client-cert");

/// What this gateway is to a request that passes it.
#[derive(Clone, Copy)]
pub(crate) struct Hop<'a> {
    /// The name of this gateway in `Via`, which no other gateway has.
    pub(crate) name: &'a str,
    pub(crate) client: &'a Client,
    /// Whether the client is a proxy that is trusted to tell where a request came from.
    pub(crate) is_trusted: bool,
    /// Whether the client's certificate is passed on.
    pub(crate) pass_certificate: bool,
    /// Whether `Authorization` was meant for this gateway.
    pub(crate) drop_authorization: bool,
}

/// What a request asks for, apart from its fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    /// The host that the client named; empty if it named none.
    pub(crate) host: HeaderValue,
    /// It opens a WebSocket.
    pub(crate) upgrade: bool,
    /// The client accepts trailers.
    pub(crate) trailers: bool,
    /// It needs HTTP/2 towards the leader.
    pub(crate) http2: bool,
}

/// Why a request is not passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BadRequest {
    /// It has passed here before, or passed too many others.
    Loop,
    /// It names no host, several, or something that is none.
    Host,
    /// It asks for a tunnel.
    Connect,
    /// It has an expectation other than `100-continue`.
    Expectation,
    /// Its target is no path.
    Target,
    /// Its body has a transfer coding other than `chunked`.
    Coding,
}

impl From<BadRequest> for Problem {
    fn from(bad: BadRequest) -> Self {
        match bad {
            BadRequest::Loop => Self::Loop,
            BadRequest::Host => Self::BadHost,
            BadRequest::Connect => Self::NoTunnels,
            BadRequest::Expectation => Self::Expectation,
            BadRequest::Target => Self::BadTarget,
            BadRequest::Coding => Self::UnknownCoding,
        }
    }
}

/// Turns the fields of a request into those that the leader gets, except for those that depend on
/// the leader ([`for_node`]).
pub(crate) fn request(parts: &mut Parts, hop: &Hop<'_>) -> Result<Asked, BadRequest> {
    if parts.method == Method::CONNECT {
        return Err(BadRequest::Connect);
    }
    if !is_target(parts) {
        return Err(BadRequest::Target);
    }
    let host = host(parts)?;
    if !is_understood_coding(&parts.headers) {
        return Err(BadRequest::Coding);
    }
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
    // Browsers ask for trailers with every request, which is no reason to need HTTP/2.
    let http2 = parts.version == Version::HTTP_2 && is_grpc(headers);
    strip(headers, |name| match name {
        // The request is framed anew, by what its body turns out to be.
        "host" | "http2-settings" | "content-length" => true,
        "authorization" => hop.drop_authorization,
        // Strangers, too, have to say where a request has passed: that is how circles are found.
        "via" => false,
        _ => match owner(name) {
            Owner::Gateway => true,
            Owner::Proxies => !hop.is_trusted,
            Owner::Anybody => false,
        },
    });
    join_cookies(headers);
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

/// Adds the fields that depend on the leader. `authority` replaces a host that the client did not
/// name.
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

/// Whether a request opens a WebSocket. Other upgrades are not passed on: HTTP/2 inside a tunnel
/// would escape all checks.
fn wants_upgrade(method: &Method, version: Version, headers: &HeaderMap) -> bool {
    version == Version::HTTP_11
        && method == Method::GET
        && tokens(headers, &CONNECTION).any(|token| token.eq_ignore_ascii_case("upgrade"))
        && tokens(headers, &UPGRADE).any(|token| token.eq_ignore_ascii_case("websocket"))
}

/// Whether the target is a path, or `*` where that has a meaning (RFC 9112, 3.2).
fn is_target(parts: &Parts) -> bool {
    let is_http = |scheme: &str| matches!(scheme, "http" | "https");
    let Some(path) = parts.uri.path_and_query() else {
        return false;
    };
    let is_path = path.as_str().starts_with('/');
    let is_server = path.as_str() == "*" && parts.method == Method::OPTIONS;
    parts.uri.scheme_str().is_none_or(is_http) && (is_path || is_server)
}

/// Makes one field of all cookies: HTTP/2 may split them, and HTTP/1.1 must not (RFC 9113, 8.2.3).
fn join_cookies(headers: &mut HeaderMap) {
    let mut lines = headers.get_all(COOKIE).iter();
    if lines.nth(1).is_none() {
        return;
    }
    let lines = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes);
    let lines: Vec<&[u8]> = lines.filter(|line| !line.is_empty()).collect();
    let joined = HeaderValue::from_bytes(&lines.join(&b"; "[..]));
    headers.insert(COOKIE, joined.expect("parts of values are a value"));
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
        (Some(authority), line) => {
            // A user and a password are not passed on.
            let host = authority.as_str().rsplit('@').next().unwrap_or_default();
            // In HTTP/1.1 the target counts. In HTTP/2 both must be the same (RFC 9113, 8.3.1).
            let is_same =
                |line: &HeaderValue| line.as_bytes().eq_ignore_ascii_case(host.as_bytes());
            if parts.version == Version::HTTP_2 && !line.is_none_or(is_same) {
                return Err(BadRequest::Host);
            }
            Ok(visible(host))
        }
        (None, Some(line)) => Ok(line.clone()),
        (None, None) if parts.version == Version::HTTP_11 => Err(BadRequest::Host),
        (None, None) => Ok(HeaderValue::from_static("")),
    }
}

/// Any name is accepted, but nothing that could be read as more than a name.
fn is_host(host: &[u8]) -> bool {
    let is_fine =
        |b: &u8| b.is_ascii_alphanumeric() || b"-._~!$&'()*+;=:[]%".contains(b) || !b.is_ascii();
    host.iter().all(is_fine)
}

/// Whether its outcome comes in trailers, which most servers of HTTP/1.1 do not send.
/// `application/grpc-web` was made to do without them.
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
    // One allocation: this is written for every request.
    let mut element = String::with_capacity(LONGEST_ELEMENT + host_text.len());
    element.extend(["for=", node]);
    if !host_text.is_empty() {
        element.extend([";host=\"", host_text, "\""]);
    }
    element.extend([";proto=", proto]);
    append(headers, FORWARDED, visible(&element));
    append(headers, X_FORWARDED_FOR, ip.clone());
    // Only the first proxy knows what the client asked for.
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
