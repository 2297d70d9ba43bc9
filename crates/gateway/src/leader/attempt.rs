//! One attempt to get an answer from the leader.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use futures::future::Either;
use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::request::Parts;
use http::uri::{PathAndQuery, Scheme};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Uri, Version};
use http_body::Body as _;
use hyper::body::Incoming;
use hyper::client::conn::TrySendError;
use tokio::time::{Instant, sleep};

use super::connection::{Connection, Missed, Sender, Wanted};
use super::refused::{Refused, Unreadable, refused, unreadable};
use super::share::Share;
use super::target::Target;
use crate::decide::problem::Problem;
use crate::decide::route::{Failure, Route};
use crate::headers::fields::{EPOCH, TERM_ENDED};
use crate::headers::{self, Asked};
use crate::hold::HeldPlace;
use crate::options::UpstreamHttp;
use crate::request::client::Client;
use crate::request::report::Report;
use crate::request::tape::{Playback, Spoilt, Tape};
use crate::shared::Shared;
use crate::stream::insertions::{Interim, InterimSender};

/// How often a request that waits for its answer looks whether that still makes sense. Its
/// time-outs are that coarse.
pub(crate) const LOOK: Duration = Duration::from_millis(100);
/// How long to wait before a leader is asked again that has just refused a request: it has too
/// many.
const REFUSED_PAUSE: Duration = Duration::from_millis(50);

/// A request, ready to be sent any number of times.
pub(crate) struct Job<'a> {
    pub(crate) client: &'a Client,
    pub(crate) parts: Parts,
    pub(crate) path: PathAndQuery,
    pub(crate) asked: Asked,
    pub(crate) tape: Tape,
    /// For interim answers, where they can be passed on.
    pub(crate) interim: Option<Interim>,
}

/// What a request that waits has, and has had.
#[derive(Default)]
pub(crate) struct Waiting {
    /// Kept until it is sent: who has waited is not sent away for somebody who has not.
    pub(crate) place: Option<HeldPlace>,
    /// How long it has waited for connections, in all attempts.
    connecting: Duration,
}

/// What came of one attempt.
#[expect(
    clippy::large_enum_variant,
    reason = "almost all are the largest, and a box would be an allocation for each request"
)]
pub(crate) enum Attempt {
    Answered(Answered),
    /// No answer; perhaps another attempt brings one.
    Failed(Failure),
    /// Not sent, and no further attempt is worth it.
    Unsent(Problem),
    /// No answer, and no further attempt will bring one.
    Problem(Problem),
}

/// The head of an answer, and the connection on which its body comes.
pub(crate) struct Answered {
    pub(crate) response: Response<Incoming>,
    pub(crate) sender: Sender,
    /// Which address of the target the connection leads to.
    pub(crate) address: usize,
    /// Its place on a connection of HTTP/2.
    pub(crate) share: Option<Share>,
    pub(crate) target: Arc<Target>,
}

/// Why there is no answer.
enum Unanswered {
    /// It was not waited for any longer.
    GivenUp(Failure),
    /// The connection failed before anything was sent.
    NotSent,
    /// The connection failed, and it was sent in part at least.
    Broken(hyper::Error),
}

/// Which HTTP a request goes on in, and whether all others to this leader do too.
#[derive(Clone, Copy)]
struct Spoken {
    http2: bool,
    always: bool,
}

