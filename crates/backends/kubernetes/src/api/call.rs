//! One request, sent once, and its reply.

use std::time::Duration;

use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt, stream};
use http::header::{ACCEPT, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, Method, Request, Response};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::capture_connection;
use incumbent_backend::BoxError;
use kube::Client;
use kube::client::Body;

use crate::access::quietly;
use crate::api::operation::Operation;
use crate::api::operation::Verb;
use crate::api::reply::{Answer, Reply};

/// Longest answer that is read. A part of a list can be the metadata of 500 objects, to which
/// others may have added annotations.
const LONGEST_ANSWER: usize = 64 * 1024 * 1024;

/// The body of a watch, as it comes: text, in pieces.
pub(crate) type Chunks = BoxStream<'static, Result<Bytes, BoxError>>;

/// A request, ready to be sent.
pub(crate) struct Call<'a> {
    pub(crate) operation: Operation<'a>,
    /// The part after `?`.
    pub(crate) query: &'a [(&'a str, &'a str)],
    pub(crate) accept: &'static str,
    /// JSON, or nothing.
    pub(crate) body: Vec<u8>,
    /// In which the whole answer must arrive.
    pub(crate) within: Duration,
}

/// No answer came in time.
#[derive(Debug, thiserror::Error)]
#[error("no answer within {0:?}")]
struct Late(Duration);

impl Call<'_> {
    /// Sends it, once, and reads the answer.
    pub(crate) async fn send(self, client: &Client) -> Reply {
        let within = self.within;
        let operation = self.operation;
        let (response, sent) = match self.begin(client).await {
            Ok(begun) => begun,
            Err(reply) => return reply,
        };
        let (head, body) = response.into_parts();
        let body = Limited::new(body, LONGEST_ANSWER).collect();
        let body = match tokio::time::timeout(within.saturating_sub(sent), quietly(body)).await {
            Ok(Ok(body)) => body.to_bytes(),
            Ok(Err(error)) if error.is::<LengthLimitError>() => {
                return Reply::Torn(
                    format!("the answer is longer than {LONGEST_ANSWER} bytes").into(),
                );
            }
            Ok(Err(error)) => return Reply::Torn(error),
            Err(_) => return Reply::Torn(Late(within).into()),
        };
        Reply::Answer(Answer::new(
            &operation,
            head.status.as_u16(),
            wait_of(&head.headers),
            body,
        ))
    }

    /// Sends it, and returns the body of a success as it comes.
    pub(crate) async fn stream(self, client: &Client) -> Result<Chunks, Reply> {
        let (within, operation) = (self.within, self.operation);
        let (response, _) = self.begin(client).await?;
        let (head, body) = response.into_parts();
        if head.status.is_success() {
            let chunks = stream::unfold(body.into_data_stream(), |mut chunks| async {
                let chunk = quietly(chunks.next()).await?;
                Some((chunk.map_err(Into::into), chunks))
            });
            return Ok(chunks.boxed());
        }
        let body = quietly(Limited::new(body, LONGEST_ANSWER).collect());
        let body = match tokio::time::timeout(within, body).await {
            Ok(Ok(body)) => body.to_bytes(),
            Ok(Err(error)) => return Err(Reply::Torn(error)),
            Err(_) => return Err(Reply::Torn(Late(within).into())),
        };
        let wait = wait_of(&head.headers);
        Err(Reply::Answer(Answer::new(
            &operation,
            head.status.as_u16(),
            wait,
            body,
        )))
    }

    /// Sends it and waits for the head of the answer; also returns how long that took.
    async fn begin(self, client: &Client) -> Result<(Response<Body>, Duration), Reply> {
        let within = self.within;
        let begun = tokio::time::Instant::now();
        let mut request = self.request();
        // Tells whether the pool ever had a connection for it. Without one, nothing was sent.
        let connection = capture_connection(&mut request);
        let answered = tokio::time::timeout(within, quietly(client.send(request))).await;
        let cause: BoxError = match answered {
            Ok(Ok(response)) => return Ok((response, begun.elapsed())),
            Ok(Err(error)) => error.into(),
            Err(_) => Late(within).into(),
        };
        let connected = connection.connection_metadata().is_some();
        if connected && !failed_before_sending(&*cause) {
            Err(Reply::Unanswered(cause))
        } else {
            Err(Reply::Unsent(cause))
        }
    }

    fn request(self) -> Request<Body> {
        let Operation {
            verb,
            resource,
            namespace,
            name,
            ..
        } = self.operation;
        let mut path = if resource.is_namespaced {
            format!(
                "{}/namespaces/{namespace}/{}",
                resource.api, resource.plural
            )
        } else {
            format!("{}/{}", resource.api, resource.plural)
        };
        // A create names its object in the body.
        if let Some(name) = name.filter(|_| verb != Verb::Create) {
            path.push('/');
            path.push_str(name);
        }
        if !self.query.is_empty() {
            let mut query = form_urlencoded::Serializer::new(String::new());
            query.extend_pairs(self.query);
            path.push('?');
            path.push_str(&query.finish());
        }
        let method = match verb {
            Verb::Get | Verb::List | Verb::Watch => Method::GET,
            Verb::Create => Method::POST,
            Verb::Update => Method::PUT,
            Verb::Delete => Method::DELETE,
        };
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(ACCEPT, self.accept);
        if !self.body.is_empty() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        let request = request.body(Body::from(self.body));
        request.expect("namespaces and names are checked, and queries are encoded")
    }
}

/// Whether nothing was sent although the pool had a connection: that one had ended, and no new one
/// came.
fn failed_before_sending(cause: &(dyn std::error::Error + 'static)) -> bool {
    let causes = std::iter::successors(Some(cause), |cause| cause.source());
    causes
        .filter_map(|cause| cause.downcast_ref::<legacy::Error>())
        .any(legacy::Error::is_connect)
}

/// How long the server asks to wait. A date instead of a number is ignored: it is of another
/// clock.
fn wait_of(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers
        .get(RETRY_AFTER)?
        .to_str()
        .ok()?
        .trim()
        .parse()
        .ok()?;
    Some(Duration::from_secs(seconds))
}
