//! A client of `/v1`: asks any node, and the next one if that does not answer.
//!
//! ```text
//!   Client::ask ──► node 1 ──► an answer, whatever it says
//!        │  not reached, or broken off
//!        └──────► node 2 … and again from node 1, a few times: every request here may be repeated
//! ```

mod args;
mod connection;
mod error;
mod events;
mod nodes;
mod problem;
mod url;

use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HOST, USER_AGENT};
use hyper::{Method, Request, Response};
use incumbent::backend::{Pace, jitter};
use incumbent_tls::{ClientFiles, Identity, Trust};
use rustls::ClientConfig;
use serde::Serialize;
use serde::de::DeserializeOwned;

pub(crate) use args::{ClusterArgs, USUAL};
use connection::Connection;
pub(crate) use connection::Upload;
pub(crate) use error::ClientError;
pub(crate) use events::{Event, Events};
use nodes::Nodes;
pub(crate) use problem::Problem;
pub(crate) use url::{NodeUrl, segment};

use crate::diagnostics::say;
use crate::exit::{Code, Failure};
use crate::settings::read_token;

/// How often a request is sent to all nodes before it is given up.
const ROUNDS: u32 = 4;

/// Pauses between rounds.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// How long a node may take to begin its answer. It holds a request for 30 s while nobody leads.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long a node may take before people are told that it is waited for.
const SILENCE: Duration = Duration::from_secs(2);

/// How long a node may take to say whether it is ready, which it knows.
const READINESS: Duration = Duration::from_secs(2);

/// Longest report of a node about itself.
const LARGEST_REPORT: usize = 64 * 1024;

/// Longest answer that is read whole: the views of many jobs.
const LARGEST_ANSWER: usize = 64 * 1024 * 1024;

/// Asks the nodes of one cluster. Clones share which of them has answered, and which were learnt.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    nodes: Arc<Mutex<Nodes>>,
    token: Option<String>,
    tls: Option<Arc<ClientConfig>>,
    /// How long a node may take to begin its answer.
    patience: Duration,
    /// Whether people were told that a node is waited for. They are told once, until one answers.
    is_told: Arc<AtomicBool>,
    is_quiet: bool,
}

/// A request, which may be sent several times.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    method: Method,
    path: String,
    headers: Vec<(&'static str, String)>,
    body: Upload,
}

impl Client {
    /// # Errors
    ///
    /// A file of a flag cannot be used.
    pub(crate) fn new(args: &ClusterArgs) -> Result<Self, Failure> {
        let needs_tls = args.cluster.iter().any(|node| node.is_tls);
        let tls = needs_tls.then(|| tls(args)).transpose()?;
        Ok(Self {
            nodes: Arc::new(Mutex::new(Nodes::named(args.cluster.clone()))),
            token: args.token_file.as_deref().map(read_token).transpose()?,
            tls,
            patience: PATIENCE,
            is_told: Arc::default(),
            is_quiet: false,
        })
    }

    /// The same with another time that a node may take to begin its answer.
    pub(crate) fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// The same without a word to people while a node is waited for.
    pub(crate) fn quietly(self) -> Self {
        Self {
            is_quiet: true,
            ..self
        }
    }

