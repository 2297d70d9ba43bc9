//! The endpoints of the command: published when it is ready, and withdrawn before a planned
//! hand-over.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use incumbent::EndpointName;
use tokio::time::error::Elapsed;

use super::args::RunArgs;
use super::ready::{missing, ready};
use super::records_api::Office;

/// Waits until the command is ready, publishes its endpoints, and activates the term. Says what the
/// command was waited for, if that takes longer than `--ready-timeout`.
pub(super) async fn publish(
    args: &RunArgs,
    office: &Office,
) -> Result<Result<(), incumbent::Error>, Elapsed> {
    let asked = AtomicUsize::new(0);
    let within = args.ready_timeout;
    let published = tokio::time::timeout(within, publish_ready(args, office, &asked)).await;
    if published.is_err() {
        tracing::warn!(
            "the command is not ready after {within:?}: {}; giving up the term; --ready-timeout lets it take longer",
            missing(args, &asked)
        );
    }
    published
}

async fn publish_ready(
    args: &RunArgs,
    office: &Office,
    asked: &AtomicUsize,
) -> Result<(), incumbent::Error> {
    ready(args, asked).await;
    let Ok(leadership) = office.leadership().await else {
        return Ok(());
    };
    for (name, addresses) in endpoints(args) {
        leadership.publish(name, &addresses.join(",")).await?;
    }
    leadership.activate().await
}

/// Withdraws the endpoints, and gives the command `--linger` to finish the requests it has. The
/// node leads until then.
///
/// # Cancel safety
///
/// Dropping the future ends the waiting; endpoints may be withdrawn or not.
pub(super) async fn withdraw(args: &RunArgs, office: &Office, patience: Duration) {
    if args.publish.is_empty() || args.linger.is_zero() {
        return;
    }
    let Ok(leadership) = office.leadership().await else {
        return;
    };
    let lost = leadership.lost();
    let withdrawn = async {
        for name in endpoints(args).into_keys() {
            if let Err(error) = leadership.withdraw(name).await {
                tracing::warn!(%error, endpoint = %name, "cannot withdraw an endpoint; ending the command although clients may still use it");
                return;
            }
        }
    };
    let drained = async {
        // What is not withdrawn by then stays published until the term ends.
        let _ = tokio::time::timeout(patience, withdrawn).await;
        tokio::time::sleep(args.linger).await;
    };
    tokio::select! {
        () = drained => {}
        _ = lost => {}
    }
}

/// The addresses of each endpoint, in the order of the command line.
fn endpoints(args: &RunArgs) -> BTreeMap<&EndpointName, Vec<&str>> {
    let mut endpoints = BTreeMap::<_, Vec<_>>::new();
    for (name, address) in &args.publish {
        endpoints.entry(name).or_default().push(address.as_str());
    }
    endpoints
}
