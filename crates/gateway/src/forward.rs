//! One request, from its head to the head of its answer: performs what [`crate::decide::route`]
//! decides.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::future::{Either, ready};
use http::header::{AUTHORIZATION, CONTENT_LENGTH};
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderMap, Request, Response, Version};
use hyper::upgrade::OnUpgrade;
use tokio::time::Instant;

use crate::answer::body::Answer;
use crate::answer::pass_on::pass_on;
use crate::answer::tunnel::Tunnels;
use crate::answer::whole::{self, Whole};
use crate::decide::problem::Problem;
use crate::decide::repeat;
use crate::decide::route::{Failure, Route, Sight, Step};
use crate::headers::{self, Asked, Hop};
use crate::hold::{self, HeldPlace};
use crate::leader::attempt::{Answered, Attempt, Job, Waiting, attempt};
use crate::request::client::Client;
use crate::request::report::Report;
use crate::request::tape::{Source, Tape};
use crate::shared::Shared;
use crate::stream::insertions::Insertions;

/// A request that may be sent.
struct Begun<'a> {
    job: Job<'a>,
    route: Route,
    report: Box<Report>,
    upgrade: Option<OnUpgrade>,
    tunnels: Tunnels,
}

/// Passes a request on, and its answer back. The problem is the answer if there is no other.
///
/// What can be done at once is done before the future is made. So the future holds only what it
/// needs later: its size counts, as one is made for each request.
pub(crate) fn forward<'a>(
    shared: &'a Arc<Shared>,
    request: Request<Source>,
    client: &'a Client,
    tunnels: Tunnels,
) -> impl Future<Output = Response<Answer>> + Send + 'a {
    match begin(shared, request, client, tunnels) {
        Ok(begun) => Either::Left(perform(shared, begun)),
        Err(answer) => Either::Right(ready(*answer)),
    }
}

async fn perform(shared: &Arc<Shared>, mut begun: Begun<'_>) -> Response<Answer> {
    // Used where it is: what is moved to a variable takes its room in the future twice.
    let ended = deliver(shared, &begun.job, &mut begun.route, &mut begun.report).await;
    begun.report.attempts = begun.route.sent() + u32::from(ended.is_ok());
    match ended {
        Ok(answered) => {
            let client = (begun.upgrade, begun.tunnels);
            pass_on(shared, &begun.job, answered, begun.report, client)
        }
        Err(problem) => Answer::problem(problem, Some(begun.report)),
    }
}

/// Looks at a request, and answers it if that needs nobody else.
fn begin<'a>(
    shared: &Arc<Shared>,
    mut request: Request<Source>,
    client: &'a Client,
    tunnels: Tunnels,
) -> Result<Begun<'a>, Box<Response<Answer>>> {
    let upgrade = request.extensions_mut().remove::<OnUpgrade>();
    let (mut parts, body) = request.into_parts();
    let mut report = Box::new(Report::begin(&parts, &client.peer));
    let (path, asked) = match check(shared, &mut parts, client) {
        Ok(found) => found,
        Err(problem) => return Err(Answer::problem(problem, Some(report)).into()),
    };
    if let Some(files) = &shared.options.files {
        let plain = Request::from_parts(parts.clone(), ());
        if let Some(found) = files.find(&plain) {
            return Err(Answer::own(found, report).into());
        }
    }
    let Ok(share) = Arc::clone(&shared.requests).try_acquire_owned() else {
        return Err(Answer::problem(Problem::TooBusy, Some(report)).into());
    };
    report.share = Some(share);
    let tape = Tape::new(body, &shared.allowance);
    report.tape = Some(tape.clone());
    let insertions = client.insertions.as_ref();
    let insertions = insertions.filter(|_| parts.version == Version::HTTP_11);
    let interim = insertions.map(Insertions::expect_interim);
    let is_safe = repeat::is_safe(&parts.method, &parts.headers);
    let times = &shared.options.times;
    let longest_hold = times
        .total
        .map_or(times.hold, |total| total.min(times.hold));
    Ok(Begun {
        job: Job {
            interim,
            client,
            parts,
            path,
            asked,
            tape,
        },
        route: Route::new(is_safe, longest_hold),
        report,
        upgrade,
        tunnels,
    })
}

/// What can be said before anybody is asked.
fn check(
    shared: &Shared,
    parts: &mut Parts,
    client: &Client,
) -> Result<(PathAndQuery, Asked), Problem> {
    if let Some(token) = &shared.options.token
        && !is_allowed(&parts.headers, token)
    {
        return Err(Problem::Unauthorized);
    }
    let longest = shared.options.limits.body.unwrap_or(u64::MAX);
    let length = parts.headers.get(CONTENT_LENGTH);
    let length = length.and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if length.is_some_and(|length| length > longest) {
        return Err(Problem::TooLarge);
    }
    // In HTTP/1.1 the library has seen to it. In HTTP/2 it reads more, so that this is logged.
    if headers::size(&parts.headers) > shared.options.limits.longest_head() {
        return Err(Problem::HeadTooLarge);
    }
    let hop = Hop {
        name: &shared.name,
        client,
        is_trusted: client.is_among(&shared.options.trusted),
        pass_certificate: shared.pass_certificate(),
        drop_authorization: shared.options.token.is_some(),
    };
    let asked = headers::request(parts, &hop)?;
    // Only the path of an absolute target counts: this is no open proxy.
    let path = parts.uri.path_and_query().cloned();
    Ok((path.ok_or(Problem::BadTarget)?, asked))
}

