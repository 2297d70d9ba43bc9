//! Asks a node's `/v1`, each request on a connection of its own.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

use crate::Failure;

/// After this time a request has failed.
const PATIENCE: Duration = Duration::from_secs(60);

/// How often a condition is looked at while it does not hold.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// An answer, read to its end.
pub(crate) struct Answered {
    pub(crate) status: StatusCode,
    pub(crate) body: Bytes,
}

pub(crate) async fn ask(
    node: SocketAddr,
    method: Method,
    path: &str,
    body: Option<Value>,
) -> Result<Answered, Failure> {
    let exchange = async {
        let stream = TcpStream::connect(node).await?;
        stream.set_nodelay(true)?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let driver = tokio::spawn(connection);
        let body = body.map(|body| body.to_string()).unwrap_or_default();
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", node.to_string())
            .header("content-type", "application/json")
            .body(Full::<Bytes>::from(body))?;
        let response = sender.send_request(request).await?;
        let status = response.status();
        let body = response.into_body().collect().await?.to_bytes();
        driver.abort();
        Ok::<_, Failure>(Answered { status, body })
    };
    let answered = tokio::time::timeout(PATIENCE, exchange).await;
    answered.map_err(|_| format!("{path}: no answer in {PATIENCE:?}"))?
}

/// Asks, and takes anything but success for a failure.
pub(crate) async fn json(
    node: SocketAddr,
    method: Method,
    path: &str,
    body: Option<Value>,
) -> Result<Value, Failure> {
    let answered = ask(node, method, path, body).await?;
    if !answered.status.is_success() {
        let text = String::from_utf8_lossy(&answered.body);
        return Err(format!("{path}: {}: {text}", answered.status).into());
    }
    if answered.body.is_empty() {
        return Ok(Value::Null);
    }
    Ok(serde_json::from_slice(&answered.body)?)
}

pub(crate) async fn get(node: SocketAddr, path: &str) -> Result<Value, Failure> {
    json(node, Method::GET, path, None).await
}

/// Asks until the answer is as wanted.
pub(crate) async fn until(
    node: SocketAddr,
    path: &str,
    wanted: impl Fn(&Value) -> bool,
) -> Result<Value, Failure> {
    let mut last = Value::Null;
    let look = async {
        loop {
            if let Ok(answer) = get(node, path).await {
                if wanted(&answer) {
                    return answer;
                }
                last = answer;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    let answer = tokio::time::timeout(PATIENCE, look).await;
    answer.map_err(|_| format!("{path} is not as it should be after {PATIENCE:?}: {last}").into())
}