/// Sends the request to the leader of this term once, and waits for the head of its answer. Gives
/// the place of a held request back when it is sent.
pub(crate) async fn attempt(
    shared: &Arc<Shared>,
    job: &Job<'_>,
    target: &Arc<Target>,
    fresh: bool,
    route: &Route,
    report: &Report,
    waiting: &mut Waiting,
) -> Attempt {
    let spoken = Spoken::to(target, shared.options.upstream_http, &job.asked);
    let wanted = match (fresh, route.is_safe()) {
        (true, _) => Wanted::New,
        (false, true) => Wanted::Any,
        (false, false) => Wanted::Recent,
    };
    let connection = match target.at_once(spoken.http2, wanted) {
        Some(connection) => connection,
        // Few requests open a connection, so the others need not have the room for it.
        None => {
            match Box::pin(waiting.connection(shared, target, spoken.http2, wanted, report)).await {
                Ok(connection) => connection,
                Err(missed) => return missing(shared, target, spoken, &missed),
            }
        }
    };
    drop(waiting.place.take());
    let Connection {
        mut sender,
        address,
        reused,
        share,
    } = connection;
    let request = job.request(target, address, &sender).await;
    let began = Instant::now();
    let sent = match &mut sender {
        Sender::Http1(connection) => Either::Left(connection.sender.try_send_request(request)),
        Sender::Http2(sender) => Either::Right(sender.try_send_request(request)),
    };
    let sent = watch(shared, job, target, sent, route, report).await;
    let response = match sent {
        Ok(response) => response,
        Err(Unanswered::GivenUp(failure)) => return Attempt::Failed(failure),
        Err(Unanswered::NotSent) => {
            // A leader that closes new connections at once is away, though it accepts them.
            if !reused && spoken.is_all() {
                shared
                    .board
                    .mark_away(target, &shared.connector, spoken.always);
            } else if !reused {
                Box::pin(waiting.pause()).await;
            }
            return Attempt::Failed(Failure::NotSent);
        }
        Err(Unanswered::Broken(error)) => {
            target.broke(address, &error);
            return match (job.tape.spoilt(), refused(&error)) {
                (Some(Spoilt::TooLong), _) => Attempt::Problem(Problem::TooLarge),
                (Some(Spoilt::Late), _) => Attempt::Problem(Problem::BodyLate),
                (Some(Spoilt::Malformed), _) => Attempt::Problem(Problem::BadBody),
                (None, Some(how)) => {
                    if let (Refused::GoneAway, Some(share)) = (how, &share) {
                        share.retire();
                    }
                    drop(share);
                    if how == Refused::Stream || !reused {
                        Box::pin(waiting.pause()).await;
                    }
                    Attempt::Failed(Failure::NotSent)
                }
                (None, None) => match unreadable(&error) {
                    Some(Unreadable::TooLarge) => Attempt::Problem(Problem::AnswerTooLarge),
                    Some(Unreadable::Malformed) => Attempt::Problem(Problem::BadAnswer),
                    None => Attempt::Failed(Failure::Broken { reused }),
                },
            };
        }
    };
    target.took(address, began.elapsed());
    if response.status() == StatusCode::MISDIRECTED_REQUEST
        && let Some(seen) = response.headers().get(EPOCH)
    {
        // Only a node that knows of epochs speaks of its term; any other 421 is an answer like
        // others.
        let seen = seen.to_str().ok().and_then(|seen| seen.parse::<u64>().ok());
        if seen.is_some_and(|seen| seen >= target.seal.epoch.get()) {
            shared.board.mark_over(target);
        }
        return Attempt::Failed(Failure::Misdirected);
    }
    // If repeating does no harm, the next leader is asked. Otherwise this answer says that the
    // request may have been carried out.
    if response.headers().contains_key(TERM_ENDED) && route.may_repeat(job.tape.kept()) {
        shared.board.mark_over(target);
        return Attempt::Failed(Failure::Ended);
    }
    let is_unready = response.status() == StatusCode::SERVICE_UNAVAILABLE;
    if is_unready && shared.options.waits_until_ready && route.may_wait(job.tape.kept()) {
        return Attempt::Failed(Failure::Unready);
    }
    Attempt::Answered(Answered {
        response,
        sender,
        address,
        share,
        target: Arc::clone(target),
    })
}

/// What no connection means for the request, and for others.
fn missing(shared: &Arc<Shared>, target: &Arc<Target>, spoken: Spoken, missed: &Missed) -> Attempt {
    tracing::debug!(epoch = %target.seal.epoch, error = %missed, "no connection to the leader; the request waits or is refused");
    let is_away = match missed {
        Missed::Unreachable(_) => true,
        // It may be HTTP/2 alone that does not work, which is no matter to those who do without.
        Missed::Unclear(_) => spoken.is_all(),
        Missed::NotReady => false,
        Missed::NoHttp2 => return Attempt::Unsent(Problem::NoHttp2),
        Missed::Late => return Attempt::Unsent(Problem::Unreachable),
        // The leader is well; it is here that there is no room.
        Missed::Full | Missed::Exhausted(_) => return Attempt::Unsent(Problem::TooBusy),
    };
    if is_away {
        shared
            .board
            .mark_away(target, &shared.connector, spoken.always);
    }
    Attempt::Failed(Failure::NotSent)
}

impl Waiting {
    /// A connection, waited for as long as a request may be held; as long as trying each address
    /// once takes in any case. Not waited for once somebody else leads.
    async fn connection(
        &mut self,
        shared: &Shared,
        target: &Arc<Target>,
        http2: bool,
        wanted: Wanted,
        report: &Report,
    ) -> Result<Connection, Missed> {
        let times = &shared.options.times;
        let addresses = u32::try_from(target.addresses.len()).unwrap_or(u32::MAX);
        let longest = times.hold.max(times.connect.saturating_mul(addresses));
        let left = longest.saturating_sub(self.connecting);
        let left = times
            .total
            .map_or(left, |total| left.min(total.saturating_sub(report.at())));
        if left.is_zero() {
            return Err(Missed::Late);
        }
        let began = Instant::now();
        let found = tokio::select! {
            biased;
            found = target.connection(&shared.connector, http2, wanted, began + left) => found,
            () = shared.board.overtaken(target.seal) => Err(Missed::NotReady),
            () = shared.closing() => Err(Missed::Late),
        };
        self.connecting += began.elapsed();
        found
    }

    async fn pause(&mut self) {
        self.connecting += REFUSED_PAUSE;
        sleep(REFUSED_PAUSE).await;
    }
}

