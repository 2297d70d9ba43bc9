//! [`Ask`]: this node's own `/v1`, asked in process on behalf of a client, with what it says of
//! itself. So a leader on another node checks what this node has checked.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{FromRequestParts, Request};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE, HOST, HeaderName, ORIGIN};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use incumbent_cluster_blobs::Blobs;
use incumbent_cluster_core::JobId;
use incumbent_cluster_core::view::{ClusterView, JobView};
use incumbent_gateway::Peer;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tower_service::Service as _;

use crate::errors::Failure;
use crate::jars::Shelf;

/// The largest answer of `/v1` that is turned into one of Flink's, in bytes.
pub const LARGEST_ANSWER: usize = 64 * 1024 * 1024;

/// The largest body of a request that is no upload, in bytes: Flink's clients send a few hundred.
pub const LARGEST_BODY: usize = 1024 * 1024;

/// How long the body of a request may take in all.
const BODY_TIME: Duration = Duration::from_secs(60);

/// How long `/v1` may take: longer than it holds a request while nobody leads, and than the leader
/// then may take.
const ANSWER_TIME: Duration = Duration::from_secs(75);

/// What a browser says of the page that asks.
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// What all routes share.
#[derive(Clone)]
pub(crate) struct Flink {
    pub(crate) v1: Router,
    pub(crate) blobs: Blobs,
    pub(crate) shelf: Arc<Shelf>,
}

/// `/v1`, and who asks.
pub(crate) struct Ask {
    v1: Router,
    headers: HeaderMap,
    peer: Option<Peer>,
}

impl FromRequestParts<Flink> for Ask {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, flink: &Flink) -> Result<Self, Self::Rejection> {
        let mut headers = HeaderMap::new();
        for name in [HOST, AUTHORIZATION, COOKIE, ORIGIN, FETCH_SITE] {
            // All of them: two origins are refused, and one of two would not be.
            for value in parts.headers.get_all(&name) {
                headers.append(name.clone(), value.clone());
            }
        }
        // HTTP/2 has it in the target.
        let target = parts.uri.authority();
        if let Some(Ok(host)) = target.map(|target| target.as_str().parse()) {
            headers.insert(HOST, host);
        }
        Ok(Self {
            v1: flink.v1.clone(),
            headers,
            peer: parts.extensions.get::<Peer>().cloned(),
        })
    }
}

impl Ask {
    /// What `/v1` answers to GET, if it is a success.
    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        let (_, body) = self.asked(Method::GET, path, Body::empty()).await?;
        parsed(&body)
    }

    /// The same as text.
    pub(crate) async fn text(&self, path: &str) -> Result<String, Failure> {
        let (_, body) = self.asked(Method::GET, path, Body::empty()).await?;
        Ok(String::from_utf8_lossy(&body).into_owned())
    }

    /// Changes something. All changes of `/v1` may be repeated, so it is sent again by the gateway
    /// if a leader dies meanwhile.
    pub(crate) async fn put(&self, path: &str, body: &Value) -> Result<StatusCode, Failure> {
        let body = Body::from(body.to_string());
        Ok(self.asked(Method::PUT, path, body).await?.0)
    }

    /// Removes something.
    pub(crate) async fn delete(&self, path: &str) -> Result<(), Failure> {
        self.asked(Method::DELETE, path, Body::empty()).await?;
        Ok(())
    }

    /// A job that is named in a path.
    pub(crate) async fn job(&self, id: &str) -> Result<JobView, Failure> {
        let id = job_id(id)?;
        self.get(&format!("/v1/jobs/{id}"))
            .await
            .map_err(|failure| match failure.status {
                StatusCode::NOT_FOUND => Failure::not_found(format!("Job {id} not found")),
                _ => failure,
            })
    }

    pub(crate) async fn cluster(&self) -> Result<ClusterView, Failure> {
        self.get("/v1/cluster").await
    }

    async fn asked(
        &self,
        method: Method,
        path: &str,
        body: Body,
    ) -> Result<(StatusCode, Bytes), Failure> {
        let mut request = Request::new(body);
        *request.uri_mut() = path
            .parse()
            .map_err(|_| Failure::bad_request(format!("{path:?} is no path.")))?;
        *request.headers_mut() = self.headers.clone();
        if method == Method::PUT {
            let json = HeaderValue::from_static("application/json");
            request.headers_mut().insert(CONTENT_TYPE, json);
        }
        *request.method_mut() = method;
        if let Some(peer) = &self.peer {
            request.extensions_mut().insert(peer.clone());
        }
        let mut v1 = self.v1.clone();
        let asked = async {
            let answer = v1
                .call(request)
                .await
                .unwrap_or_else(|never| match never {});
            let status = answer.status();
            let body = axum::body::to_bytes(answer.into_body(), LARGEST_ANSWER).await;
            (status, body)
        };
        let late = |_| {
            Failure::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "The cluster did not answer in time.",
            )
        };
        let (status, body) = tokio::time::timeout(ANSWER_TIME, asked)
            .await
            .map_err(late)?;
        let body = body.map_err(|error| {
            Failure::new(
                StatusCode::BAD_GATEWAY,
                format!("The answer of {path} cannot be read: {error}."),
            )
        })?;
        match status.is_success() {
            true => Ok((status, body)),
            false => Err(Failure::of_v1(status, &body)),
        }
    }
}

/// An id in a path.
pub(crate) fn job_id(text: &str) -> Result<JobId, Failure> {
    let lower = text.to_ascii_lowercase();
    lower.parse().map_err(|_| Failure::bad_id("jobid", text))
}

/// The body of a request as JSON; nothing at all is `{}`, as Flink takes it.
pub(crate) async fn body<T: DeserializeOwned>(body: Body) -> Result<T, Failure> {
    let read = axum::body::to_bytes(body, LARGEST_BODY);
    let late = |_| {
        Failure::new(
            StatusCode::REQUEST_TIMEOUT,
            "The body of the request did not arrive in time.",
        )
    };
    let bytes = tokio::time::timeout(BODY_TIME, read).await.map_err(late)?;
    let bytes = bytes.map_err(|error| {
        let text = format!("The body of the request cannot be read, or has more than {LARGEST_BODY} bytes: {error}.");
        Failure::new(StatusCode::PAYLOAD_TOO_LARGE, text)
    })?;
    let bytes: &[u8] = if bytes.is_empty() { b"{}" } else { &bytes };
    let malformed = |why: &dyn std::fmt::Display| {
        Failure::bad_request(format!("Request did not match expected format: {why}."))
    };
    // A list would be taken for the fields in their order.
    let fields: serde_json::Map<String, Value> =
        serde_json::from_slice(bytes).map_err(|error| malformed(&error))?;
    serde_json::from_value(Value::Object(fields)).map_err(|error| malformed(&error))
}

fn parsed<T: DeserializeOwned>(body: &[u8]) -> Result<T, Failure> {
    serde_json::from_slice(body).map_err(|error| {
        Failure::new(
            StatusCode::BAD_GATEWAY,
            format!("The answer of /v1 cannot be understood: {error}."),
        )
    })
}
