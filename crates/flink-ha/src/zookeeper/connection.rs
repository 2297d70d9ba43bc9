//! One connection that logs little and leaves nothing behind.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};

use asyncs::task::{Spawn, Task, enter};
use incumbent_backend::hosts::Login;
use tokio::task::AbortHandle;
use tracing::instrument::WithSubscriber;
use tracing::{Dispatch, Level};
use zookeeper_client::{Client, Error, SessionState, TlsOptions};

use super::target::ZooKeeperTarget;

/// The target of the client library's log lines.
const CLIENT: &str = "zookeeper_client";

/// A client for as long as its connection lasts. Each has a session of its own. It creates no
/// nodes, so nothing depends on that session.
pub(crate) struct Connection {
    client: Client,
    tasks: Tasks,
}

impl Connection {
    /// Connects to the first server that accepts, trying each once.
    pub(crate) async fn to(
        target: &ZooKeeperTarget,
        tls: Option<&TlsOptions>,
    ) -> Result<Self, Error> {
        let mut connector = Client::connector()
            .with_session_timeout(target.session_timeout)
            .with_fail_eagerly();
        if let Some(Login { user, password }) = target.hosts.login() {
            let login = format!("{user}:{password}");
            connector = connector.with_auth("digest", login.as_bytes());
        }
        let hosts = target.hosts.to_string();
        let tasks = Tasks::default();
        let client = match tls {
            Some(tls) => {
                let connector = connector.with_tls(tls.clone());
                tasks.of(connector.secure_connect(&hosts)).await?
            }
            None => tasks.of(connector.connect(&hosts)).await?,
        };
        Ok(Self { client, tasks })
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// Waits until the connection is lost, and returns why.
    ///
    /// A caller that races it with a watch must poll this first, and the watch not at all once this
    /// has ended: the client panics in watches that outlive the connection.
    pub(crate) async fn lost(&self) -> Error {
        let mut states = self.client.state_watcher();
        let mut state = self.client.state();
        loop {
            match state {
                SessionState::SyncConnected | SessionState::ConnectedReadOnly => {}
                SessionState::Disconnected => return Error::ConnectionLoss,
                SessionState::Expired => return Error::SessionExpired,
                SessionState::AuthFailed => return Error::AuthFailed,
                SessionState::Closed => return Error::ClientClosed,
            }
            state = states.changed().await;
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // A connected client closes its session when it is dropped. A disconnected one would go on
        // looking for servers until its session times out.
        if self.client.state() != SessionState::SyncConnected {
            self.tasks.abort();
        }
    }
}

/// The tasks that a client has spawned.
#[derive(Clone, Default)]
struct Tasks {
    spawned: Arc<Mutex<Vec<AbortHandle>>>,
}

impl Tasks {
    /// Runs the future, and takes over the tasks that it spawns. The client library's log lines for
    /// each attempt are left out, except at level debug.
    async fn of<T>(&self, future: impl Future<Output = T>) -> T {
        let mut future = pin!(future);
        let future = poll_fn(|context| {
            let _scope = enter(self);
            future.as_mut().poll(context)
        });
        if is_quiet() {
            future.with_subscriber(Dispatch::none()).await
        } else {
            future.await
        }
    }

    fn abort(&self) {
        let spawned = self.spawned.lock().unwrap_or_else(PoisonError::into_inner);
        for task in spawned.iter() {
            task.abort();
        }
    }
}

impl Spawn for Tasks {
    fn spawn(&self, task: Task) {
        let future = Box::into_pin(task.future);
        let task = if is_quiet() {
            tokio::spawn(future.with_subscriber(Dispatch::none()))
        } else {
            tokio::spawn(future)
        };
        let mut spawned = self.spawned.lock().unwrap_or_else(PoisonError::into_inner);
        spawned.push(task.abort_handle());
    }
}

/// Whether the client library's log lines are left out.
fn is_quiet() -> bool {
    !tracing::enabled!(target: CLIENT, Level::DEBUG)
}