impl Spoken {
    fn to(target: &Target, options: UpstreamHttp, asked: &Asked) -> Self {
        let said = &target.addresses[0];
        let always = said.http2 || options == UpstreamHttp::Http2;
        let as_needed = options == UpstreamHttp::AsNeeded && asked.http2;
        Self {
            http2: always || as_needed,
            always,
        }
    }

    /// Whether what does not work for this request works for none.
    fn is_all(self) -> bool {
        self.always || !self.http2
    }
}

/// Waits for the head of the answer, and gives it up when that makes no sense any longer.
async fn watch(
    shared: &Arc<Shared>,
    job: &Job<'_>,
    target: &Target,
    answer: impl Future<Output = Result<Response<Incoming>, TrySendError<Request<Playback>>>>,
    route: &Route,
    report: &Report,
) -> Result<Response<Incoming>, Unanswered> {
    let mut answer = pin!(answer);
    let mut look = job.client.timer(LOOK);
    let times = &shared.options.times;
    let (mut whole, mut overtaken): (Option<Instant>, Option<Instant>) = (None, None);
    // How much of the body was read when, at the last look at which that was more than before.
    let mut progress = (0, Instant::now());
    loop {
        tokio::select! {
            biased;
            answered = &mut answer => {
                job.client.leave(look);
                return answered.map_err(|mut error| match error.take_message() {
                    // Only what was never begun to be written is given back.
                    Some(_) => Unanswered::NotSent,
                    None => Unanswered::Broken(error.into_error()),
                });
            }
            () = look.as_mut() => {}
        }
        let now = Instant::now();
        look.as_mut().reset(now + LOOK);
        let waited = |since: &mut Option<Instant>| now.duration_since(*since.get_or_insert(now));
        if shared.is_closing() {
            return Err(Unanswered::GivenUp(Failure::Closing));
        }
        if shared.board.is_overtaken(target.seal) {
            let for_long = waited(&mut overtaken) >= times.overtaken;
            if for_long && route.may_repeat(job.tape.kept()) {
                return Err(Unanswered::GivenUp(Failure::Overtaken));
            }
        }
        let is_late = if job.tape.is_over() {
            waited(&mut whole) >= times.first_byte
        } else {
            // It is the leader that does not read, unless more of the body is waited for.
            let read = job.tape.read();
            if read != progress.0 || job.tape.is_awaited() {
                progress = (read, now);
            }
            now.duration_since(progress.1) >= times.first_byte
        };
        if is_late || times.total.is_some_and(|total| report.at() >= total) {
            return Err(Unanswered::GivenUp(Failure::Slow));
        }
    }
}

/// Passes an interim answer of the leader on to the client (RFC 9110, 15.2).
fn pass_interim(sender: &InterimSender, target: &Target, status: StatusCode, headers: &HeaderMap) {
    // The gateway itself answers a client that waits for this one.
    if status == StatusCode::CONTINUE {
        return;
    }
    let mut headers = headers.clone();
    if headers::response(&mut headers, &target.addresses, false).is_ok() {
        headers.remove(CONTENT_LENGTH);
        sender.send(status, &headers);
    }
}

impl Job<'_> {
    async fn request(
        &self,
        target: &Arc<Target>,
        address: usize,
        sender: &Sender,
    ) -> Request<Playback> {
        let authority = &*target.names[address];
        let tls = target.addresses[address].tls;
        let (http2, insertions) = match sender {
            Sender::Http1(connection) => (false, Some(connection.insertions.clone())),
            Sender::Http2(_) => (true, None),
        };
        let body = self.tape.play(insertions);
        // Else hyper drops the body of a GET without a length.
        let is_in_chunks = !http2 && !body.is_end_stream() && body.size_hint().exact().is_none();
        let mut request = Request::new(body);
        *request.method_mut() = self.parts.method.clone();
        let mut headers = self.parts.headers.clone();
        headers::for_node(
            &mut headers,
            &self.asked,
            target.seal.epoch,
            authority,
            http2,
        );
        if is_in_chunks {
            headers.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
        }
        *request.headers_mut() = headers;
        let mut uri = http::uri::Parts::default();
        uri.path_and_query = Some(self.path.clone());
        if http2 {
            *request.version_mut() = Version::HTTP_2;
            let host = self
                .asked
                .host
                .to_str()
                .ok()
                .filter(|host| !host.is_empty());
            let host = host.and_then(|host| host.parse().ok());
            uri.authority = host.or_else(|| authority.parse().ok());
            uri.scheme = Some(if tls { Scheme::HTTPS } else { Scheme::HTTP });
        }
        // What the client sent was a target; the parts of one are one.
        *request.uri_mut() = Uri::from_parts(uri).unwrap_or_default();
        if let Some(interim) = self.interim.as_ref().filter(|_| !http2) {
            let connection = poll_fn(|cx| Poll::Ready(cx.waker().clone())).await;
            let (sender, target) = (interim.sender(connection), Arc::clone(target));
            hyper::ext::on_informational(&mut request, move |answer| {
                pass_interim(&sender, &target, answer.status(), answer.headers());
            });
        }
        request
    }
}
