//! The server's side: [`prove`], which lets only nodes in and proves that this is one.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::StatusCode;
use http_body_util::{BodyExt as _, Limited};

use super::Problem;
use super::proof::{self, PROOF, RequestNonce, RequestProof};
use crate::identity::NodeSecret;

/// The largest body of a request or an answer that is proven as a whole: a report of a thousand
/// tasks that have all ended, each with 4 KiB of last lines, is 5 MiB as JSON.
pub const LARGEST_BODY: usize = 16 * 1024 * 1024;

/// In which form bodies are proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// As a whole, up to [`LARGEST_BODY`]: whatever changes what a node does.
    Whole,
    /// Streams as well, of which only the head is proven: logs, and the HTTP of tasks.
    Streams,
}

/// Says in a request's extensions that a node of this cluster sent it.
#[derive(Clone, Copy, Debug)]
pub struct Proven;

#[derive(Clone)]
struct Verifier {
    secret: Arc<NodeSecret>,
    form: Form,
}

/// Lets only nodes of this cluster use these routes, and adds the proof to what is answered.
///
/// The routes have their full paths: the proof is over the path as it was sent. What is not proven
/// gets 401 without, and 403 with a proof that is not this cluster's, and never reaches a handler.
/// A handler that changes the status or the body of an answer after this would break its proof.
pub fn prove(router: Router, secret: &NodeSecret, form: Form) -> Router {
    let verifier = Verifier {
        secret: Arc::new(secret.clone()),
        form,
    };
    router.layer(from_fn_with_state(verifier, verify))
}

async fn verify(State(verifier): State<Verifier>, request: Request, next: Next) -> Response {
    let (request, nonce) = match verifier.let_in(request).await {
        Ok(proven) => proven,
        Err(problem) => return (*problem).into_response(),
    };
    let answer = next.run(request).await;
    verifier.sign(answer, &nonce).await
}

impl Verifier {
    async fn let_in(&self, request: Request) -> Result<(Request, RequestNonce), Box<Problem>> {
        let proof = request.headers().get(PROOF).ok_or_else(missing)?;
        let proof = RequestProof::read(proof).ok_or_else(wrong)?;
        let path = request.uri().path_and_query();
        let path = path.map_or("/", |path| path.as_str());
        // Before its body is read: that of somebody who proves nothing is not worth the memory.
        if !proof.is_of(&self.secret, request.method(), path) {
            return Err(wrong());
        }
        let (mut head, body) = request.into_parts();
        // Handlers that pass requests on are not to pass this on.
        head.headers.remove(PROOF);
        head.extensions.insert(Proven);
        let body = match proof.digest {
            Some(digest) => {
                let whole = whole(body).await.map_err(unread)?;
                if proof::digest(&whole) != digest {
                    return Err(wrong());
                }
                Body::from(whole)
            }
            None if self.form == Form::Streams => body,
            None => return Err(wrong()),
        };
        Ok((Request::from_parts(head, body), proof.nonce))
    }

    async fn sign(&self, answer: Response, nonce: &RequestNonce) -> Response {
        let (mut head, body) = answer.into_parts();
        let is_stream = self.form == Form::Streams && !head.status.is_client_error();
        let (body, digest) = if is_stream {
            (body, None)
        } else {
            match whole(body).await {
                Ok(whole) => {
                    let digest = proof::digest(&whole);
                    (Body::from(whole), Some(digest))
                }
                Err(_) => return unread(StatusCode::INTERNAL_SERVER_ERROR).into_response(),
            }
        };
        let proof = proof::of_answer(&self.secret, nonce, head.status, digest);
        head.headers.insert(PROOF, proof);
        Response::from_parts(head, body)
    }
}

/// All of a body, or the status that says why not.
async fn whole(body: Body) -> Result<Bytes, StatusCode> {
    match Limited::new(body, LARGEST_BODY).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => {
            Err(StatusCode::PAYLOAD_TOO_LARGE)
        }
        Err(_) => Err(StatusCode::BAD_REQUEST),
    }
}

fn missing() -> Box<Problem> {
    let detail = "this path is for nodes of the cluster, which prove that they are; users and their \
                  tokens are served under /v1";
    let (status, kind) = (StatusCode::UNAUTHORIZED, "not-a-node");
    Box::new(Problem::new(status, kind, "not a node", detail))
}

fn wrong() -> Box<Problem> {
    let detail = "the proof is not that of a node of this cluster: check that both nodes name the \
                  same store and the same group";
    let (status, kind) = (StatusCode::FORBIDDEN, "not-of-this-cluster");
    Box::new(Problem::new(
        status,
        kind,
        "not a node of this cluster",
        detail,
    ))
}

fn unread(status: StatusCode) -> Box<Problem> {
    let title = match status {
        StatusCode::PAYLOAD_TOO_LARGE => "too large",
        StatusCode::INTERNAL_SERVER_ERROR => "the answer could not be made",
        _ => "the body did not arrive whole",
    };
    let detail = format!("bodies between nodes have at most {LARGEST_BODY} bytes");
    Box::new(Problem::new(status, "body", title, detail))
}
