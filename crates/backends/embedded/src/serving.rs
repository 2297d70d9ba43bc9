//! The server on its thread, and how other processes on this machine find it.

use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use incumbent_leader_server::{OpenError, Options, Server, StartError};
use tokio::sync::oneshot;

use crate::EmbeddedError;
use crate::settings::Settings;

/// The server of this process. It ends on drop.
pub(crate) struct Serving {
    file: PathBuf,
    stop: oneshot::Sender<()>,
}

impl Drop for Serving {
    fn drop(&mut self) {
        // The server may have ended by itself, and the file may belong to the process that serves
        // now.
        if self.stop.is_closed() {
            return;
        }
        // Remove the file before the server ends, so that no process finds it any more. If this
        // fails, they find that nothing listens there.
        let _ = fs::remove_file(&self.file);
    }
}

/// Where a client on this machine reaches the server.
pub(crate) struct Place(pub(crate) SocketAddr);

/// The file in the directory that holds the address of the server and the identity of its process.
/// The identity is needed because the address of a killed process may belong to another server by
/// now.
const ADDRESS: &str = "address";

/// How long to look for the server of a directory that is in use. The server may still be reading
/// its data.
const PATIENCE: Duration = Duration::from_secs(10);
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// Serves the directory, or finds the process that does.
pub(crate) async fn serve_or_find(
    settings: &Settings,
) -> Result<(Place, Option<Serving>), EmbeddedError> {
    let dir = &settings.dir;
    for _ in 0..PATIENCE.as_millis() / LOOK_AGAIN.as_millis() {
        match serve(settings.server()).await {
            Ok((place, serving)) => {
                let Place(address) = &place;
                tracing::info!(dir = %dir.display(), %address, "this process serves");
                return Ok((place, Some(serving)));
            }
            Err(EmbeddedError::Start(StartError::Directory {
                cause: OpenError::Locked { .. },
                ..
            })) => {}
            Err(EmbeddedError::Start(StartError::Listen { address, cause })) => {
                let dir = dir.clone();
                return Err(EmbeddedError::Listen {
                    address,
                    dir,
                    cause,
                });
            }
            Err(error) => return Err(error),
        }
        // The file may still describe an earlier server, until the present one has written it.
        if let Ok(place) = find(dir) {
            return Ok((place, None));
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    Err(EmbeddedError::Lost {
        dir: dir.clone(),
        waited: PATIENCE,
    })
}

/// Finds a server that listens at the address in the directory.
pub(crate) fn find(dir: &Path) -> Result<Place, EmbeddedError> {
    let nobody = || EmbeddedError::Nobody(dir.to_owned());
    let text = fs::read_to_string(dir.join(ADDRESS)).map_err(|_| nobody())?;
    let (address, process) = text.trim_end().split_once(' ').ok_or_else(nobody)?;
    let (pid, _) = process.split_once(' ').ok_or_else(nobody)?;
    if identity(pid).ok().as_deref() != Some(process) {
        return Err(nobody());
    }
    let address: SocketAddr = address.parse().map_err(|_| nobody())?;
    // On this machine, a refusal comes at once.
    TcpStream::connect_timeout(&address, LOOK_AGAIN).map_err(|_| nobody())?;
    Ok(Place(address))
}

async fn serve(options: Options) -> Result<(Place, Serving), EmbeddedError> {
    let file = options.data_dir.clone().unwrap_or_default().join(ADDRESS);
    let (begun, beginning) = oneshot::channel();
    let (stop, stopped) = oneshot::channel();
    let (building, built) = oneshot::channel();
    std::thread::Builder::new()
        .name("leader-server".into())
        .spawn(move || {
            let mut runtime = tokio::runtime::Builder::new_current_thread();
            match runtime.enable_all().build() {
                Ok(runtime) => {
                    drop(building);
                    runtime.block_on(run(options, begun, stopped));
                }
                // If nothing receives this, the caller has gone.
                Err(error) => drop(building.send(error)),
            }
        })
        .map_err(EmbeddedError::Thread)?;
    if let Ok(error) = built.await {
        return Err(EmbeddedError::Thread(error));
    }
    let place = beginning
        .await
        .map_err(|_| EmbeddedError::Thread(io::Error::other("the server's thread has ended")))??;
    Ok((place, Serving { file, stop }))
}

async fn run(
    options: Options,
    begun: oneshot::Sender<Result<Place, StartError>>,
    stopped: oneshot::Receiver<()>,
) {
    let dir = options.data_dir.clone().unwrap_or_default();
    let server = match Server::bind(options).await {
        Ok(server) => server,
        Err(error) => {
            // If nothing receives this, the caller has gone.
            let _ = begun.send(Err(error));
            return;
        }
    };
    let address = from_here(server.addresses()[0]);
    if let Err(error) = announce(&dir, address) {
        tracing::warn!(dir = %dir.display(), %error, "others on this machine will not find the server by its directory");
    }
    let _ = begun.send(Ok(Place(address)));
    let stop = async {
        // The sender is only ever dropped: it sends nothing.
        let _ = stopped.await;
    };
    if let Err(error) = server.run(stop).await {
        let cause = std::error::Error::source(&error).map(ToString::to_string);
        tracing::error!(%error, cause, "the leader server of this process has ended; its clients find no server until it is opened again");
    }
}

/// Writes the address of the server into the directory.
fn announce(dir: &Path, address: SocketAddr) -> io::Result<()> {
    let new = dir.join(format!("{ADDRESS}.new"));
    let process = identity(&std::process::id().to_string())?;
    fs::write(&new, format!("{address} {process}\n"))?;
    fs::rename(new, dir.join(ADDRESS))
}

/// The number of a process and the time it started: no other process ever has both.
fn identity(pid: &str) -> io::Result<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name, in parentheses, may contain any character. The start time is the twentieth field
    // after it.
    let start = stat
        .rsplit_once(')')
        .and_then(|(_, fields)| fields.split_whitespace().nth(19))
        .ok_or_else(|| io::Error::other("/proc is not as it should be"))?;
    Ok(format!("{pid} {start}"))
}

/// A server that listens on all interfaces is also reached by the loopback interface.
fn from_here(mut address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    address
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_stopped_serving_takes_nothing_from_who_serves_now() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join(ADDRESS);
        let serving = || {
            let (stop, stopped) = oneshot::channel();
            (
                Serving {
                    file: file.clone(),
                    stop,
                },
                stopped,
            )
        };
        announce(dir.path(), SocketAddr::from(([127, 0, 0, 1], 1))).unwrap();
        let (ended, stopped) = serving();
        drop(stopped);
        drop(ended);
        assert!(file.exists());
        let (serves, _stopped) = serving();
        drop(serves);
        assert!(!file.exists());
    }

    #[test]
    fn the_address_of_a_process_that_is_gone_is_nobodys() {
        let dir = tempfile::tempdir().unwrap();
        let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = other.local_addr().unwrap();
        announce(dir.path(), address).unwrap();
        assert_eq!(find(dir.path()).unwrap().0, address);
        let pid = std::process::id();
        fs::write(dir.path().join(ADDRESS), format!("{address} {pid} 1\n")).unwrap();
        assert!(matches!(find(dir.path()), Err(EmbeddedError::Nobody(_))));
    }
}
