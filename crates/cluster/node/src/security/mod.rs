//! Who may ask what: [`Access`], in front of everything that a node serves.
//!
//! Submitting a job is running a program, so a page in a browser must not be able to.
//!
//! ```text
//!   request ──► host.rs     without a token: only names of this machine (a rebound name is refused)
//!           ──► browser.rs  everything but GET and HEAD: not from a foreign page
//!           ──► token.rs    with a token: `Authorization: Bearer`, except for /healthz and /readyz,
//!               session.rs  the pages, and what they need to log in; or the cookie of a session
//!   answer  ◄── headers.rs  nosniff, no referrer, nobody else's resource; no CORS
//! ```
//!
//! Each node checks every request itself, also one that another node has passed on: the gateway
//! passes on `Host`, `Origin`, `Sec-Fetch-Site` and `Authorization` as the client sent them, so the
//! second node sees what the first one saw and comes to the same result. No header says "already
//! checked", as a client could send it too. So all nodes of a cluster have the same token, or none:
//! the leader compares a mark of it, and a node that it refuses answers no user (`standing.rs`).
//! Jobs would come in there without the cluster's token.
//!
//! `/node/v1` is for nodes only. It asks for their proof and for nothing else: a user's token does
//! not help there.

mod browser;
mod headers;
mod host;
mod passed_on;
mod session;
mod standing;
mod token;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::SystemTime;

use axum::Router;
use axum::extract::Request;
use axum::http::Method;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse as _, Response};

pub use session::SESSION_TIME;
pub use token::{LONGEST_TOKEN, SHORTEST_TOKEN, Token, TokenError};

pub(crate) use headers::{between_nodes, is_of_task};
pub(crate) use passed_on::{answer_of_task, request_to_task};
pub(crate) use standing::Standing;

use crate::Node;
use crate::api::Problem;
use headers::secured;

/// Paths that ask for no token: they say nothing but whether the process is well, and what asks
/// them (a kubelet) has no token.
const OPEN: [&str; 2] = ["/healthz", "/readyz"];

/// What a page asks before anybody has logged in.
pub(crate) const FEATURES: &str = "/v1/features";

/// Where a browser logs in and out.
pub(crate) const SESSION: &str = "/v1/session";

/// Requests that were refused, by why.
const REFUSED: &str = "incumbent_cluster_access_refused_total";

/// What a node asks of those who ask it.
#[derive(Clone)]
pub struct Access {
    token: Option<Arc<Token>>,
    standing: Standing,
}

/// A node that would let everybody who reaches it run programs does not start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0} can be reached from other machines, and anyone who reaches this node may run programs on the \
     cluster: give every node the same token, by a file (--token-file FILE, or INCUMBENT_TOKEN_FILE), or \
     listen on 127.0.0.1"
)]
pub struct NeedsToken(pub SocketAddr);

impl Access {
    /// For a node that listens here.
    ///
    /// # Errors
    ///
    /// [`NeedsToken`] if other machines can reach the address, and there is no token.
    pub fn new(listen: SocketAddr, token: Option<Token>) -> Result<Self, NeedsToken> {
        if token.is_none() && !listen.ip().to_canonical().is_loopback() {
            return Err(NeedsToken(listen));
        }
        let help = "Requests that were refused before anything was done, by why.";
        metrics::describe_counter!(REFUSED, help);
        Ok(Self {
            token: token.map(Arc::new),
            standing: Standing::default(),
        })
    }

    /// The same, while the leader has nothing against the token of this node.
    pub(crate) fn while_same_as_leaders(mut self, node: &Node) -> Self {
        self.standing = node.standing().clone();
        self
    }

    /// For what a node says to pages of itself. It asks for nothing more than the node's token.
    pub(crate) fn of(node: &Node) -> Self {
        let token = node.options().token.clone();
        // Without one that can be used, the node does not serve.
        let token = token.and_then(|token| Token::new(token).ok());
        Self {
            token: token.map(Arc::new),
            standing: node.standing().clone(),
        }
    }

    /// The token, if there is one.
    pub(crate) fn token(&self) -> Option<&Token> {
        self.token.as_deref()
    }

