//! The feed of hints: one watch for all groups, regardless of the number of listeners.

use std::sync::Arc;
use std::time::Duration;

use incumbent_backend::hints::Hints;
use incumbent_backend::{GroupName, Hint, Pace, WatchStream, causes, jitter};
use tokio::time::{Instant, sleep, timeout};
use tonic::Status;

use crate::link::Link;
use crate::links::Links;
use crate::message::{DELETE, WATCH, WatchCreateRequest, WatchRequest, WatchResponse};
use crate::names::{self, Range, State};
use crate::outcome::{self, Then, Why};
use crate::wire::{Answers, Token};

/// Pause before creating a watch again that the server refused or ended.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Hints about a group, from now on.
pub(crate) fn watch(hints: &Arc<Hints>, links: &Arc<Links>, group: &GroupName) -> WatchStream {
    let listener = hints.listen(group, || {
        let watcher = Watcher {
            links: Arc::clone(links),
            hints: Arc::clone(hints),
        };
        Some(tokio::spawn(watcher.follow()).abort_handle())
    });
    listener.into_stream()
}

/// Watches all keys below the base.
struct Watcher {
    links: Arc<Links>,
    hints: Arc<Hints>,
}

impl Watcher {
    /// Watches on one connection after the other. Each watch begins at the present, with a hint
    /// that anything may have changed, so a compaction cannot prevent it from starting.
    async fn follow(self) {
        let mut pace = Pace::new(FIRST_PAUSE, LONGEST_PAUSE);
        loop {
            let link = match self.links.link(&self.links.call()).await {
                Ok(link) => link,
                // The next attempt to connect has a pause of its own.
                Err(error) => {
                    tracing::debug!(
                        error = causes(&error),
                        "no connection to watch on; retrying"
                    );
                    continue;
                }
            };
            let begun = Instant::now();
            let ended = tokio::select! {
                biased;
                () = self.links.lost(link.number) => continue,
                ended = self.follow_on(&link) => ended,
            };
            let why = match ended {
                Ended::Canceled(why) => why,
                Ended::Failed(status) => {
                    let judged = outcome::judge(&status);
                    if judged.then == Then::Leave && self.links.has_others() {
                        self.links.leave(&link, &judged.why);
                    }
                    judged.why
                }
            };
            let pause = pace.after_run(begun.elapsed(), jitter());
            tracing::debug!(%why, "the watch ended; watching again in {pause:.1?}");
            sleep(pause).await;
        }
    }

    /// Watches until the watch ends, and returns why it ended.
    async fn follow_on(&self, link: &Link) -> Ended {
        let base = &self.links.settings.base;
        let range = Range::of_base(base);
        let create = WatchCreateRequest {
            key: range.from,
            range_end: range.until,
            fragment: true,
        };
        let request = WatchRequest {
            create: Some(create),
        };
        let token = link.token();
        let answers = link.wire.follow(WATCH, token.clone(), request).await;
        let mut answers: Answers<WatchResponse> = match answers {
            Ok(answers) => answers,
            Err(status) => return self.failed(link, token.as_ref(), status).await,
        };
        loop {
            match answers.next().await {
                // A refusal also has `created` set.
                Ok(Some(answer)) if answer.canceled => {
                    // The server does not always report whether the token was the reason.
                    self.log_in_again(link, token.as_ref()).await;
                    return Ended::Canceled(canceled(&answer));
                }
                Ok(Some(answer)) if answer.created => self.hints.tell_all(),
                Ok(Some(answer)) => self.understand(base, &answer),
                Ok(None) => return Ended::Canceled(Why::new("the server ended it")),
                Err(status) => return self.failed(link, token.as_ref(), status).await,
            }
        }
    }

    async fn failed(&self, link: &Link, token: Option<&Token>, status: Status) -> Ended {
        if outcome::judge(&status).then == Then::LogIn {
            self.log_in_again(link, token).await;
        }
        Ended::Failed(status)
    }

    /// Ignores the result: the next attempt shows whether it succeeded.
    async fn log_in_again(&self, link: &Link, token: Option<&Token>) {
        if let Some(login) = self.links.settings.hosts.login() {
            let renewed = link.log_in_again(login, token);
            let _ = timeout(self.links.settings.timeout, renewed).await;
        }
    }

    fn understand(&self, base: &str, answer: &WatchResponse) {
        for event in &answer.events {
            let Some(kv) = &event.kv else { continue };
            // A name that is not a valid key does not belong to us.
            let Some(key) = names::key_of(base, &kv.key) else {
                continue;
            };
            let state = State::of(answer.header.as_ref(), kv.mod_revision);
            let group = key.group().clone();
            let hint = Hint {
                key: Some(key),
                // A removed key has no version.
                version: (event.kind != DELETE).then(|| state.version()),
            };
            self.hints.tell(&group, hint);
        }
    }
}

/// How a watch ended.
enum Ended {
    /// The server ended it.
    Canceled(Why),
    /// The connection failed.
    Failed(Status),
}

fn canceled(answer: &WatchResponse) -> Why {
    Why::new(match answer.compact_revision {
        0 => format!("the server ended it: {}", answer.cancel_reason),
        compacted => format!("the server has forgotten what was before revision {compacted}"),
    })
}
