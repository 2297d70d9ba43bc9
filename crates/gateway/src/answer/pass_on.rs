//! The answer of the leader, on its way to the client.

use std::sync::Arc;

use http::{Response, StatusCode, Version};
use http_body::Body as _;
use hyper::upgrade::OnUpgrade;

use crate::answer::body::{Answer, Back, Passed, Silence, Trailers};
use crate::answer::ending::Ending;
use crate::answer::tunnel::{self, Tunnels};
use crate::answer::whole::Whole;
use crate::decide::problem::Problem;
use crate::headers::{self, UnknownCoding};
use crate::leader::attempt::{Answered, Job};
use crate::leader::connection::Sender;
use crate::request::report::Report;
use crate::shared::Shared;
use crate::stream;

/// Makes the answer of the leader the client's. From here on the request is not sent again.
pub(crate) fn pass_on(
    shared: &Arc<Shared>,
    job: &Job<'_>,
    (answered, whole): (Answered, Option<Whole>),
    mut report: Box<Report>,
    (client, tunnels): (Option<OnUpgrade>, Tunnels),
) -> Response<Answer> {
    let Answered {
        mut response,
        sender,
        address,
        share,
        target,
    } = answered;
    job.tape.forget();
    // Over HTTP/1.1 it would not have been read.
    if headers::size(response.headers()) > stream::BUFFER {
        return Answer::problem(Problem::AnswerTooLarge, Some(report));
    }
    let own = &target.addresses;
    report.status = response.status();
    report.answered_by = Some((target.seal.epoch, Arc::clone(&target.names[address])));
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        let Some(client) = client.filter(|_| job.asked.upgrade) else {
            return Answer::problem(Problem::BadAnswer, Some(report));
        };
        if headers::response(response.headers_mut(), own, true) == Err(UnknownCoding) {
            return Answer::problem(Problem::BadAnswer, Some(report));
        }
        let node = hyper::upgrade::on(&mut response);
        let tunnel = tunnel::run(Arc::clone(shared), client, node, target.seal);
        tunnels.take(Box::pin(tunnel));
        return response.map(|_| Answer::upgraded(report));
    }
    if headers::response(response.headers_mut(), own, false) == Err(UnknownCoding) {
        tracing::debug!("the leader's answer has a transfer coding other than chunked");
        return Answer::problem(Problem::BadAnswer, Some(report));
    }
    *response.version_mut() = Version::HTTP_11;
    if let Some(whole) = whole {
        if let Sender::Http1(sender) = sender {
            target.give_back(sender, address);
        }
        return response.map(|_| Answer::whole(whole, report));
    }
    let is_endless = response.body().size_hint().exact().is_none();
    let ending = Ending::new(shared, target.seal, is_endless, report.at());
    let back = match sender {
        Sender::Http1(connection) => Some(Back {
            connection,
            address,
            target,
        }),
        Sender::Http2(_) => None,
    };
    let trailers = match (job.parts.version, &job.client.insertions) {
        (Version::HTTP_2, _) | (Version::HTTP_11, None) => Trailers::Passed,
        // Without a length, the body goes in chunks.
        (Version::HTTP_11, Some(insertions)) if is_endless && job.asked.trailers => {
            Trailers::Inserted(insertions.clone())
        }
        _ => Trailers::Dropped,
    };
    let silence = shared.options.times.silence.map(Silence::new);
    response.map(|body| {
        let passed = Passed {
            body,
            back,
            _share: share,
            silence,
            ending,
            trailers,
        };
        Answer::passed(passed, report)
    })
}
