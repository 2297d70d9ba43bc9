//! The answer of the leader, on its way to the client.

use std::future::pending;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use http::header::CONTENT_TYPE;
use http::{Response, StatusCode, Version};
use hyper::upgrade::OnUpgrade;
use incumbent::Seal;
use tokio::time::sleep;

use crate::access::Report;
use crate::answer::{Answer, Back, Passed, Silence};
use crate::attempt::{Answered, Job};
use crate::gateway::Shared;
use crate::headers;
use crate::problem::Problem;
use crate::target::Sender;
use crate::tunnel::{self, Tunnels};

/// Makes the answer of the leader the client's. From here on the request is not sent again.
pub(crate) fn pass_on(
    shared: &Arc<Shared>,
    job: &Job,
    answered: Answered,
    mut report: Report,
    (client, tunnels): (Option<OnUpgrade>, Tunnels),
) -> Response<Answer> {
    let Answered {
        mut response,
        sender,
        address,
        target,
    } = answered;
    job.tape.forget();
    let own = &target.addresses;
    report.status = response.status();
    report.answered_by = Some((target.seal.epoch, Arc::clone(&target.names[address])));
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        let Some(client) = client.filter(|_| job.asked.upgrade) else {
            return Answer::problem(Problem::BadAnswer, Some(report));
        };
        headers::response(response.headers_mut(), own, true);
        let node = hyper::upgrade::on(&mut response);
        let tunnel = tunnel::run(Arc::clone(shared), client, node, target.seal);
        tunnels.take(Box::pin(tunnel));
        return response.map(|_| Answer::upgraded(report));
    }
    headers::response(response.headers_mut(), own, false);
    let is_stream = response.headers().get(CONTENT_TYPE);
    let is_stream = is_stream.is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"));
    let end = end(shared, is_stream.then_some(target.seal), report.at());
    let back = match sender {
        Sender::Http1(sender) => Some(Back {
            sender,
            address,
            target,
        }),
        Sender::Http2(_) => None,
    };
    let silence = shared.options.times.silence.map(Silence::new);
    *response.version_mut() = Version::HTTP_11;
    response.map(|body| {
        let passed = Passed {
            body,
            back,
            silence,
            end,
        };
        Answer::passed(passed, report)
    })
}

/// What ends an answer early: the time for the whole request, and, for endless ones of the leader of a term, the next leader.
fn end(
    shared: &Arc<Shared>,
    endless: Option<Seal>,
    at: Duration,
) -> Option<Pin<Box<dyn Future<Output = ()> + Send>>> {
    let total = shared.options.times.total;
    if total.is_none() && endless.is_none() {
        return None;
    }
    let shared = Arc::clone(shared);
    Some(Box::pin(async move {
        let in_all = async {
            match total {
                Some(total) => sleep(total.saturating_sub(at)).await,
                None => pending().await,
            }
        };
        let outlived = async {
            match endless {
                Some(term) => shared.outlived(term).await,
                None => pending().await,
            }
        };
        tokio::select! {
            () = in_all => {}
            () = outlived => {}
        }
    }))
}
