//! One session with the servers, kept alive and replaced on a thread of its own.

use std::sync::{Arc, mpsc};
use std::time::Duration;

use tokio::runtime::{Builder, Handle};
use tokio::sync::watch;
use tokio::time::{Instant, timeout, timeout_at};
use tracing::{Dispatch, Level, dispatcher};
use zookeeper_client::{Client, CreateMode, CreateOptions, Error, SessionState};

use crate::error::ZooKeeperError;
use crate::keeper::Keeper;
use crate::link::Link;
use crate::settings::Settings;

/// The log target of the client library's own lines.
const CLIENT: &str = "zookeeper_client";

/// How long the thread stays to close the session. If it does not manage to, the session expires.
const FAREWELL: Duration = Duration::from_secs(1);

/// A session with the servers. It connects, and reconnects, in the background.
///
/// It has a thread of its own for two reasons. Heartbeats continue when the application's runtime
/// is blocked. And the client library's log lines, several for each attempt at any level, can be
/// kept out of the application's log.
pub(crate) struct Session {
    pub(crate) settings: Arc<Settings>,
    pub(crate) links: watch::Receiver<Link>,
    /// The runtime of the session's thread.
    pub(crate) runtime: Handle,
}

/// One call of the contract, with a limit to the time it takes.
pub(crate) struct Call {
    within: Duration,
    until: Instant,
}

impl Session {
    pub(crate) fn start(settings: Settings) -> Result<Self, ZooKeeperError> {
        let settings = Arc::new(settings);
        let (sender, links) = watch::channel(Link::default());
        let (started, runtime) = mpsc::channel();
        let log = dispatcher::get_default(Dispatch::clone);
        let keeper = Keeper::new(Arc::clone(&settings), sender, log);
        // If debug logging is enabled, the client's own lines are logged too.
        let quiet = !tracing::enabled!(target: CLIENT, Level::DEBUG);
        std::thread::Builder::new()
            .name("incumbent-zookeeper".into())
            .spawn(move || {
                let _quiet = quiet.then(|| dispatcher::set_default(&Dispatch::none()));
                let runtime = Builder::new_current_thread().enable_time().build();
                match runtime {
                    Ok(runtime) => {
                        let _ = started.send(Ok(runtime.handle().clone()));
                        if let Some(last) = runtime.block_on(keeper.run()) {
                            runtime.block_on(close(last));
                        }
                    }
                    Err(error) => {
                        let _ = started.send(Err(error));
                    }
                }
            })
            .map_err(ZooKeeperError::Thread)?;
        let runtime = runtime.recv().expect("the thread says how it started");
        Ok(Self {
            settings,
            links,
            runtime: runtime.map_err(ZooKeeperError::Thread)?,
        })
    }

    /// Begins a call: its time limit counts from now.
    pub(crate) fn call(&self) -> Call {
        // A connection that is silent for two fifths of the session timeout is given up. Half of
        // the timeout leaves room for one more attempt, so a dead server costs a call some time,
        // but usually not its answer.
        let within = self.settings.session_timeout / 2;
        Call {
            within,
            until: Instant::now() + within,
        }
    }

    /// Returns a connection, and waits for one until the call's time limit.
    pub(crate) async fn client(&self, call: &Call) -> Result<Client, ZooKeeperError> {
        let mut links = self.links.clone();
        let connected = async {
            loop {
                let client = links.borrow_and_update().client.clone();
                match client {
                    // The client would queue a request without a connection, and perhaps send it
                    // much later.
                    Some(client) if client.state() == SessionState::SyncConnected => return client,
                    _ if links.changed().await.is_ok() => {}
                    // The thread is gone. It ends only with the session, or by a panic.
                    _ => std::future::pending().await,
                }
            }
        };
        timeout_at(call.until, connected).await.map_err(|_| {
            let trouble = self.links.borrow().trouble.clone();
            ZooKeeperError::Disconnected {
                hosts: self.settings.hosts.to_string(),
                within: call.within,
                source: trouble.map(Into::into),
            }
        })
    }

    /// The options for creating the nodes of records.
    pub(crate) fn creation(&self) -> CreateOptions<'static> {
        self.settings.creation(CreateMode::Persistent)
    }
}

/// The present connection, or else the next one, with its number.
pub(crate) async fn connection(links: &mut watch::Receiver<Link>) -> (Client, u64) {
    if let Ok(link) = links.wait_for(|link| link.client.is_some()).await
        && let Some(client) = &link.client
    {
        return (client.clone(), link.number);
    }
    // The session is ending, and its tasks with it.
    std::future::pending().await
}

/// Resolves when the connection with this number is lost.
///
/// Code on the session's thread that races this with a watch of the connection must poll this
/// first. Then it never polls the watch after the loss. The client panics in watches that outlive
/// it.
pub(crate) async fn lost(links: &mut watch::Receiver<Link>, number: u64) {
    let gone = |link: &Link| link.client.is_none() || link.number != number;
    if links.wait_for(gone).await.is_err() {
        std::future::pending().await
    }
}

impl Call {
    /// Waits for the answer, until the call's time limit.
    pub(crate) async fn answer<T, E: From<Error>>(
        &self,
        asked: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        match timeout_at(self.until, asked).await {
            Ok(answer) => answer,
            Err(_) => Err(Error::Timeout.into()),
        }
    }
}

/// Lets the client close the session, so that the servers need not wait for it to expire.
async fn close(last: Client) {
    let mut states = last.state_watcher();
    drop(last);
    let closed = async { while !states.changed().await.is_terminated() {} };
    let _ = timeout(FAREWELL, closed).await;
}
