//! The server: listens, and gives every connection its task.

mod accept;
mod admission;
mod connection;
mod end;
mod greeting;
mod hub;
mod hub_sink;
mod meters;
mod monitor;
mod once;
mod options;
mod outbound;
mod peer;
mod stats;
mod ticker;
mod words;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use incumbent_journal::{AppendError, Failure, Found, Journal, OpenError, Recovered};
use incumbent_tls::Reloading;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tracing::{info, warn};

use crate::machine::{self, Entry, Machine};
use accept::accept;
use admission::Admission;
use hub::Hub;
pub use monitor::{Monitor, Report};
pub use options::Options;

/// A server that listens and does not serve yet.
pub struct Server {
    hub: Arc<Hub>,
    listeners: Vec<TcpListener>,
    tls: Option<(TcpListener, Reloading<rustls::ServerConfig>)>,
}

/// Why a server cannot begin.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The server cannot listen at this address, for example because it is in use.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The error of the system.
        #[source]
        cause: io::Error,
    },
    /// The files for TLS cannot be used.
    #[error("cannot use TLS")]
    Tls(#[from] incumbent_tls::TlsError),
    /// The directory cannot be used. The cause says why, and what to do.
    #[error("cannot serve from {}", .dir.display())]
    Directory {
        /// The directory.
        dir: PathBuf,
        /// Why.
        #[source]
        cause: OpenError,
    },
}

/// Why a server ended by itself. Everything it acknowledged is durable.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The log cannot be written any more.
    #[error("cannot write to {}; the server stopped and acknowledged nothing after that: start it again when the disk works", .dir.display())]
    Journal {
        /// The directory.
        dir: PathBuf,
        /// Why.
        #[source]
        cause: Failure,
    },
    /// The log refused a change: a bug.
    #[error("cannot log a change in {}; the server stopped and acknowledged nothing after that: start it again, and report this bug", .dir.display())]
    Log {
        /// The directory.
        dir: PathBuf,
        /// The error of the log.
        #[source]
        cause: AppendError,
    },
}

