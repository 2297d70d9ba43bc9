//! Who can reach the records API: the user of the command, and nobody else.
//!
//! The Unix socket lies in a directory that only the user can enter, and the kernel names the user
//! of each connection. On TCP every request needs a token, because any user of the machine can
//! connect to loopback.

use std::ffi::OsString;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::header::AUTHORIZATION;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::serve::Listener;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};
use tokio::net::{TcpListener, UnixListener, UnixStream};

use super::desk::Desk;
use super::handlers;
use super::problem::Problem;
use super::variables::{SOCKET, TOKEN, URL};
use crate::exit::Failure;
use crate::run::args::RecordsApi;

/// Prefix of the names of the directories for sockets.
const DIRECTORY: &str = "incumbent-records-api-";

/// The name of the socket.
const FILE: &str = "records.sock";

/// The server of a command. It ends when this is dropped.
pub(crate) struct Server {
    /// Variables for the command.
    pub(crate) env: Vec<(OsString, OsString)>,
    task: tokio::task::JoinHandle<()>,
    /// The directory of the socket goes with it.
    _directory: Option<tempfile::TempDir>,
}

/// Accepts connections of the same user, and of root.
struct SameUser {
    listener: UnixListener,
    user: u32,
}

impl Server {
    /// Starts to serve; `None` if that is switched off.
    pub(crate) fn start(desk: &Arc<Desk>, how: RecordsApi) -> Result<Option<Self>, Failure> {
        let failed =
            |cause: std::io::Error| Failure::new("the records API cannot listen").because(cause);
        match how {
            RecordsApi::Off => Ok(None),
            RecordsApi::Unix => unix(desk).map(Some).map_err(failed),
            RecordsApi::Tcp => tcp(desk).map(Some).map_err(failed),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn unix(desk: &Arc<Desk>) -> std::io::Result<Server> {
    let parent = std::env::var_os("XDG_RUNTIME_DIR").filter(|path| Path::new(path).is_dir());
    let parent = parent.map_or_else(std::env::temp_dir, Into::into);
    remove_leftovers(&parent);
    let directory = tempfile::Builder::new()
        .prefix(DIRECTORY)
        .permissions(std::fs::Permissions::from_mode(0o700))
        .tempdir_in(&parent)?;
    let path = directory.path().join(FILE);
    let listener = UnixListener::bind(&path).map_err(|error| {
        let advice = "set TMPDIR or XDG_RUNTIME_DIR to another directory, or use --records tcp";
        let text = format!("{}: {error}; {advice}", path.display());
        std::io::Error::new(error.kind(), text)
    })?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
    let listener = SameUser {
        listener,
        user: rustix::process::geteuid().as_raw(),
    };
    let task = serve(listener, handlers::routes(Arc::clone(desk)));
    Ok(Server {
        env: vec![(SOCKET.into(), path.into())],
        task,
        _directory: Some(directory),
    })
}

fn tcp(desk: &Arc<Desk>) -> std::io::Result<Server> {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0))?;
    listener.set_nonblocking(true)?;
    let url = format!("http://{}", listener.local_addr()?);
    let token = format!("{:032x}", rand::random::<u128>());
    let expected: Arc<str> = format!("Bearer {token}").into();
    let routes = handlers::routes(Arc::clone(desk)).layer(axum::middleware::from_fn(
        move |request: Request, next: Next| guarded(Arc::clone(&expected), request, next),
    ));
    let task = serve(TcpListener::from_std(listener)?, routes);
    Ok(Server {
        env: vec![(URL.into(), url.into()), (TOKEN.into(), token.into())],
        task,
        _directory: None,
    })
}

fn serve<L>(listener: L, routes: Router) -> tokio::task::JoinHandle<()>
where
    L: Listener,
    L::Addr: std::fmt::Debug,
{
    tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, routes).await {
            tracing::error!(%error, "the records API has ended; the command can no longer read or write records");
        }
    })
}

async fn guarded(expected: Arc<str>, request: Request, next: Next) -> Response {
    let given = request
        .headers()
        .get(AUTHORIZATION)
        .map_or(&[][..], |value| value.as_bytes());
    if same(given, expected.as_bytes()) {
        next.run(request).await
    } else {
        Problem::unauthorized(&format!("${TOKEN}")).into_response()
    }
}

/// Compares in a time that does not depend on the place of the first difference.
pub(crate) fn same(given: &[u8], expected: &[u8]) -> bool {
    let differences = given
        .iter()
        .zip(expected)
        .fold(0, |all, (a, b)| all | (a ^ b));
    given.len() == expected.len() && differences == 0
}

impl Listener for SameUser {
    type Io = UnixStream;
    type Addr = tokio::net::unix::SocketAddr;

