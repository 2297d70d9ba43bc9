//! Shows that a holder lives, with an ephemeral node that vanishes with the session.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use incumbent_backend::{Gone, GroupName, Nonce, Presence};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use zookeeper_client::{Client, CreateMode, Error, EventType, OneshotWatcher};

use crate::link::Link;
use crate::names;
use crate::session::{Session, connection, lost};
use crate::settings::Settings;

/// How long a node that was seen to vanish may stay away before its holder counts as gone. A living
/// holder that lost its session notices within a few round trips.
const AWAY: Duration = Duration::from_millis(250);

/// The same limit for a node that was gone when our connection came back. The interruption may have
/// hit its holder too, which then needs a new session and tries at least once a second.
const AWAY_TOGETHER: Duration = Duration::from_secs(2);

/// The least time to keep retrying the removal of a node that is no longer wanted. The node
/// vanishes with the session in any case.
const REMOVAL: Duration = Duration::from_secs(10);

/// How often an obstacle is removed without a pause: a missing parent, or a node of an earlier
/// session.
const ATTEMPTS: usize = 3;

/// Pause before retrying a refused request.
const PAUSE: Duration = Duration::from_secs(1);

/// Shows that the holder lives, if the address wants that.
pub(crate) fn appear(session: &Arc<Session>, group: &GroupName, nonce: Nonce) -> Option<Presence> {
    let settings = &session.settings;
    if !settings.presence {
        return None;
    }
    let (guard, dropped) = oneshot::channel();
    let shown = Shown {
        links: session.links.clone(),
        settings: Arc::clone(settings),
        parent: names::present_node(&settings.base, group),
        node: names::holder_node(&settings.base, group, nonce),
    };
    session.runtime.spawn(shown.run(dropped));
    Some(Presence::new(guard))
}

/// Resolves when the holder was seen and is now gone.
pub(crate) fn vanished(
    session: &Arc<Session>,
    group: &GroupName,
    nonce: Nonce,
) -> BoxFuture<'static, Gone> {
    if !session.settings.presence {
        return Box::pin(std::future::pending());
    }
    let session = Arc::clone(session);
    let node = names::holder_node(&session.settings.base, group, nonce);
    Box::pin(async move {
        // Like every watch, it runs on the session's thread. It ends with this future.
        let mut task = JoinSet::new();
        task.spawn_on(see_vanish(session.links.clone(), node), &session.runtime);
        if !matches!(task.join_next().await, Some(Ok(()))) {
            std::future::pending::<()>().await;
        }
        Gone::Unseen
    })
}

/// A node that exists until its guard is dropped.
struct Shown {
    links: watch::Receiver<Link>,
    settings: Arc<Settings>,
    parent: String,
    node: String,
}

impl Shown {
    async fn run(mut self, mut dropped: oneshot::Receiver<Infallible>) {
        tokio::select! {
            biased;
            _ = &mut dropped => {}
            () = self.show() => {}
        }
        let patience = REMOVAL.max(self.settings.session_timeout);
        let _ = timeout(patience, self.remove()).await;
    }

    /// Creates or checks the node on each connection, because the session may be a new one.
    async fn show(&mut self) {
        loop {
            let (client, number) = connection(&mut self.links).await;
            while let Err(error) = self.put(&client).await {
                tracing::debug!(node = self.node, %error, "cannot show that the leader lives; retrying in {PAUSE:?}");
                tokio::select! {
                    () = lost(&mut self.links, number) => break,
                    () = sleep(PAUSE) => {}
                }
            }
            lost(&mut self.links, number).await;
        }
    }

    async fn put(&self, client: &Client) -> Result<(), Error> {
        let ephemeral = self.settings.creation(CreateMode::Ephemeral);
        let mut last = Error::NoNode;
        for _ in 0..ATTEMPTS {
            last = match client.create(&self.node, b"", &ephemeral).await {
                Ok(_) => return Ok(()),
                Err(Error::NodeExists) => match client.check_stat(&self.node).await? {
                    Some(stat) if stat.ephemeral_owner == client.session_id().0 => return Ok(()),
                    // A node of an earlier session, which is over or soon will be. The transaction
                    // replaces it, so no observer sees it gone in between.
                    Some(_) => {
                        let mut multi = client.new_multi_writer();
                        multi.add_delete(&self.node, None)?;
                        multi.add_create(&self.node, b"", &ephemeral)?;
                        match multi.commit().await {
                            Ok(_) => return Ok(()),
                            Err(error) => error.into(),
                        }
                    }
                    None => Error::NodeExists,
                },
                Err(Error::NoNode) => {
                    let persistent = self.settings.creation(CreateMode::Persistent);
                    client.mkdir(&self.parent, &persistent).await?;
                    Error::NoNode
                }
                Err(error) => return Err(error),
            };
        }
        Err(last)
    }

    async fn remove(&mut self) {
        loop {
            let (client, number) = connection(&mut self.links).await;
            match client.delete(&self.node, None).await {
                Ok(()) | Err(Error::NoNode) => return,
                Err(error) => {
                    tracing::debug!(node = self.node, %error, "cannot remove the node of a leader; retrying in {PAUSE:?}")
                }
            }
            tokio::select! {
                () = lost(&mut self.links, number) => {}
                () = sleep(PAUSE) => {}
            }
        }
    }
}

async fn see_vanish(mut links: watch::Receiver<Link>, node: String) {
    let mut seen = false;
    loop {
        let (client, number) = connection(&mut links).await;
        tokio::select! {
            biased;
            () = lost(&mut links, number) => {}
            looked = look(&client, &node, &mut seen) => match looked {
                Ok(()) => return,
                Err(error) => {
                    tracing::debug!(node, %error, "cannot watch the leader's node; retrying in {PAUSE:?}");
                    sleep(PAUSE).await;
                }
            }
        }
    }
}

/// Watches on one connection until the node, once seen on this or an earlier connection, is gone.
async fn look(client: &Client, node: &str, seen: &mut bool) -> Result<(), Error> {
    let mut away = AWAY_TOGETHER;
    loop {
        let (found, watcher) = client.check_and_watch_stat(node).await?;
        if found.is_some() {
            *seen = true;
            away = AWAY;
        }
        if found.is_some() || !*seen {
            changed(watcher).await?;
            continue;
        }
        tokio::select! {
            biased;
            again = changed(watcher) => {
                again?;
                continue;
            }
            () = sleep(away) => {}
        }
        // `sync` puts the check after everything that the servers know by now, and its answer
        // proves that the connection works.
        client.sync(node).await?;
        if client.check_stat(node).await?.is_none() {
            return Ok(());
        }
    }
}

async fn changed(watcher: OneshotWatcher) -> Result<(), Error> {
    match watcher.changed().await.event_type {
        EventType::Session => Err(Error::SessionExpired),
        _ => Ok(()),
    }
}
