//! Hints: one watch of all groups, however many listen.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::{StreamExt, stream};
use incumbent_backend::{GroupName, Hint, WatchStream};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tonic::Status;

use crate::link::Link;
use crate::links::Links;
use crate::message::{DELETE, WATCH, WatchCreateRequest, WatchRequest, WatchResponse};
use crate::names::{self, Range, State};
use crate::outcome::{self, Then, Why};
use crate::wire::{Answers, Token};

/// Hints kept for a listener that is slow. If it lags further behind, it is told that anything may
/// have changed.
const KEPT_HINTS: usize = 1024;

/// Before a watch is tried again that the server refused, or ended.
const PAUSE: Duration = Duration::from_secs(1);

/// Who listens, and the task that tells them.
#[derive(Default)]
pub(crate) struct Watches {
    running: Mutex<Option<Running>>,
}

struct Running {
    hints: broadcast::Sender<Hint>,
    task: JoinHandle<()>,
}

impl Watches {
    /// Hints about a group, from now on.
    pub(crate) fn watch(watches: &Arc<Self>, links: &Arc<Links>, group: &GroupName) -> WatchStream {
        let hints = Self::listen(watches, links);
        let group = group.clone();
        stream::unfold((hints, group), |(mut hints, group)| async {
            loop {
                let hint = match hints.recv().await {
                    Ok(hint) => hint,
                    Err(RecvError::Lagged(_)) => Hint::anything(),
                    // The task went with its runtime. Hints may fall silent, but the stream does
                    // not end.
                    Err(RecvError::Closed) => std::future::pending().await,
                };
                if hint.key.as_ref().is_none_or(|key| *key.group() == group) {
                    return Some((hint, (hints, group)));
                }
            }
        })
        .boxed()
    }

    fn listen(watches: &Arc<Self>, links: &Arc<Links>) -> broadcast::Receiver<Hint> {
        let mut running = watches.running();
        // It is over if the runtime of whoever began it is.
        if let Some(running) = running
            .as_ref()
            .filter(|running| !running.task.is_finished())
        {
            return running.hints.subscribe();
        }
        let (hints, receiver) = broadcast::channel(KEPT_HINTS);
        let watcher = Watcher {
            links: Arc::clone(links),
            hints: hints.clone(),
            watches: Arc::clone(watches),
        };
        let task = tokio::spawn(watcher.run());
        *running = Some(Running { hints, task });
        receiver
    }

    /// Forgets the task if nobody listens to it. Whether that is so.
    fn forget(&self, hints: &broadcast::Sender<Hint>) -> bool {
        let mut running = self.running();
        let alone = hints.receiver_count() == 0;
        if alone {
            *running = None;
        }
        alone
    }

    fn running(&self) -> MutexGuard<'_, Option<Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Watches all that is below the base.
struct Watcher {
    links: Arc<Links>,
    hints: broadcast::Sender<Hint>,
    watches: Arc<Watches>,
}

impl Watcher {
    async fn run(self) {
        loop {
            tokio::select! {
                biased;
                () = self.hints.closed() => {
                    if self.watches.forget(&self.hints) {
                        return;
                    }
                }
                () = self.follow() => {}
            }
        }
    }

    /// Watches on one connection after the other. Each watch begins with a hint that anything may
    /// have changed, and from the present on: so no compaction is in the way of its beginning.
    async fn follow(&self) {
        loop {
            let link = match self.links.link(&self.links.call()).await {
                Ok(link) => link,
                // The next attempt begins with a pause of its own.
                Err(error) => {
                    tracing::debug!(%error, "no connection to watch on");
                    continue;
                }
            };
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
            tracing::debug!(%why, "the watch ended");
            sleep(PAUSE).await;
        }
    }

    /// Watches until that ends, and why it did.
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
                // A refusal says that it was created, too.
                Ok(Some(answer)) if answer.canceled => {
                    // It does not always say whether the token was the reason.
                    self.log_in_again(link, token.as_ref()).await;
                    return Ended::Canceled(canceled(&answer));
                }
                Ok(Some(answer)) if answer.created => self.tell(Hint::anything()),
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

    /// Whether it succeeds shows in the next attempt.
    async fn log_in_again(&self, link: &Link, token: Option<&Token>) {
        if let Some(login) = self.links.settings.hosts.login() {
            let renewed = link.log_in_again(login, token);
            let _ = timeout(self.links.settings.timeout, renewed).await;
        }
    }

    fn understand(&self, base: &str, answer: &WatchResponse) {
        for event in &answer.events {
            let Some(kv) = &event.kv else { continue };
            // What is no key's is not ours.
            let Some(key) = names::key_of(base, &kv.key) else {
                continue;
            };
            let state = State::of(answer.header.as_ref(), kv.mod_revision);
            self.tell(Hint {
                key: Some(key),
                // What was removed has none.
                version: (event.kind != DELETE).then(|| state.version()),
            });
        }
    }

    fn tell(&self, hint: Hint) {
        // Nobody may listen just now.
        let _ = self.hints.send(hint);
    }
}

/// How a watch ended.
enum Ended {
    /// By the word of the server.
    Canceled(Why),
    /// Otherwise.
    Failed(Status),
}

fn canceled(answer: &WatchResponse) -> Why {
    Why::new(match answer.compact_revision {
        0 => format!("the server ended it: {}", answer.cancel_reason),
        compacted => format!("the server has forgotten what was before revision {compacted}"),
    })
}