    /// Takes the addresses of nodes that the cluster has named: they are asked too, if those that a
    /// person named do not answer. The most useful ones come first, for only a few are kept.
    pub(crate) fn learn<'a>(&self, addresses: impl IntoIterator<Item = &'a str>) {
        self.nodes().learn(addresses);
    }

    fn nodes(&self) -> MutexGuard<'_, Nodes> {
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks the nodes, once, what one of them says of its readiness: the first one that answers,
    /// and its report, whether it is ready or not. It answers at once, also while nobody leads.
    ///
    /// # Errors
    ///
    /// No node answers, each for its reason.
    pub(crate) async fn readiness<T: DeserializeOwned>(
        &self,
    ) -> Result<(NodeUrl, T), Vec<(NodeUrl, connection::Failed)>> {
        let ask = Ask::get("/readyz");
        let mut failed = Vec::new();
        let nodes = self.nodes().in_turn();
        for node in nodes {
            let report = async {
                let answer = self.send(&node, &ask).await?;
                let body =
                    http_body_util::Limited::new(answer.response.into_body(), LARGEST_REPORT);
                let body = body
                    .collect()
                    .await
                    .map_err(|_| connection::Failed::Strange)?;
                serde_json::from_slice(&body.to_bytes()).map_err(|_| connection::Failed::Strange)
            };
            let report = tokio::time::timeout(READINESS, report).await;
            match report.unwrap_or(Err(connection::Failed::NoAnswer(READINESS))) {
                Ok(report) => {
                    self.nodes().answered(&node);
                    return Ok((node, report));
                }
                Err(error) => failed.push((node, error)),
            }
        }
        Err(failed)
    }

    /// Asks, and reads the answer as JSON.
    ///
    /// # Errors
    ///
    /// See [`ClientError`].
    pub(crate) async fn json<T: DeserializeOwned>(&self, ask: &Ask) -> Result<T, ClientError> {
        let answer = self.whole(ask).await?;
        serde_json::from_slice(&answer).map_err(ClientError::Answer)
    }

    /// Asks, and reads the whole answer, if it is one of success.
    ///
    /// # Errors
    ///
    /// See [`ClientError`].
    pub(crate) async fn whole(&self, ask: &Ask) -> Result<Bytes, ClientError> {
        let mut pace = Pace::new(FIRST_PAUSE, LONGEST_PAUSE);
        for _ in 1..ROUNDS {
            let answer = self.open(ask).await?;
            let body = http_body_util::Limited::new(answer.response.into_body(), LARGEST_ANSWER);
            match body.collect().await {
                Ok(body) => return Ok(body.to_bytes()),
                // The node went away before the end of its answer.
                Err(_) => self.pause(&mut pace).await,
            }
        }
        Err(ClientError::BrokenOff)
    }

    /// Asks, and returns the beginning of an answer of success. Its body follows.
    ///
    /// # Errors
    ///
    /// See [`ClientError`].
    pub(crate) async fn open(&self, ask: &Ask) -> Result<Answer, ClientError> {
        let mut pace = Pace::new(FIRST_PAUSE, LONGEST_PAUSE);
        let mut failed = Vec::new();
        for round in 1..=ROUNDS {
            failed.clear();
            let mut is_refused_by_all = true;
            let nodes = self.nodes().in_turn();
            for node in nodes {
                match self.send_telling(&node, ask).await {
                    Ok(answer) => {
                        self.nodes().answered(&node);
                        return accepted(answer, ask.method.is_safe()).await;
                    }
                    Err(error) => {
                        is_refused_by_all &= error.is_final();
                        failed.push((node, error));
                    }
                }
            }
            // Nobody listens there: that is no moment of weakness.
            if is_refused_by_all || round == ROUNDS {
                break;
            }
            self.pause(&mut pace).await;
        }
        Err(ClientError::NoNode(failed))
    }

    async fn pause(&self, pace: &mut Pace) {
        tokio::time::sleep(pace.after_failure(jitter())).await;
    }

    /// Sends a request, and tells people if its answer is slow to begin.
    async fn send_telling(&self, node: &NodeUrl, ask: &Ask) -> Result<Answer, connection::Failed> {
        let mut sending = pin!(self.send(node, ask));
        // An upload takes as long as it takes.
        if self.is_quiet || ask.body.is_file() {
            return sending.await;
        }
        let answer = match tokio::time::timeout(SILENCE, &mut sending).await {
            Ok(answer) => answer,
            Err(_) => {
                if !self.is_told.swap(true, Ordering::Relaxed) {
                    say(format!(
                        "{node} does not answer yet: the leader may be away; waiting"
                    ));
                }
                sending.await
            }
        };
        if answer.is_ok() {
            self.is_told.store(false, Ordering::Relaxed);
        }
        answer
    }

    async fn send(&self, node: &NodeUrl, ask: &Ask) -> Result<Answer, connection::Failed> {
        let mut connection = Connection::to(node, self.tls.as_ref()).await?;
        let mut request = Request::builder()
            .method(ask.method.clone())
            .uri(&ask.path)
            .header(HOST, &node.authority)
            .header(USER_AGENT, concat!("incumbent/", env!("CARGO_PKG_VERSION")));
        if !ask.headers.iter().any(|(name, _)| *name == ACCEPT.as_str()) {
            request = request.header(ACCEPT, "application/json, application/problem+json");
        }
        for (name, value) in &ask.headers {
            request = request.header(*name, value);
        }
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        if let Some(length) = ask.body.length() {
            request = request.header(CONTENT_LENGTH, length);
        }
        let body = ask.body.begin().await.map_err(connection::Failed::Body)?;
        let request = request.body(body).map_err(connection::Failed::Request)?;
        let patience = if ask.body.is_file() {
            None
        } else {
            Some(self.patience)
        };
        let response = connection.send(request, patience).await?;
        Ok(Answer {
            response,
            _connection: connection,
        })
    }
}

/// The beginning of an answer. The connection ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) response: Response<Incoming>,
    _connection: Connection,
}

async fn accepted(answer: Answer, is_safe: bool) -> Result<Answer, ClientError> {
    let status = answer.response.status();
    if status.is_success() {
        return Ok(answer);
    }
    let body = http_body_util::Limited::new(answer.response.into_body(), LARGEST_ANSWER);
    let body = body.collect().await.map(|body| body.to_bytes());
    let mut problem = Problem::read(status, &body.unwrap_or_default());
    // What only reads changes nothing, whatever became of it.
    problem.is_unknown &= !is_safe;
    Err(ClientError::Problem(problem))
}

impl Ask {
    pub(crate) fn get(path: impl Into<String>) -> Self {
        Self::new(Method::GET, path)
    }

    pub(crate) fn new(method: Method, path: impl Into<String>) -> Self {
        Self {
            method,
            path: path.into(),
            headers: Vec::new(),
            body: Upload::Nothing,
        }
    }

    /// The same with a body of JSON.
    pub(crate) fn json(mut self, body: &impl Serialize) -> Self {
        let body = serde_json::to_vec(body).expect("what is sent has names of text");
        self.body = Upload::Whole(body.into());
        self.header(CONTENT_TYPE.as_str(), "application/json")
    }

    /// The same with this body.
    pub(crate) fn body(self, body: Upload) -> Self {
        Self { body, ..self }.header(CONTENT_TYPE.as_str(), "application/octet-stream")
    }

    pub(crate) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

fn tls(args: &ClusterArgs) -> Result<Arc<ClientConfig>, Failure> {
    let identity = match (&args.cert, &args.key) {
        (Some(certificate), Some(key)) => Some(Identity {
            certificate: certificate.clone(),
            key: key.clone(),
        }),
        (None, None) => None,
        _ => {
            let why = "--cert and --key go together; add the missing one";
            return Err(Failure::new(why).code(Code::Usage));
        }
    };
    let files = ClientFiles {
        trust: args.ca.clone().map_or(Trust::System, Trust::File),
        identity,
    };
    let read = files.read(&[b"http/1.1"]);
    read.map(Arc::new).map_err(|cause| {
        Failure::new("cannot use TLS")
            .because(cause)
            .code(Code::Usage)
    })
}
