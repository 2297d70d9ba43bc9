//! What is told of every request: the access log, and metrics.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use http::header::{REFERER, USER_AGENT};
use http::request::Parts;
use http::{Method, StatusCode, Version};
use incumbent::Epoch;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use super::client::Peer;
use super::tape::Tape;
use crate::decide::problem::Problem;
use crate::leader::secure;

/// The target of the events of the access log: one for each request, when its answer has ended.
///
/// A request that the library below refuses before it can be read has only `client`, `status`,
/// `problem`, and what is the same for all of them: `malformed` (400), `target-too-long` (414),
/// `head-too-large` (431), or `head-late` (408; its connection was closed without an answer).
///
/// Fields: `client`, `method`, `target` (path and query), `version`, `host`, `status`, `sent` and
/// `received` (bytes of bodies), `seconds`, `held` (seconds), `attempts`, `epoch` and `upstream`
/// (of the leader that answered; absent if the gateway did), `problem`, `complete` (whether the
/// answer was sent to its end), `referer` and `agent`.
pub const ACCESS: &str = "incumbent::access";

/// Longest text of a client that is logged. What a client sends is not to fill a disk.
const LONGEST: usize = 1024;

/// What is known of one request. Told when dropped, with the end of the answer.
pub(crate) struct Report {
    began: Instant,
    line: Option<Line>,
    /// Whether its method changes nothing.
    pub(crate) only_reads: bool,
    pub(crate) status: StatusCode,
    pub(crate) sent: u64,
    pub(crate) tape: Option<Tape>,
    pub(crate) held: Duration,
    pub(crate) attempts: u32,
    pub(crate) answered_by: Option<(Epoch, Arc<str>)>,
    pub(crate) problem: Option<Problem>,
    pub(crate) is_complete: bool,
    /// Its share of all requests that may be under way.
    pub(crate) share: Option<OwnedSemaphorePermit>,
}

/// What only the log needs; not copied if nobody listens.
struct Line {
    client: IpAddr,
    method: Method,
    target: String,
    version: Version,
    host: String,
    referer: String,
    agent: String,
}

impl Report {
    pub(crate) fn begin(parts: &Parts, peer: &Peer) -> Self {
        let is_wanted = tracing::enabled!(target: ACCESS, tracing::Level::INFO);
        let text = |name| {
            let value = parts.headers.get(name).map(|value| value.as_bytes());
            short(&String::from_utf8_lossy(value.unwrap_or_default()))
        };
        let line = is_wanted.then(|| Line {
            client: peer.address.ip().to_canonical(),
            method: parts.method.clone(),
            target: short(
                parts
                    .uri
                    .path_and_query()
                    .map_or("", |target| target.as_str()),
            ),
            version: parts.version,
            host: match parts.uri.authority() {
                Some(authority) => short(authority.as_str()),
                None => text(http::header::HOST),
            },
            referer: text(REFERER),
            agent: text(USER_AGENT),
        });
        Self {
            began: Instant::now(),
            line,
            only_reads: parts.method.is_safe(),
            status: StatusCode::OK,
            sent: 0,
            tape: None,
            held: Duration::ZERO,
            attempts: 0,
            answered_by: None,
            problem: None,
            is_complete: false,
            share: None,
        }
    }

    /// How long ago the request came.
    pub(crate) fn at(&self) -> Duration {
        self.began.elapsed()
    }
}

/// Reports a request that was refused before it could be read: nothing is known of it but where it
/// came from, and why it was refused.
pub(crate) fn refused(peer: &Peer, status: StatusCode, why: &'static str) {
    count(status, why);
    tracing::info!(
        target: ACCESS,
        client = %peer.address.ip().to_canonical(),
        status = status.as_u16(),
        sent = 0,
        received = 0,
        problem = why,
        complete = true,
    );
}

fn count(status: StatusCode, outcome: &'static str) {
    let class = match status.as_u16() {
        100..=199 => "1xx",
        200..=299 => "2xx",
        300..=399 => "3xx",
        400..=499 => "4xx",
        _ => "5xx",
    };
    metrics::counter!("incumbent_gateway_requests_total", "status" => class, "outcome" => outcome)
        .increment(1);
}

impl Drop for Report {
    fn drop(&mut self) {
        let outcome = match (self.problem, self.is_complete) {
            (Some(problem), _) => problem.name(),
            (None, true) => "passed",
            (None, false) => "broken",
        };
        count(self.status, outcome);
        let Some(line) = &self.line else { return };
        let (epoch, upstream) = match &self.answered_by {
            Some((epoch, upstream)) => (Some(epoch.get()), Some(&**upstream)),
            None => (None, None),
        };
        tracing::info!(
            target: ACCESS,
            client = %line.client,
            method = %line.method,
            target = line.target,
            version = ?line.version,
            host = line.host,
            status = self.status.as_u16(),
            sent = self.sent,
            received = self.tape.as_ref().map_or(0, Tape::read),
            seconds = self.at().as_secs_f64(),
            held = self.held.as_secs_f64(),
            attempts = self.attempts,
            epoch,
            upstream,
            problem = self.problem.map(Problem::name),
            complete = self.is_complete,
            referer = line.referer,
            agent = line.agent,
        );
    }
}

fn short(text: &str) -> String {
    // No client writes lines of the log.
    let visible = |c: char| if c.is_control() { '?' } else { c };
    text.chars().take(LONGEST).map(visible).collect()
}

/// Says what the metrics mean. To be called once a recorder is installed.
pub fn describe_metrics() {
    use metrics::{describe_counter, describe_gauge, describe_histogram};
    describe_counter!(
        "incumbent_gateway_requests_total",
        "Requests that have ended, by class of status, and by outcome: passed, broken, or the problem that the gateway answered with"
    );
    describe_counter!(
        "incumbent_gateway_repeated_total",
        "Requests that were sent again after they may have been processed"
    );
    describe_counter!(
        "incumbent_gateway_failed_total",
        "Attempts that brought no answer, by reason"
    );
    secure::describe_metrics();
    describe_gauge!("incumbent_gateway_held", "Requests that are held now");
    describe_gauge!("incumbent_gateway_connections", "Connections of clients");
    describe_histogram!(
        "incumbent_gateway_held_seconds",
        "How long requests were held, of those that were"
    );
    describe_histogram!(
        "incumbent_gateway_upstream_seconds",
        "From sending a request until the head of its answer, by address of the leader"
    );
}
