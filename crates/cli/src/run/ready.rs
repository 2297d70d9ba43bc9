//! Waits until the command is ready to serve.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use incumbent::backend::{Pace, jitter};
use tokio::net::TcpStream;

use super::args::RunArgs;
use crate::http;

/// Timeout of one attempt.
const ATTEMPT: Duration = Duration::from_secs(2);

/// The first pause between attempts is short, so that a quick command is found ready quickly.
const FIRST_PAUSE: Duration = Duration::from_millis(2);
const LONGEST_PAUSE: Duration = Duration::from_millis(250);

/// Waits until the command is ready: its URL answers with success, or all its endpoints accept
/// connections. Returns at once with `--ready-now`, or if there is nothing to ask.
///
/// `asked` says meanwhile which endpoint it waits for, as [`missing`] reads it.
pub(super) async fn ready(args: &RunArgs, asked: &AtomicUsize) {
    match &args.ready {
        _ if args.ready_now => {}
        Some(url) => until(async || http::succeeds(url).await).await,
        None => {
            for (at, (_, address)) in args.publish.iter().enumerate() {
                asked.store(at, Ordering::Relaxed);
                let address =
                    http::host_and_port(address).expect("it was checked when it was parsed");
                until(async || TcpStream::connect(&address).await.is_ok()).await;
            }
        }
    }
    asked.store(READY, Ordering::Relaxed);
}

/// Nothing is waited for any more.
const READY: usize = usize::MAX;

/// What the command was waited for in vain.
pub(super) fn missing(args: &RunArgs, asked: &AtomicUsize) -> String {
    let asked = asked.load(Ordering::Relaxed);
    match (&args.ready, args.publish.get(asked)) {
        (Some(url), _) if asked != READY => format!("{url} has not answered with success"),
        (None, Some((name, address))) => {
            format!("nothing accepts connections at its endpoint {name}, {address}")
        }
        _ => "the store has not taken its endpoints".into(),
    }
}

/// Repeats the attempt until it succeeds.
async fn until(mut attempt: impl AsyncFnMut() -> bool) {
    let mut pauses = Pace::new(FIRST_PAUSE, LONGEST_PAUSE);
    while !tokio::time::timeout(ATTEMPT, attempt())
        .await
        .unwrap_or(false)
    {
        tokio::time::sleep(pauses.after_failure(jitter())).await;
    }
}