    /// Whether this request has the token or a session, if they are needed.
    pub(crate) fn allows(&self, request: &Request) -> bool {
        let token = self.token.as_ref();
        token.is_none_or(|token| session::check(token, request, now()).is_ok())
    }

    /// Lets these routes answer only what may be asked.
    pub(crate) fn protect(self, routes: Router) -> Router {
        routes
            .layer(from_fn(move |request: Request, next: Next| {
                let checked = self.check(&request);
                async move {
                    match checked {
                        Ok(()) => next.run(request).await,
                        Err(problem) => {
                            let why = problem.name().to_owned();
                            metrics::counter!(REFUSED, "why" => why).increment(1);
                            problem.into_response()
                        }
                    }
                }
            }))
            .layer(axum::middleware::map_response(
                async |response: Response| secured(response),
            ))
    }

    fn check(&self, request: &Request) -> Result<(), Problem> {
        if self.token.is_none() {
            host::check(request)?;
        }
        browser::check(request)?;
        if is_open(request) {
            return Ok(());
        }
        if let Some(token) = &self.token {
            session::check(token, request, now())?;
        }
        self.standing.check()
    }
}

/// Whether a request needs no token: the pages say nothing of the cluster, and who has no session
/// yet must be able to begin one.
fn is_open(request: &Request) -> bool {
    let path = request.uri().path();
    let is_reading = matches!(*request.method(), Method::GET | Method::HEAD);
    OPEN.contains(&path)
        || path == SESSION
        || (is_reading && (path == FEATURES || incumbent_cluster_ui::is_page(path)))
}

#[expect(
    clippy::disallowed_methods,
    reason = "sessions end at a time that all nodes can read"
)]
pub(crate) fn now() -> SystemTime {
    SystemTime::now()
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use http::StatusCode;

    use super::*;
    use crate::wire::{self, OTHER_TOKEN, WireError};

    #[test]
    fn a_node_that_others_reach_needs_a_token() {
        let token = || Some(Token::new("a-token-of-sixteen".into()).unwrap());
        for local in [
            "127.0.0.1:8081",
            "127.8.8.8:1",
            "[::1]:8081",
            "[::ffff:127.0.0.1]:1",
        ] {
            assert!(Access::new(local.parse().unwrap(), None).is_ok(), "{local}");
        }
        for open in ["0.0.0.0:8081", "[::]:8081", "10.0.0.1:8081", "[fe80::1]:1"] {
            let open: SocketAddr = open.parse().unwrap();
            let refused = Access::new(open, None).err().unwrap().to_string();
            assert!(refused.contains("--token-file"), "{refused}");
            assert!(Access::new(open, token()).is_ok(), "{open}");
        }
    }

    #[test]
    fn a_node_with_another_token_than_the_leader_answers_no_user() {
        let own = "a-token-of-sixteen";
        let token = Token::new(own.into()).unwrap();
        let access = Access::new("127.0.0.1:1".parse().unwrap(), Some(token)).unwrap();
        let asked = |path: &str| {
            let request = http::Request::builder().uri(path);
            let request = request.header("authorization", format!("Bearer {own}"));
            let checked = access.check(&request.body(Body::empty()).unwrap());
            checked.map_err(|problem| (problem.status, problem.name().to_owned()))
        };
        let refused = |kind: &str| {
            let problem = wire::Problem::new(StatusCode::CONFLICT, kind, "refused", "");
            Err::<(), _>(WireError::Refused {
                to: "leader:1".to_owned(),
                problem: Box::new(problem),
            })
        };
        access.standing.note(&refused("not-reachable"));
        assert_eq!(asked("/v1/jobs"), Ok(()));
        access.standing.note(&refused(OTHER_TOKEN));
        assert_eq!(asked("/v1/jobs"), Err((403, OTHER_TOKEN.to_owned())));
        assert_eq!(asked("/healthz"), Ok(()));
        // A leader that does not answer takes nothing back.
        access.standing.note(&Err::<(), _>(WireError::Unanswered {
            to: "leader:1".to_owned(),
            why: "closed".to_owned(),
        }));
        assert_eq!(asked("/v1/jobs"), Err((403, OTHER_TOKEN.to_owned())));
        access.standing.note(&Ok::<(), WireError>(()));
        assert_eq!(asked("/v1/jobs"), Ok(()));
    }
}
