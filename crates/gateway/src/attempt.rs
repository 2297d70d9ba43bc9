//! One attempt to get an answer from the leader.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http::request::Parts;
use http::uri::{PathAndQuery, Scheme};
use http::{Request, Response, StatusCode, Uri, Version};
use hyper::body::Incoming;
use tokio::time::{Instant, sleep};

use crate::access::Report;
use crate::gateway::{Place, Shared};
use crate::headers::{self, Asked, EPOCH};
use crate::node::TERM_ENDED;
use crate::options::UpstreamHttp;
use crate::problem::Problem;
use crate::route::{Failure, Route};
use crate::tape::{Playback, Spoilt, Tape};
use crate::target::{Connection, Sender, Target, Wanted};

/// How often a request that waits for its answer looks whether that still makes sense. Its time-outs are that coarse.
const LOOK: Duration = Duration::from_millis(100);

/// A request, ready to be sent any number of times.
pub(crate) struct Job {
    pub(crate) parts: Parts,
    pub(crate) path: PathAndQuery,
    pub(crate) asked: Asked,
    pub(crate) tape: Tape,
}

/// What came of one attempt.
pub(crate) enum Attempt {
    Answered(Answered),
    /// No answer; perhaps another attempt brings one.
    Failed(Failure),
    /// No answer, and no further attempt will bring one.
    Problem(Problem),
}

/// The head of an answer, and the connection on which its body comes.
pub(crate) struct Answered {
    pub(crate) response: Response<Incoming>,
    pub(crate) sender: Sender,
    /// Which address of the target the connection leads to.
    pub(crate) address: usize,
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

/// Sends the request to the leader of this term once, and waits for the head of its answer. Gives the place of a held request
/// back when it is sent.
pub(crate) async fn attempt(
    shared: &Arc<Shared>,
    job: &Job,
    target: &Arc<Target>,
    fresh: bool,
    route: &Route,
    report: &Report,
    place: &mut Option<Place>,
) -> Attempt {
    let said = &target.addresses[0];
    let http2 = match shared.options.upstream_http {
        UpstreamHttp::Http1 => said.http2,
        UpstreamHttp::Http2 => true,
        UpstreamHttp::AsNeeded => said.http2 || job.asked.http2,
    };
    let wanted = match (fresh, route.is_safe()) {
        (true, _) => Wanted::New,
        (false, true) => Wanted::Any,
        (false, false) => Wanted::Recent,
    };
    let connection = match target.connection(&shared.connector, http2, wanted).await {
        Ok(connection) => connection,
        Err(error) => {
            tracing::debug!(epoch = %target.seal.epoch, %error, "the leader cannot be connected to");
            shared.board.is_away(target, &shared.connector, http2);
            return Attempt::Failed(Failure::NotSent);
        }
    };
    drop(place.take());
    let Connection {
        mut sender,
        address,
        reused,
    } = connection;
    let request = job.request(target, address, http2);
    let began = Instant::now();
    let sent = send(shared, job, target, &mut sender, request, route, report).await;
    let response = match sent {
        Ok(response) => response,
        Err(Unanswered::GivenUp(failure)) => return Attempt::Failed(failure),
        Err(Unanswered::NotSent) => {
            // Whoever closes new connections at once is not there, whatever the connection says.
            if !reused {
                shared.board.is_away(target, &shared.connector, http2);
            }
            return Attempt::Failed(Failure::NotSent);
        }
        Err(Unanswered::Broken(error)) => {
            return match job.tape.spoilt() {
                Some(Spoilt::TooLong) => Attempt::Problem(Problem::TooLarge),
                Some(Spoilt::Late) => Attempt::Problem(Problem::BodyLate),
                None if error.is_parse() => Attempt::Problem(Problem::BadAnswer),
                None => Attempt::Failed(Failure::Broken { reused }),
            };
        }
    };
    let upstream = Arc::clone(&target.names[address]);
    metrics::histogram!("incumbent_gateway_upstream_seconds", "upstream" => upstream)
        .record(began.elapsed());
    if response.status() == StatusCode::MISDIRECTED_REQUEST {
        // Only a node that knows of epochs can speak for all requests of this term; another may mean this one alone.
        let seen = response
            .headers()
            .get(EPOCH)
            .and_then(|epoch| epoch.to_str().ok()?.parse::<u64>().ok());
        if seen.is_some_and(|seen| seen >= target.seal.epoch.get()) {
            shared.board.is_over(target);
        }
        return Attempt::Failed(Failure::Misdirected);
    }
    // Whoever leads next is asked, if that does no harm; else its answer says that it may be done.
    if response.headers().contains_key(TERM_ENDED) && route.may_repeat(job.tape.kept()) {
        shared.board.is_over(target);
        return Attempt::Failed(Failure::Ended);
    }
    Attempt::Answered(Answered {
        response,
        sender,
        address,
        target: Arc::clone(target),
    })
}

async fn send(
    shared: &Arc<Shared>,
    job: &Job,
    target: &Target,
    sender: &mut Sender,
    request: Request<Playback>,
    route: &Route,
    report: &Report,
) -> Result<Response<Incoming>, Unanswered> {
    let answer = async {
        let answered = match sender {
            Sender::Http1(sender) => sender.try_send_request(request).await,
            Sender::Http2(sender) => sender.try_send_request(request).await,
        };
        answered.map_err(|mut error| match error.take_message() {
            // Only what was never begun to be written is given back.
            Some(_) => Unanswered::NotSent,
            None => Unanswered::Broken(error.into_error()),
        })
    };
    let mut answer = pin!(answer);
    let times = &shared.options.times;
    let (mut whole, mut overtaken): (Option<Instant>, Option<Instant>) = (None, None);
    loop {
        tokio::select! {
            biased;
            answered = &mut answer => return answered,
            () = sleep(LOOK) => {}
        }
        let now = Instant::now();
        let waited = |since: &mut Option<Instant>| now.duration_since(*since.get_or_insert(now));
        if shared.board.is_overtaken(target.seal) {
            let for_long = waited(&mut overtaken) >= times.overtaken;
            if for_long && route.may_repeat(job.tape.kept()) {
                return Err(Unanswered::GivenUp(Failure::Overtaken));
            }
        }
        if job.tape.is_over() && waited(&mut whole) >= times.first_byte {
            return Err(Unanswered::GivenUp(Failure::Slow));
        }
        if times.total.is_some_and(|total| report.at() >= total) {
            return Err(Unanswered::GivenUp(Failure::Slow));
        }
    }
}

impl Job {
    fn request(&self, target: &Target, address: usize, http2: bool) -> Request<Playback> {
        let authority = &*target.names[address];
        let tls = target.addresses[address].tls;
        let mut request = Request::new(self.tape.play());
        *request.method_mut() = self.parts.method.clone();
        let mut headers = self.parts.headers.clone();
        headers::for_node(
            &mut headers,
            &self.asked,
            target.seal.epoch,
            authority,
            http2,
        );
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
        request
    }
}
