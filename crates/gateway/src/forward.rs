//! One request, from its head to the head of its answer: performs what [`crate::decide::route`] decides.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http::header::{AUTHORIZATION, CONTENT_LENGTH};
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderMap, Request, Response, Version};
use hyper::upgrade::OnUpgrade;

use crate::answer::body::Answer;
use crate::answer::pass_on::pass_on;
use crate::answer::tunnel::Tunnels;
use crate::decide::problem::Problem;
use crate::decide::repeat;
use crate::decide::route::{Failure, Route, Step};
use crate::headers::{self, Asked, Hop};
use crate::hold::{self, Place};
use crate::leader::attempt::{Answered, Attempt, Job, Waiting, attempt};
use crate::request::client::Client;
use crate::request::report::Report;
use crate::request::tape::{Source, Tape};
use crate::shared::Shared;
use crate::stream::insertions::Insertions;

/// Passes a request on, and its answer back. The problem is the answer if there is no other.
pub(crate) async fn forward(
    shared: &Arc<Shared>,
    mut request: Request<Source>,
    client: &Client,
    tunnels: Tunnels,
) -> Response<Answer> {
    let upgrade = request.extensions_mut().remove::<OnUpgrade>();
    let (mut parts, body) = request.into_parts();
    let mut report = Report::begin(&parts, &client.peer);
    let (path, asked) = match check(shared, &mut parts, client) {
        Ok(found) => found,
        Err(problem) => return Answer::problem(problem, Some(report)),
    };
    if let Some(files) = &shared.options.files {
        let plain = Request::from_parts(parts.clone(), ());
        if let Some(found) = files.find(&plain) {
            return Answer::own(found, report).await;
        }
    }
    let Ok(share) = Arc::clone(&shared.requests).try_acquire_owned() else {
        return Answer::problem(Problem::TooBusy, Some(report));
    };
    report.share = Some(share);
    let tape = Tape::new(body, &shared.allowance);
    report.tape = Some(tape.clone());
    let insertions = client.insertions.as_ref();
    let insertions = insertions.filter(|_| parts.version == Version::HTTP_11);
    let job = Job {
        interim: insertions.map(Insertions::expect_interim),
        client,
        parts,
        path,
        asked,
        tape,
    };
    let is_safe = repeat::is_safe(&job.parts.method, &job.parts.headers);
    let times = &shared.options.times;
    let longest_hold = times
        .total
        .map_or(times.hold, |total| total.min(times.hold));
    let mut route = Route::new(is_safe, longest_hold);
    let ended = deliver(shared, &job, &mut route, &mut report).await;
    report.attempts = route.sent() + u32::from(ended.is_ok());
    match ended {
        Ok(answered) => pass_on(shared, &job, answered, report, (upgrade, tunnels)),
        Err(problem) => Answer::problem(problem, Some(report)),
    }
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
) -> Result<Answered, Problem> {
    let mut waiting = Waiting::default();
    // Whether an earlier attempt may have been carried out.
    let mut may_be_done = false;
    loop {
        let changed = shared.board.changed();
        let mut changed = pin!(changed);
        // Before looking, so that no change is missed.
        let (sight, target) = shared.board.look();
        let at = match shared.is_closing() {
            // Nobody is waited for any longer.
            true => Duration::MAX,
            false => report.at(),
        };
        match route.next(at, sight) {
            Step::Refuse(refusal) => return Err(refusal.into()),
            Step::Hold { until } => {
                changed.as_mut().enable();
                // Once more, since it may have changed before that.
                if shared.board.look().0 != sight {
                    continue;
                }
                let longest = until.saturating_sub(report.at());
                if waiting.place.is_none() {
                    waiting.place = Some(Place::take(shared)?);
                }
                report.held += hold::wait(shared, changed, longest).await;
            }
            Step::Forward { seal, fresh } => {
                let target = target.expect("whoever can be asked is there");
                let attempt =
                    attempt(shared, job, &target, fresh, route, report, &mut waiting).await;
                let failure = match attempt {
                    Attempt::Answered(answered) => return Ok(answered),
                    // Whoever hears that it was not sent believes that nothing was done.
                    Attempt::Unsent(_) if may_be_done => return Err(Problem::Lost),
                    Attempt::Unsent(problem) | Attempt::Problem(problem) => return Err(problem),
                    Attempt::Failed(failure) => failure,
                };
                may_be_done |= matches!(
                    failure,
                    Failure::Broken { .. } | Failure::Overtaken | Failure::Ended
                );
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
    }
}
