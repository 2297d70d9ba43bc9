//! A task's own HTTP: the last part of the way, from its TaskManager to its port.

use std::time::Duration;

use axum::body::Body;
use http::header::HOST;
use http::{HeaderValue, Request, Response, Uri, Version};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use incumbent_backend::causes;

use crate::security::{answer_of_task, request_to_task};

/// How long a task may take to accept a connection. It is on this machine.
const CONNECT: Duration = Duration::from_secs(2);

/// How long a task may take to begin its answer. The same as any node gives the leader.
const FIRST_BYTE: Duration = Duration::from_secs(60);

/// How long an unused connection to a task is kept.
const IDLE: Duration = Duration::from_secs(5);

/// Asks tasks of this TaskManager. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct TaskHttp {
    client: Client<HttpConnector, Body>,
}

/// Why a task gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum NoAnswer {
    /// There is no such task here.
    #[error("this TaskManager does not have the task")]
    NoSuchTask,
    /// The task has no process at present.
    #[error("the task does not run")]
    NotRunning,
    /// It does not listen on its port. The request was not sent.
    #[error("the task does not listen on its port {port}: {why}")]
    NotListening {
        /// The port that it was granted.
        port: u16,
        /// What the system says.
        why: String,
    },
    /// The request was sent, and no answer came.
    #[error("the task did not answer: {0}")]
    Lost(String),
    /// The request was sent, and no answer came in time.
    #[error("the task did not answer within {} s", FIRST_BYTE.as_secs())]
    Late,
    /// The path cannot be asked for.
    #[error("the path is malformed")]
    BadPath,
}

impl TaskHttp {
    pub(super) fn new() -> Self {
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(CONNECT));
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .build(connector);
        Self { client }
    }

    /// Passes a request on to this port.
    pub(super) async fn pass_on(
        &self,
        port: u16,
        path: &str,
        mut request: Request<Body>,
    ) -> Result<Response<Body>, NoAnswer> {
        let authority = format!("127.0.0.1:{port}");
        let slash = if path.starts_with('/') { "" } else { "/" };
        let uri = format!("http://{authority}{slash}{path}");
        let uri: Uri = uri.parse().map_err(|_| NoAnswer::BadPath)?;
        // The path must not have become a part of the authority.
        if uri
            .authority()
            .is_none_or(|found| found.as_str() != authority)
        {
            return Err(NoAnswer::BadPath);
        }
        *request.uri_mut() = uri;
        *request.version_mut() = Version::HTTP_11;
        request_to_task(request.headers_mut());
        let host = HeaderValue::from_str(&authority).expect("digits and dots are visible");
        request.headers_mut().insert(HOST, host);
        request.extensions_mut().clear();
        let asked = tokio::time::timeout(FIRST_BYTE, self.client.request(request)).await;
        let answer = asked.map_err(|_| NoAnswer::Late)?.map_err(|error| {
            let why = causes(&error);
            match error.is_connect() {
                true => NoAnswer::NotListening { port, why },
                false => NoAnswer::Lost(why),
            }
        })?;
        let (mut head, body) = answer.into_parts();
        // Extensions are for this process only.
        head.extensions.clear();
        Ok(answer_of_task(Response::from_parts(head, Body::new(body))))
    }
}
