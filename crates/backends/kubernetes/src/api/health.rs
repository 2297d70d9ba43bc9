//! Logs the loss and the return of the API server: one line each, not one for each request that
//! fails.

use incumbent_backend::causes;
use incumbent_backend::outage::{News, Outage, Recovery};
use tracing::{debug, info, warn};

use crate::api::operation::Operation;
use crate::api::reply::Reply;

/// Reads and writes apart: a server may answer reads while it can write nothing.
#[derive(Default)]
pub(crate) struct Health {
    reads: Outage,
    writes: Outage,
}

impl Health {
    pub(crate) fn note(&self, operation: &Operation<'_>, reply: &Reply) {
        let is_write = operation.verb.is_write();
        let (outage, what) = if is_write {
            (&self.writes, "writes")
        } else {
            (&self.reads, "reads")
        };
        let (server, namespace) = (operation.server, operation.namespace);
        let Some(why) = trouble(reply) else {
            if let Recovery::Over { failures } = outage.worked() {
                info!(
                    server,
                    namespace, failures, "{what} through the Kubernetes API server work again"
                );
            }
            return;
        };
        match outage.failed(&why) {
            News::Began => {
                let resource = operation.resource.plural;
                warn!(%why, server, resource, namespace, "{what} through the Kubernetes API server fail; retrying");
            }
            News::OtherReason | News::Known => {
                debug!(%why, server, namespace, "{what} through the Kubernetes API server still fail");
            }
        }
    }
}

/// What is wrong with the server or the way to it; `None` if it answered, if only to refuse.
fn trouble(reply: &Reply) -> Option<String> {
    match reply {
        Reply::Unsent(cause) | Reply::Unanswered(cause) | Reply::Torn(cause) => {
            Some(causes(&**cause))
        }
        Reply::Answer(answer) if answer.is_trouble() => Some(format!(
            "the answer was {}: {}",
            answer.status, answer.message
        )),
        Reply::Answer(_) => None,
    }
}
