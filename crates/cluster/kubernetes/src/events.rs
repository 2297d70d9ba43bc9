//! Events of pods: why one does not start whose status does not say.

use k8s_openapi::api::core::v1::Event;
use kube::Api;
use kube::api::ListParams;

use crate::calls::{Failed, sent};
use crate::status::{reason, shortened};

/// The newest warning about this pod, in the words of Kubernetes.
///
/// # Errors
///
/// [`Failed`].
pub(crate) async fn warning(
    events: &Api<Event>,
    name: &str,
    uid: &str,
) -> Result<Option<String>, Failed> {
    let of_pod = format!("involvedObject.kind=Pod,involvedObject.name={name}");
    let params = ListParams::default().fields(&of_pod);
    let found = sent(events.list(&params)).await?;
    let warnings = found.items.into_iter().filter(|event| {
        let is_it = event
            .involved_object
            .uid
            .as_deref()
            .is_none_or(|it| it == uid);
        is_it && event.type_.as_deref() == Some("Warning")
    });
    // Those of one moment are in the order in which they are listed.
    let newest = warnings.max_by_key(|event| {
        let at = event.last_timestamp.as_ref().map(|at| at.0);
        at.or_else(|| event.event_time.as_ref().map(|at| at.0))
    });
    let words = newest.and_then(|event| reason(event.reason.as_deref(), event.message.as_deref()));
    Ok(words.map(|words| shortened(&words)))
}
