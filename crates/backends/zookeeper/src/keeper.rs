//! Connects, notices losses, and connects again.

use std::sync::Arc;
use std::time::Duration;

use incumbent_backend::hosts::Login;
use incumbent_backend::outage::{News, Outage, Recovery};
use incumbent_backend::{Pace, causes, jitter};
use tokio::sync::watch;
use tokio::time::Instant;
use tracing::{Dispatch, debug, dispatcher, info, warn};
use zookeeper_client::{Client, Error, SessionInfo, SessionState};

use crate::link::Link;
use crate::settings::Settings;
use crate::tasks::Tasks;

/// Pause between attempts. It is short enough that a server's restart costs no lease, and long
/// enough that many processes that lost the same server do not overload the next one.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// A connection that lasted this long counts as healthy, and the next one is made without a pause.
/// If it was lost sooner, it counts as a failed attempt: a server that accepts connections and
/// drops them must not be retried without pauses.
const HEALTHY: Duration = LONGEST_PAUSE;

/// Maintains a connection until no handle needs one.
///
/// When a client loses its connection, the keeper ends the client, and a new client continues the
/// session. The client's own retries become ever less frequent: after seven seconds of downtime, it
/// would find the server only after twelve.
pub(crate) struct Keeper {
    settings: Arc<Settings>,
    links: watch::Sender<Link>,
    /// How many connections have been made.
    number: u64,
    /// The session to continue, until the servers report that it is over.
    session: Option<SessionInfo>,
    /// The application's log. The session's thread has no log of its own.
    log: Dispatch,
    outage: Outage,
}

impl Keeper {
    pub(crate) fn new(settings: Arc<Settings>, links: watch::Sender<Link>, log: Dispatch) -> Self {
        Self {
            settings,
            links,
            number: 0,
            session: None,
            log,
            outage: Outage::new(),
        }
    }

    /// Runs until nobody holds the other end. Returns the client that must still be closed, if any.
    pub(crate) async fn run(mut self) -> Option<Client> {
        let mut pace = Pace::new(FIRST_PAUSE, LONGEST_PAUSE);
        loop {
            let connected = tokio::select! {
                biased;
                () = self.links.closed() => return None,
                connected = self.connect() => connected,
            };
            match connected {
                Ok((client, tasks)) => {
                    let begun = Instant::now();
                    self.session = Some(client.session().clone());
                    self.attend(&client).await;
                    if self.links.is_closed() {
                        return Some(client);
                    }
                    tasks.abort();
                    if begun.elapsed() >= HEALTHY {
                        // The next attempt follows without a pause.
                        pace.reset();
                    } else {
                        self.rest(pace.after_failure(jitter())).await;
                    }
                }
                // A new session is begun without a pause.
                Err(Error::SessionExpired) if self.session.take().is_some() => {}
                Err(trouble) => {
                    self.say_lost(&trouble);
                    self.links.send_modify(|link| link.trouble = Some(trouble));
                    self.rest(pace.after_failure(jitter())).await;
                }
            }
        }
    }

    /// Waits for the pause, or until no handle needs a connection.
    async fn rest(&self, pause: Duration) {
        tokio::select! {
            () = self.links.closed() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }

    /// Tries each server once.
    async fn connect(&self) -> Result<(Client, Tasks), Error> {
        let Settings {
            hosts,
            session_timeout,
            tls,
            ..
        } = &*self.settings;
        let mut connector = Client::connector()
            .with_session_timeout(*session_timeout)
            .with_fail_eagerly();
        if let Some(Login { user, password }) = hosts.login() {
            let credentials = format!("{user}:{password}");
            connector = connector.with_auth("digest", credentials.as_bytes());
        }
        if let Some(session) = &self.session {
            connector = connector.with_session(session.clone());
        }
        let tasks = Tasks::default();
        let servers = hosts.to_string();
        let client = match tls {
            Some(tls) => {
                let connector = connector.with_tls(tls.clone());
                tasks.of(connector.secure_connect(&servers)).await?
            }
            None => tasks.of(connector.connect(&servers)).await?,
        };
        assert!(!tasks.is_empty(), "a client's task is begun through asyncs");
        Ok((client, tasks))
    }

    /// Publishes this client until its connection is lost or no handle needs it.
    async fn attend(&mut self, client: &Client) {
        let mut states = client.state_watcher();
        let mut state = client.state();
        loop {
            match state {
                SessionState::SyncConnected | SessionState::ConnectedReadOnly => {
                    self.say_connected(client);
                    self.number += 1;
                    self.links.send_replace(Link {
                        client: Some(client.clone()),
                        number: self.number,
                        trouble: None,
                    });
                }
                SessionState::Disconnected => return self.lose(Error::ConnectionLoss),
                SessionState::Expired => return self.lose(Error::SessionExpired),
                SessionState::AuthFailed => return self.lose(Error::AuthFailed),
                SessionState::Closed => return self.lose(Error::ClientClosed),
            }
            state = tokio::select! {
                biased;
                () = self.links.closed() => return,
                state = states.changed() => state,
            };
        }
    }

    fn lose(&mut self, why: Error) {
        self.say_lost(&why);
        self.links.send_replace(Link {
            client: None,
            number: self.number,
            trouble: Some(why),
        });
    }

    fn say_lost(&self, why: &Error) {
        let (hosts, why) = (&self.settings.hosts, causes(why));
        dispatcher::with_default(&self.log, || match self.outage.failed(&why) {
            News::Began => {
                warn!(%hosts, why, "no connection to ZooKeeper; retrying until there is one");
            }
            News::OtherReason | News::Known => {
                debug!(%hosts, why, "still no connection to ZooKeeper");
            }
        });
    }

    fn say_connected(&self, client: &Client) {
        match self.outage.worked() {
            Recovery::First | Recovery::Over { .. } => {
                let (hosts, session) = (&self.settings.hosts, client.session_id());
                dispatcher::with_default(&self.log, || {
                    info!(%hosts, %session, "connected to ZooKeeper");
                });
            }
            // The loss was over before anything noticed it.
            Recovery::None => {}
        }
    }
}