/// Whether the bearer token is the right one. Takes as long for a wrong one of the same length.
fn is_allowed(headers: &HeaderMap, token: &str) -> bool {
    use subtle::ConstantTimeEq as _;
    let Some(value) = headers.get(AUTHORIZATION) else {
        return false;
    };
    match value.as_bytes().split_at_checked(7) {
        Some((scheme, given)) if scheme.eq_ignore_ascii_case(b"bearer ") => {
            given.trim_ascii().ct_eq(token.as_bytes()).into()
        }
        Some(_) | None => false,
    }
}

/// Holds the request and sends it, until somebody has answered or there is nothing more to try.
async fn deliver(
    shared: &Arc<Shared>,
    job: &Job<'_>,
    route: &mut Route,
    report: &mut Report,
) -> Result<(Answered, Option<Whole>), Problem> {
    let mut waiting = Waiting::default();
    let mut pass = None;
    loop {
        let changed = shared.board.changed();
        let mut changed = pin!(changed);
        // Before looking, so that no change is missed.
        let (seen, target) = shared.board.look();
        let gate = target.as_ref().map(|target| &target.gate);
        let passed = pass.take().or_else(|| gate?.try_pass());
        let sight = match seen {
            Sight::Ready(seal) if passed.is_none() => Sight::Starting(seal),
            seen => seen,
        };
        let at = if shared.is_closing() {
            // Nothing is waited for any longer.
            Duration::MAX
        } else {
            report.at()
        };
        match route.next(at, sight) {
            Step::Refuse(refusal) => return Err(refusal.into()),
            Step::Hold { until } => {
                drop(passed);
                changed.as_mut().enable();
                // Once more, since it may have changed before that.
                if shared.board.look().0 != seen {
                    continue;
                }
                if waiting.place.is_none() {
                    waiting.place = Some(HeldPlace::take(shared)?);
                }
                let longest = until.saturating_sub(report.at());
                let began = Instant::now();
                let gate = gate.filter(|_| matches!(sight, Sight::Starting(_)));
                // Few requests wait, so the others need not have the room for it.
                pass = Box::pin(hold::wait(shared, changed, gate, longest)).await;
                report.held += began.elapsed();
            }
            Step::Forward { seal, fresh } => {
                let target = target.expect("a leader that can be asked is there");
                let attempt =
                    attempt(shared, job, &target, fresh, route, report, &mut waiting).await;
                let failure = match attempt {
                    Attempt::Answered(mut answered) => {
                        if let Some(passed) = passed {
                            passed.answered();
                        }
                        let Some(reserved) = whole::reserve(shared, job, answered.response.body())
                        else {
                            return Ok((answered, None));
                        };
                        let body = (seal, answered.response.body_mut());
                        match whole::read(shared, job, (route, report), body, reserved).await {
                            Ok(whole) => return Ok((answered, Some(whole))),
                            Err(failure) => failure,
                        }
                    }
                    Attempt::Unsent(problem) => return Err(route.unless_done(problem)),
                    Attempt::Problem(problem) => return Err(problem),
                    Attempt::Failed(failure) => failure,
                };
                let kept = job.tape.kept();
                metrics::counter!("incumbent_gateway_failed_total", "reason" => reason(failure))
                    .increment(1);
                tracing::debug!(epoch = %seal.epoch, ?failure, ?kept, "an attempt brought no answer");
                route.failed(report.at(), seal, failure, kept)?;
                if !matches!(
                    failure,
                    Failure::NotSent | Failure::Misdirected | Failure::Unready
                ) {
                    metrics::counter!("incumbent_gateway_repeated_total").increment(1);
                }
            }
        }
    }
}

fn reason(failure: Failure) -> &'static str {
    match failure {
        Failure::NotSent => "not-sent",
        Failure::Misdirected => "misdirected",
        Failure::Ended => "term-ended",
        Failure::Unready => "unready",
        Failure::Broken { .. } => "broken",
        Failure::Overtaken => "overtaken",
        Failure::Slow => "slow",
        Failure::Closing => "closing",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// It is copied into its place for each request.
    #[test]
    fn the_future_of_a_request_stays_small() {
        fn size<R>(
            _: impl FnOnce(&'static Arc<Shared>, Request<Source>, &'static Client, Tunnels) -> R,
        ) -> usize {
            size_of::<R>()
        }
        let size = size(forward);
        assert!(size <= 3200, "{size}");
    }
}