    async fn accept(&mut self) -> (UnixStream, Self::Addr) {
        loop {
            let (stream, address) = Listener::accept(&mut self.listener).await;
            match stream.peer_cred() {
                Ok(peer) if peer.uid() == self.user || peer.uid() == 0 => return (stream, address),
                Ok(peer) => tracing::warn!(
                    user = peer.uid(),
                    "refused a connection to the records API: it belongs to another user"
                ),
                Err(error) => {
                    tracing::warn!(%error, "refused a connection to the records API: its user cannot be determined")
                }
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}

/// A younger directory is left alone: the process that has made it may be about to listen.
const SETTLED: Duration = Duration::from_mins(1);

/// Removes directories that killed processes have left behind: made by this program, with nothing
/// but a socket on which nobody listens.
fn remove_leftovers(parent: &Path) {
    let Ok(entries) = std::fs::read_dir(parent) else {
        return;
    };
    for entry in entries.flatten() {
        let named = entry
            .file_name()
            .to_str()
            .is_some_and(|name| name.starts_with(DIRECTORY));
        let socket = entry.path().join(FILE);
        if named && is_ours_and_settled(&entry.path()) && is_deserted(&socket) {
            // This fails if the directory has anything else.
            let _ = std::fs::remove_file(&socket).and_then(|()| std::fs::remove_dir(entry.path()));
        }
    }
}

/// Any user can make directories with such names here, and links to those of others.
fn is_ours_and_settled(directory: &Path) -> bool {
    let Ok(metadata) = std::fs::symlink_metadata(directory) else {
        return false;
    };
    metadata.is_dir()
        && metadata.uid() == rustix::process::geteuid().as_raw()
        && metadata
            .modified()
            .is_ok_and(|at| at.elapsed().is_ok_and(|age| age >= SETTLED))
}

/// Whether nobody listens on the socket. Does not wait if its queue is full.
fn is_deserted(socket: &Path) -> bool {
    let is_socket =
        std::fs::symlink_metadata(socket).is_ok_and(|metadata| metadata.file_type().is_socket());
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let refused = || {
        let address = SocketAddrUnix::new(socket)?;
        let client = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
        connect(client, &address)
    };
    is_socket && refused() == Err(Errno::CONNREFUSED)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;
    use std::path::PathBuf;

    use super::*;

    fn make(parent: &Path, name: &str) -> (PathBuf, UnixListener) {
        let directory = parent.join(format!("{DIRECTORY}{name}"));
        std::fs::create_dir(&directory).unwrap();
        let listener = UnixListener::bind(directory.join(FILE)).unwrap();
        (directory, listener)
    }

    fn age(directory: &Path) {
        let directory = std::fs::File::open(directory).unwrap();
        directory.set_modified(std::time::UNIX_EPOCH).unwrap();
    }

    /// One that nobody listens on, old enough to be removed.
    fn leftover(parent: &Path, name: &str) -> PathBuf {
        let (directory, _) = make(parent, name);
        age(&directory);
        directory
    }

    #[test]
    fn what_is_deserted_and_old_is_removed_and_nothing_else() {
        let parent = tempfile::tempdir().unwrap();
        let old = leftover(parent.path(), "old");
        let (young, _) = make(parent.path(), "young");
        let (used, _listener) = make(parent.path(), "used");
        age(&used);
        let more = leftover(parent.path(), "more");
        std::fs::write(more.join("another file"), "").unwrap();
        age(&more);
        let file = parent.path().join(format!("{DIRECTORY}file"));
        std::fs::create_dir(&file).unwrap();
        std::fs::write(file.join(FILE), "no socket").unwrap();
        age(&file);
        remove_leftovers(parent.path());
        assert!(!old.exists());
        assert!(young.join(FILE).exists() && used.join(FILE).exists());
        assert!(more.join("another file").exists() && file.join(FILE).exists());
    }

    #[test]
    fn a_full_queue_is_not_waited_for() {
        let parent = tempfile::tempdir().unwrap();
        let directory = parent.path().join(format!("{DIRECTORY}full"));
        std::fs::create_dir(&directory).unwrap();
        let address = SocketAddrUnix::new(directory.join(FILE)).unwrap();
        let new = || {
            let flags = SocketFlags::NONBLOCK;
            socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None).unwrap()
        };
        let server = new();
        rustix::net::bind(&server, &address).unwrap();
        rustix::net::listen(&server, 0).unwrap();
        let mut clients = Vec::new();
        let full = (0..100).find_map(|_| {
            clients.push(new());
            connect(clients.last()?, &address).err()
        });
        assert_eq!(full, Some(Errno::AGAIN));
        age(&directory);
        remove_leftovers(parent.path());
        assert!(directory.join(FILE).exists());
    }

    #[test]
    fn links_and_directories_of_others_are_left_alone() {
        let (parent, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let target = leftover(elsewhere.path(), "target");
        symlink(&target, parent.path().join(format!("{DIRECTORY}link"))).unwrap();
        remove_leftovers(parent.path());
        assert!(target.join(FILE).exists());

        let others = leftover(parent.path(), "others");
        if std::os::unix::fs::chown(&others, Some(12345), None).is_err() {
            eprintln!("skipped: only root can make a directory of another user");
            return;
        }
        remove_leftovers(parent.path());
        assert!(others.join(FILE).exists());
    }
}
