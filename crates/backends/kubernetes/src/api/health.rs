//! Tells of the loss and the return of the API server: one line each, and not one for each request
//! that fails.

use std::sync::atomic::{AtomicBool, Ordering};

use tracing::{info, warn};

use crate::api::operation::Asked;
use crate::api::outcome::Verb;
use crate::api::reply::Reply;
use crate::error::chain;

#[derive(Default)]
pub(crate) struct Health {
    /// Apart: a server may answer reads while it can write nothing.
    reads_lost: AtomicBool,
    writes_lost: AtomicBool,
}

impl Health {
    pub(crate) fn note(&self, asked: &Asked<'_>, reply: &Reply) {
        let (lost, what) = match asked.verb {
            Verb::Get | Verb::List | Verb::Watch => (&self.reads_lost, "reads"),
            Verb::Create | Verb::Update | Verb::Delete => (&self.writes_lost, "writes"),
        };
        match trouble(reply) {
            Some(why) => {
                if !lost.swap(true, Ordering::Relaxed) {
                    let (resource, namespace) = (asked.resource.plural, asked.namespace);
                    let server = asked.server;
                    warn!(%why, server, resource, namespace, "no {what} through the Kubernetes API server; it is tried again and again");
                }
            }
            None => {
                if lost.swap(false, Ordering::Relaxed) {
                    info!(
                        namespace = asked.namespace,
                        "{what} go through the Kubernetes API server again"
                    );
                }
            }
        }
    }
}

/// What is wrong with the server or the way to it; nothing if it refused for a reason of its own.
fn trouble(reply: &Reply) -> Option<String> {
    match reply {
        Reply::Unsent(cause) | Reply::Unanswered(cause) | Reply::Torn(cause) => {
            Some(chain(&**cause))
        }
        Reply::Answer(answer) if answer.is_trouble() => Some(format!(
            "the answer was {}: {}",
            answer.status, answer.message
        )),
        Reply::Answer(_) => None,
    }
}
