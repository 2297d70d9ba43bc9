//! When is the command ready to serve?

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use tokio::net::TcpStream;

use crate::args::RunArgs;
use crate::http;

/// How long one attempt may take.
const ATTEMPT: Duration = Duration::from_secs(2);

/// Waits until the command is ready: its URL answers with success, or all its endpoints accept
/// connections. At once if told so, or if there is nothing to ask.
pub(super) async fn ready(args: &RunArgs) {
    if args.ready_now {
        return;
    }
    match &args.ready {
        Some(url) => until(async || http::succeeds(url).await).await,
        None => {
            for (_, address) in &args.publish {
                let address =
                    http::host_and_port(address).expect("it was checked when it was parsed");
                until(async || TcpStream::connect(&address).await.is_ok()).await;
            }
        }
    }
}

/// Asks again and again, soon at first, so that a quick command is found ready quickly.
async fn until(mut attempt: impl AsyncFnMut() -> bool) {
    let pauses = ExponentialBuilder::new()
        .with_min_delay(Duration::from_millis(2))
        .with_factor(1.5);
    let mut pauses = pauses
        .with_max_delay(Duration::from_millis(250))
        .without_max_times()
        .build();
    while !tokio::time::timeout(ATTEMPT, attempt())
        .await
        .unwrap_or(false)
    {
        tokio::time::sleep(pauses.next().unwrap_or(ATTEMPT)).await;
    }
}
