//! Waits for what was wanted of a job, and tells how far it is.

use std::process::ExitCode;

use hyper::Method;
use incumbent_cluster_core::view::JobView;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::find::{look, named, path};
use super::run::INTERRUPTED;
use super::wait::{INTERVAL, Outage};
use crate::cluster::client::{Ask, Client};
use crate::diagnostics::{is_terminal, say};
use crate::exit::Failure;

/// Ctrl-C, which ends the waiting and not what is waited for.
pub(super) struct Interrupt(Signal);

impl Interrupt {
    /// To be called first: a signal must not end this program without a word.
    pub(super) fn new() -> Result<Self, Failure> {
        match signal(SignalKind::interrupt()) {
            Ok(signal) => Ok(Self(signal)),
            Err(cause) => Err(Failure::new("cannot listen for signals").because(cause)),
        }
    }

    /// Waits for this; after Ctrl-C, says this and ends with 130.
    ///
    /// # Errors
    ///
    /// Those of what is waited for.
    pub(super) async fn or(
        &mut self,
        waiting: impl Future<Output = Result<ExitCode, Failure>>,
        goes_on: &str,
    ) -> Result<ExitCode, Failure> {
        tokio::select! {
            done = waiting => done,
            _ = self.0.recv() => {
                say(goes_on);
                Ok(ExitCode::from(INTERRUPTED))
            }
        }
    }
}

/// Says what is wanted of a job, and returns the answer once that is written down. It may be
/// repeated, so a leader that does not survive it costs time and nothing else.
///
/// # Errors
///
/// It is refused, or the cluster has not answered for five minutes.
pub(super) async fn want<T: DeserializeOwned>(
    client: &Client,
    job: &str,
    below: &str,
    wanted: &impl Serialize,
) -> Result<T, Failure> {
    let ask = Ask::new(Method::PUT, format!("{}/{below}", path(job))).json(wanted);
    let mut outage = Outage::new();
    loop {
        match client.json(&ask).await {
            Ok(answer) => return Ok(answer),
            Err(error) => outage.endure(error, |error| named(error, job)).await?,
        }
    }
}

/// Looks at a job until this says what came of it. What is told on the way is printed on a
/// terminal, each thing once.
///
/// # Errors
///
/// The job is gone, or the cluster has not answered for five minutes; or what came of it.
pub(super) async fn until<T>(
    client: &Client,
    job: &str,
    mut told: impl FnMut(&JobView) -> String,
    mut done: impl FnMut(&JobView) -> Option<Result<T, Failure>>,
) -> Result<T, Failure> {
    let (mut outage, mut steps) = (Outage::new(), Steps::default());
    loop {
        match look(client, job).await {
            Ok(view) => {
                outage.is_over();
                if let Some(done) = done(&view) {
                    return done;
                }
                steps.tell(told(&view));
                tokio::time::sleep(INTERVAL).await;
            }
            Err(error) => outage.endure(error, |error| named(error, job)).await?,
        }
    }
}

/// What was told last.
#[derive(Debug, Default)]
pub(super) struct Steps(String);

impl Steps {
    /// Tells a step, if it is a new one.
    pub(super) fn tell(&mut self, step: String) {
        // In a pipe, standard error is for errors.
        if step != self.0 && !step.is_empty() && is_terminal() {
            say(&step);
        }
        self.0 = step;
    }
}
