//! A small HTTP client, for the records API and for the readiness of a command.

use std::path::PathBuf;
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::task::JoinSet;

/// Longest answer, in bytes.
const LARGEST_ANSWER: usize = 4 * 1024 * 1024;

/// Timeout of one request.
const TIMEOUT: Duration = Duration::from_secs(60);

/// The server of a request.
#[derive(Clone, Debug)]
pub(crate) enum Target {
    Unix(PathBuf),
    Tcp(String),
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum HttpError {
    #[error("cannot connect")]
    Connect(#[source] std::io::Error),
    #[error("no answer")]
    Broken(#[source] hyper::Error),
    #[error("no answer in {TIMEOUT:?}")]
    TimedOut,
    #[error("the answer is longer than {LARGEST_ANSWER} bytes, or incomplete")]
    Answer,
}

/// Sends one request on a connection of its own, and reads the whole answer.
pub(crate) async fn send(
    target: &Target,
    request: Request<Full<Bytes>>,
) -> Result<Response<Bytes>, HttpError> {
    let exchange = async {
        match target {
            Target::Unix(path) => {
                talk(
                    UnixStream::connect(path)
                        .await
                        .map_err(HttpError::Connect)?,
                    request,
                )
                .await
            }
            Target::Tcp(address) => {
                talk(
                    TcpStream::connect(address)
                        .await
                        .map_err(HttpError::Connect)?,
                    request,
                )
                .await
            }
        }
    };
    tokio::time::timeout(TIMEOUT, exchange)
        .await
        .unwrap_or(Err(HttpError::TimedOut))
}

/// Sends one request, and returns the beginning of its answer, whose body goes on for as long as it
/// likes. The second value keeps the connection.
pub(crate) async fn open(
    target: &Target,
    request: Request<Full<Bytes>>,
) -> Result<(Response<Incoming>, JoinSet<()>), HttpError> {
    let mut driver = JoinSet::new();
    let answer = match target {
        Target::Unix(path) => {
            let stream = UnixStream::connect(path)
                .await
                .map_err(HttpError::Connect)?;
            begin(stream, request, &mut driver).await?
        }
        Target::Tcp(address) => {
            let stream = TcpStream::connect(address)
                .await
                .map_err(HttpError::Connect)?;
            begin(stream, request, &mut driver).await?
        }
    };
    Ok((answer, driver))
}

async fn begin(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    request: Request<Full<Bytes>>,
    driver: &mut JoinSet<()>,
) -> Result<Response<Incoming>, HttpError> {
    let handshake = http1::handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = handshake.map_err(HttpError::Broken)?;
    driver.spawn(async move {
        // The request reports what went wrong.
        let _ = connection.await;
    });
    sender
        .send_request(request)
        .await
        .map_err(HttpError::Broken)
}

async fn talk(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    request: Request<Full<Bytes>>,
) -> Result<Response<Bytes>, HttpError> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(HttpError::Broken)?;
    let driver = tokio::spawn(connection);
    let (parts, body) = sender
        .send_request(request)
        .await
        .map_err(HttpError::Broken)?
        .into_parts();
    let body = http_body_util::Limited::new(body, LARGEST_ANSWER)
        .collect()
        .await
        .map_err(|_| HttpError::Answer)?;
    driver.abort();
    Ok(Response::from_parts(parts, body.to_bytes()))
}

/// Whether a GET of an `http://` URL answers with success.
pub(crate) async fn succeeds(url: &str) -> bool {
    let Ok(address) = host_and_port(url) else {
        return false;
    };
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let path = rest.find('/').map_or("/", |at| &rest[at..]);
    let request = Request::get(path)
        .header("host", &address)
        .header("user-agent", "incumbent")
        .body(Full::default());
    let Ok(request) = request else { return false };
    send(&Target::Tcp(address), request)
        .await
        .is_ok_and(|answer| answer.status().is_success())
}

/// The `host:port` of a URL, or of an address that has nothing else.
pub(crate) fn host_and_port(address: &str) -> Result<String, &'static str> {
    let (scheme, rest) = address.split_once("://").unwrap_or(("", address));
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let authority = authority.rsplit('@').next().unwrap_or_default();
    let usual = match scheme {
        "http" => Some("80"),
        "https" => Some("443"),
        _ => None,
    };
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (authority, usual),
    };
    match port {
        _ if host.is_empty() => Err("it has no host"),
        _ if host.contains(|each: char| each.is_whitespace() || each.is_control()) => {
            Err("its host has a space or a control character")
        }
        None => Err("it has no port"),
        Some(port) if port.parse::<u16>().is_ok_and(|port| port > 0) => {
            Ok(format!("{host}:{port}"))
        }
        Some(_) => Err("its port is not a number from 1 to 65535"),
    }
}

#[cfg(test)]
mod tests {
    use super::host_and_port;

    #[test]
    fn endpoints_are_hosts_with_ports_or_urls() {
        for (address, expected) in [
            ("http://a", "a:80"),
            ("https://a/b?c", "a:443"),
            ("http://u:p@a:8000/x", "a:8000"),
            ("a:1", "a:1"),
            ("[::1]:80", "[::1]:80"),
            ("http://[::1]/", "[::1]:80"),
            ("akka.tcp://a:1/x", "a:1"),
        ] {
            assert_eq!(host_and_port(address).as_deref(), Ok(expected), "{address}");
        }
        for bad in [
            "a",
            "",
            ":1",
            "a:0",
            "a:x",
            "a:99999",
            "redis://a",
            "no name:1",
            "a\n:1",
        ] {
            assert!(host_and_port(bad).is_err(), "{bad}");
        }
    }
}
