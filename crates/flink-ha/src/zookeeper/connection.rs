//! One connection, without noise, and without afterlife.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};

use asyncs::task::{Spawn, Task, enter};
use tokio::task::AbortHandle;
use tracing::instrument::WithSubscriber;
use tracing::{Dispatch, Level};
use zookeeper_client::{Client, Error, SessionState, TlsOptions};

use super::place::ZooKeeperPlace;

/// What the client library's lines are logged as.
const CLIENT: &str = "zookeeper_client";

/// A client, as long as its connection lasts. Each has a session of its own, on which nothing
/// hangs: nothing is ever created.
pub(crate) struct Connection {
    client: Client,
    tasks: Tasks,
}

impl Connection {
    /// Tries each server once.
    pub(crate) async fn to(
        place: &ZooKeeperPlace,
        tls: Option<&TlsOptions>,
    ) -> Result<Self, Error> {
        let mut connector = Client::connector()
            .with_session_timeout(place.session_timeout)
            .with_fail_eagerly();
        if let Some(login) = &place.login {
            connector = connector.with_auth("digest", login.as_bytes());
        }
        let tasks = Tasks::default();
        let client = match tls {
            Some(tls) => {
                let connector = connector.with_tls(tls.clone());
                tasks.of(connector.secure_connect(&place.hosts)).await?
            }
            None => tasks.of(connector.connect(&place.hosts)).await?,
        };
        Ok(Self { client, tasks })
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// Ends when the connection is lost, and why.
    ///
    /// Whoever races it with a watch polls it first, and not the watch afterwards: the client
    /// panics in watches that outlive it.
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
        // With a connection, the client says farewell when it is dropped. Without one, it would go
        // on to look for servers as long as its session may live.
        if self.client.state() != SessionState::SyncConnected {
            self.tasks.abort();
        }
    }
}

/// The tasks that a client began.
#[derive(Clone, Default)]
struct Tasks {
    begun: Arc<Mutex<Vec<AbortHandle>>>,
}

impl Tasks {
    /// Makes those its own that this future begins. What the client library logs about each attempt
    /// is only for whoever asks for details.
    async fn of<T>(&self, future: impl Future<Output = T>) -> T {
        let mut future = pin!(future);
        let future = poll_fn(|context| {
            let _scope = enter(self);
            future.as_mut().poll(context)
        });
        match quiet() {
            true => future.with_subscriber(Dispatch::none()).await,
            false => future.await,
        }
    }

    fn abort(&self) {
        let begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        for task in begun.iter() {
            task.abort();
        }
    }
}

impl Spawn for Tasks {
    fn spawn(&self, task: Task) {
        let future = Box::into_pin(task.future);
        let task = match quiet() {
            true => tokio::spawn(future.with_subscriber(Dispatch::none())),
            false => tokio::spawn(future),
        };
        let mut begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        begun.push(task.abort_handle());
    }
}

fn quiet() -> bool {
    !tracing::enabled!(target: CLIENT, Level::DEBUG)
}
