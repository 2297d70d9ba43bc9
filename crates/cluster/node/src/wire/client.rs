//! [`Client`]: asks other nodes.

use std::net::IpAddr;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST};
use http::{HeaderValue, Method, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use hyper_util::client::legacy;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use incumbent_gateway::UpstreamTls;
use incumbent_tls::TlsError;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::connect::Connector;
use super::proof::{self, AnswerProof, BodyDigest, PROOF, RequestNonce};
use super::{Problem, WireError};
use crate::identity::NodeSecret;

/// The largest answer that is read as a whole: metrics of a busy node, or the outcomes of orders.
pub const LARGEST_ANSWER: usize = 16 * 1024 * 1024;

/// How long an unused connection is kept. Shorter than servers keep theirs, so that a request is
/// rarely written to one that is being closed.
const IDLE: Duration = Duration::from_secs(20);

/// How many unused connections to one node are kept.
const MOST_IDLE: usize = 4;

/// How long an error's own text may be in ours.
const LONGEST_SAID: usize = 200;

/// Asks other nodes, proves that this node is one, and takes only proven answers. Cheap to clone:
/// all clones share their connections.
#[derive(Clone)]
pub struct Client {
    http: legacy::Client<Connector, Body>,
    secret: NodeSecret,
    is_tls: bool,
}

impl Client {
    /// A client with the secret of the cluster; over TLS if there are options for it.
    ///
    /// Must be called inside a Tokio runtime.
    ///
    /// # Errors
    ///
    /// [`TlsError`].
    pub fn new(secret: NodeSecret, tls: Option<&UpstreamTls>) -> Result<Self, TlsError> {
        Self::seen_at(secret, tls, None)
    }

    /// The same, which connects from this address where that is possible: a TaskManager is known by
    /// the address that it is seen under, and must be reached there.
    ///
    /// # Errors
    ///
    /// [`TlsError`].
    pub fn seen_at(
        secret: NodeSecret,
        tls: Option<&UpstreamTls>,
        from: Option<IpAddr>,
    ) -> Result<Self, TlsError> {
        let http = legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(MOST_IDLE)
            .build(Connector::new(tls, from)?);
        Ok(Self {
            http,
            secret,
            is_tls: tls.is_some(),
        })
    }

    /// Sends JSON by `POST` and takes JSON. `to` is `host:port`, or a URL without a path.
    ///
    /// # Errors
    ///
    /// [`WireError`]. Every error but [`Unreachable`](WireError::Unreachable) may have been
    /// processed.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future is an unknown outcome.
    pub async fn post<A: DeserializeOwned>(
        &self,
        to: &str,
        path: &str,
        body: &impl Serialize,
        patience: Duration,
    ) -> Result<A, WireError> {
        let json = serde_json::to_vec(body).map_err(|error| unsendable(to, error))?;
        let answer = self.whole(Method::POST, to, path, json.into(), patience);
        let answer = answer.await?;
        serde_json::from_slice(&answer).map_err(|error| WireError::Misunderstood {
            to: to.to_owned(),
            why: error.to_string(),
        })
    }

    /// Sends a request with a whole body, and reads the whole answer.
    ///
    /// # Errors
    ///
    /// As [`post`](Self::post).
    ///
    /// # Cancel safety
    ///
    /// As [`post`](Self::post).
    pub async fn whole(
        &self,
        method: Method,
        to: &str,
        path: &str,
        body: Bytes,
        patience: Duration,
    ) -> Result<Bytes, WireError> {
        let digest = Some(proof::digest(&body));
        let mut request = Request::new(Body::from(body));
        *request.method_mut() = method;
        let json = HeaderValue::from_static("application/json");
        request.headers_mut().insert(CONTENT_TYPE, json);
        let asked = async {
            let (answer, digest) = self.proven(to, path, request, digest).await?;
            let status = answer.status();
            let body = read(to, answer).await?;
            if digest.is_some_and(|digest| digest != proof::digest(&body)) {
                return Err(unproven(to, "its answer was altered on the way"));
            }
            if status.is_success() {
                Ok(body)
            } else {
                Err(refused(to, status, &body))
            }
        };
        match tokio::time::timeout(patience, asked).await {
            Ok(answered) => answered,
            Err(_) => Err(WireError::Late {
                to: to.to_owned(),
                after: patience,
            }),
        }
    }

    /// Sends a request whose body may be a stream, and returns the answer as it comes, whatever its
    /// status. Only its head is proven. For logs, and for the HTTP of tasks; an upgrade is the
    /// caller's (`hyper::upgrade::on`).
    ///
    /// The method and the header fields are those of `request`; its URI and `Host` are replaced. It
    /// has no time limit besides that of connecting: the caller sets one.
    ///
    /// # Errors
    ///
    /// As [`post`](Self::post).
    ///
    /// # Cancel safety
    ///
    /// As [`post`](Self::post).
    pub async fn stream(
        &self,
        to: &str,
        path: &str,
        mut request: Request<Body>,
    ) -> Result<Response<Incoming>, WireError> {
        request.headers_mut().remove(HOST);
        let (mut answer, _) = self.proven(to, path, request, None).await?;
        answer.headers_mut().remove(PROOF);
        Ok(answer)
    }

    /// Sends this, and verifies the head of the answer. Returns what its body's digest must be.
    async fn proven(
        &self,
        to: &str,
        path: &str,
        mut request: Request<Body>,
        digest: BodyDigest,
    ) -> Result<(Response<Incoming>, BodyDigest), WireError> {
        *request.uri_mut() = self.uri(to, path)?;
        let nonce: RequestNonce = rand::random();
        let what = (request.method(), path);
        let proof = proof::of_request(&self.secret, what, &nonce, digest);
        request.headers_mut().insert(PROOF, proof);
        let answer = self.http.request(request).await;
        let answer = answer.map_err(|error| unanswered(to, &error))?;
        let proof = answer.headers().get(PROOF).and_then(AnswerProof::read);
        match proof {
            Some(proof) if proof.is_of(&self.secret, &nonce, answer.status()) => {
                Ok((answer, proof.digest))
            }
            Some(_) => Err(unproven(to, "its proof is wrong")),
            None => Err(unproven(to, &said(answer).await)),
        }
    }

    fn uri(&self, to: &str, path: &str) -> Result<Uri, WireError> {
        let uri = if to.contains("://") {
            format!("{}{path}", to.trim_end_matches('/'))
        } else {
            let scheme = if self.is_tls { "https" } else { "http" };
            format!("{scheme}://{to}{path}")
        };
        uri.parse().map_err(|error| unsendable(to, error))
    }
}

/// All of an answer.
async fn read(to: &str, answer: Response<Incoming>) -> Result<Bytes, WireError> {
    let body = Limited::new(answer.into_body(), LARGEST_ANSWER);
    let body = body.collect().await;
    let body = body.map_err(|error| WireError::Unanswered {
        to: to.to_owned(),
        why: error.to_string(),
    })?;
    Ok(body.to_bytes())
}

/// What somebody who proves nothing says, in short. Not more than the beginning is believed worth
/// reading.
async fn said(answer: Response<Incoming>) -> String {
    let status = answer.status();
    let body = Limited::new(answer.into_body(), LARGEST_ANSWER / 256);
    let body = body.collect().await.map(|body| body.to_bytes());
    let problem = body
        .ok()
        .and_then(|body| serde_json::from_slice(&body).ok());
    match problem {
        Some(Problem { title, detail, .. }) => {
            let detail: String = detail.chars().take(LONGEST_SAID).collect();
            format!("{status}: {title}: {detail}")
        }
        None => status.to_string(),
    }
}

fn refused(to: &str, status: StatusCode, body: &[u8]) -> WireError {
    let problem = serde_json::from_slice(body);
    let problem = problem.unwrap_or_else(|_| Problem::new(status, "about", "refused", ""));
    WireError::Refused {
        to: to.to_owned(),
        problem: Box::new(problem),
    }
}

fn unproven(to: &str, said: &str) -> WireError {
    WireError::Unproven {
        to: to.to_owned(),
        said: said.to_owned(),
    }
}

fn unsendable(to: &str, why: impl ToString) -> WireError {
    WireError::Unsendable {
        to: to.to_owned(),
        why: why.to_string(),
    }
}

fn unanswered(to: &str, error: &legacy::Error) -> WireError {
    let to = to.to_owned();
    let why = incumbent_backend::causes(error);
    if error.is_connect() {
        WireError::Unreachable { to, why }
    } else {
        WireError::Unanswered { to, why }
    }
}
