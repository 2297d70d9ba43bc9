//! [`TaskSocket`]: HTTP on a Unix socket, for one task.

use std::convert::Infallible;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener as StdListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, JoinSet};
use tower_service::Service as _;

use super::TaskContract;
use super::routes::router;

/// Connections of one task at a time. A program has one or two for each of its threads that speak.
pub const MOST_CONNECTIONS: usize = 64;

/// The largest head of a request, in bytes.
pub const LARGEST_HEAD: usize = 16 * 1024;

/// How long the head of a request may take, and how long a connection may be idle.
pub const HEAD_TIME: Duration = Duration::from_secs(60);

/// How long not to accept after the system refused to.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// The socket of a task. Dropping it cuts its connections and removes it.
#[derive(Debug)]
pub(in super::super) struct TaskSocket {
    path: PathBuf,
    serving: JoinHandle<()>,
}

impl TaskSocket {
    /// Listens, and answers from now on. Must be called inside a Tokio runtime.
    pub(in super::super) fn open(contract: &Arc<TaskContract>) -> io::Result<Self> {
        let path = contract.contracts.sockets.next();
        let listener = StdListener::bind(&path)?;
        // Before it was bound nobody else could come here either: the directory is closed to them.
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
        listener.set_nonblocking(true)?;
        let listener = UnixListener::from_std(listener)?;
        let routes = router().with_state(Arc::clone(contract));
        let serving = tokio::spawn(tracing::Instrument::in_current_span(serve(
            listener, routes,
        )));
        Ok(Self { path, serving })
    }

    pub(in super::super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for TaskSocket {
    fn drop(&mut self) {
        self.serving.abort();
        // It goes with its directory otherwise.
        let _ = fs::remove_file(&self.path);
    }
}

async fn serve(listener: UnixListener, routes: Router) {
    let doors = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        // More wait in the queue of the system.
        let door = Arc::clone(&doors).acquire_owned();
        let door = door.await.expect("nobody closes it");
        match listener.accept().await {
            Ok((stream, _)) => {
                let routes = routes.clone();
                connections.spawn(async move {
                    speak(stream, routes).await;
                    drop(door);
                });
            }
            Err(error) => {
                tracing::debug!(%error, "cannot accept a connection of a task; retrying in 50 ms");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
        while connections.try_join_next().is_some() {}
    }
}

async fn speak(stream: UnixStream, routes: Router) {
    let service = service_fn(|request: Request<Incoming>| {
        let mut routes = routes.clone();
        let request = request.map(Body::new);
        async move {
            Ok::<_, Infallible>(
                routes
                    .call(request)
                    .await
                    .unwrap_or_else(|never| match never {}),
            )
        }
    });
    let mut builder = auto::Builder::new(TokioExecutor::new()).http1_only();
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        .max_buf_size(LARGEST_HEAD);
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    if let Err(error) = connection.await {
        tracing::debug!(%error, "a connection of a task ended early");
    }
}