impl Server {
    /// Reads the data directory, and listens.
    ///
    /// Must be called inside a Tokio runtime.
    ///
    /// # Errors
    ///
    /// [`StartError`].
    pub async fn bind(mut options: Options) -> Result<Self, StartError> {
        #[expect(
            clippy::disallowed_methods,
            reason = "the beginning of the server's time"
        )]
        let started = Instant::now();
        options.fit();
        let (machine, journal) = match options.data_dir.clone() {
            None => {
                options.machine.forgetful = true;
                let machine = Machine::new(options.machine.clone(), first_zxid());
                (machine, None)
            }
            Some(dir) => {
                options.machine.forgetful = false;
                let opening = options.clone();
                let opened = tokio::task::spawn_blocking(move || open(&opening, &dir)).await;
                let (machine, journal) =
                    opened.expect("opening does not panic, and is not aborted")?;
                (machine, Some(journal))
            }
        };
        let mut listeners = Vec::new();
        for address in &mut options.listen {
            let listener = listen(*address).await?;
            *address = listener.local_addr().unwrap_or(*address);
            listeners.push(listener);
        }
        let mut tls = None;
        if let Some((address, files)) = &mut options.tls {
            let listener = listen(*address).await?;
            *address = listener.local_addr().unwrap_or(*address);
            tls = Some((listener, files.clone().reloading(&[])?));
        }
        Ok(Self {
            hub: Arc::new(Hub::new(options, machine, journal, started)),
            listeners,
            tls,
        })
    }

    /// The addresses without TLS.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.hub.options.listen
    }

    /// The address with TLS.
    pub fn tls_address(&self) -> Option<SocketAddr> {
        self.hub.options.tls.as_ref().map(|(address, _)| *address)
    }

    /// A handle to ask how the server is, also while it runs.
    pub fn monitor(&self) -> Monitor {
        Monitor(Arc::clone(&self.hub))
    }

    /// Serves until `shutdown` is done, or until the log fails.
    ///
    /// With a directory, everything acknowledged is durable when this returns, and sessions stay: a
    /// client that comes back in time continues.
    ///
    /// # Errors
    ///
    /// [`ServeError`].
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> Result<(), ServeError> {
        let Self {
            hub,
            listeners,
            tls,
        } = self;
        hub.start();
        let admission = Arc::new(Admission::default());
        let mut tasks = JoinSet::new();
        for listener in listeners {
            let (hub, admission) = (Arc::clone(&hub), Arc::clone(&admission));
            tasks.spawn(accept(hub, admission, listener, None));
        }
        if let Some((listener, config)) = tls {
            let (hub, admission) = (Arc::clone(&hub), Arc::clone(&admission));
            let followed = config.clone();
            tasks.spawn(async move { followed.follow().await });
            tasks.spawn(accept(hub, admission, listener, Some(config)));
        }
        let mut durable = hub.durable();
        let (failing, failed) = oneshot::channel();
        // A task of its own: every sync wakes it, and the task that runs this may be on a thread
        // that sleeps.
        tasks.spawn(async move {
            let failure = match durable.wait_for(|durable| durable.failure.is_some()).await {
                Ok(durable) => durable.failure.clone(),
                // The journal was dropped without a failure.
                Err(_) => None,
            };
            if let Some(failure) = failure {
                // The receiver is gone if the server has ended already.
                let _ = failing.send(failure);
            }
        });
        let dir = || hub.options.data_dir.clone().unwrap_or_default();
        let ended = tokio::select! {
            biased;
            () = shutdown => Ok(()),
            Ok(cause) = failed => Err(ServeError::Journal { dir: dir(), cause }),
            cause = hub.broken() => Err(match cause {
                AppendError::Failed(cause) => ServeError::Journal { dir: dir(), cause },
                cause => ServeError::Log { dir: dir(), cause },
            }),
            () = hub.ticker() => Ok(()),
        };
        // Connections end first: nothing is acknowledged after this.
        tasks.shutdown().await;
        if let Some(journal) = hub.journal() {
            let flushed = journal.clone().close().await;
            if let (Ok(()), Err(cause)) = (&ended, flushed) {
                warn!(%cause, "the last changes are not on the disk; none of them was acknowledged");
            }
        }
        ended
    }
}

async fn listen(address: SocketAddr) -> Result<TcpListener, StartError> {
    TcpListener::bind(address)
        .await
        .map_err(|cause| StartError::Listen { address, cause })
}

/// Reads the directory.
fn open(options: &Options, dir: &Path) -> Result<(Machine, Journal), StartError> {
    let mut machine = Machine::new(options.machine.clone(), 0);
    let recovered = Journal::open(dir, options.journal.clone(), |found| {
        match found {
            Found::Snapshot { bytes, .. } => machine.restore(bytes)?,
            Found::Entry { bytes, .. } => machine.apply(Entry::read(bytes)?)?,
        }
        Ok(())
    });
    let Recovered { journal, .. } = recovered.map_err(|cause| StartError::Directory {
        dir: dir.to_owned(),
        cause,
    })?;
    let summary = machine.summary();
    let (nodes, sessions) = (summary.nodes, summary.sessions);
    let zxid = format!("0x{:x}", summary.zxid);
    info!(dir = %dir.display(), nodes, sessions, zxid, "read the data directory");
    Ok((machine, journal))
}

/// The first zxid of a server without a directory: by the clock, above all that earlier servers
/// gave out. If the clock was set back, the server follows clients that have seen more.
fn first_zxid() -> i64 {
    #[expect(
        clippy::disallowed_methods,
        reason = "a good guess is enough: see above"
    )]
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let micros = since.map_or(0, |since| since.as_micros());
    machine::zxid_at(i64::try_from(micros).unwrap_or(i64::MAX))
}
