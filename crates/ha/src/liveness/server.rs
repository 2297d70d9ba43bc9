//! [`LivenessServer`]: the endpoint at which a process says its nonce.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use incumbent_core::root::LivenessAddress;
use incumbent_core::{HolderName, Nonce};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, watch};

use super::room::{Report, Room};
use super::{BUFFER, LONGEST_LINE, greeting, scope};
use crate::OpenError;

/// Most connections that are served. Further ones learn nothing: standbys wait for the lease. At
/// most a quarter of the descriptors that this process may have, because it needs the others.
const MOST_CONNECTIONS: u64 = 256;

/// Most connections from one address. More come from behind an address translator, or mean harm.
const MOST_OF_ONE_ADDRESS: usize = 64;

/// When a standby whose host vanished is noticed, so that it does not keep its place: the silence
/// before the first probe, the time between two probes, and their number.
const KEEPALIVE: (Duration, Duration, u32) = (Duration::from_secs(60), Duration::from_secs(15), 4);

/// How long a client that connects may take to introduce itself.
const INTRODUCTION: Duration = Duration::from_secs(5);

/// Tells everybody who connects the nonce of this process, until it is dropped.
///
/// A process that others may have to prove dead listens here, draws a [`Nonce`], and
/// [says](Self::say) it. Others learn the [address](Self::address) and the nonce on another way,
/// and connect with a [`LivenessProbe`](super::LivenessProbe). When the process dies, however it
/// dies, its kernel ends their connections and refuses new ones. A process that starts or watches
/// others that must be gone first holds a [copy of the socket](Self::socket): until it closes that,
/// nothing is refused.
///
/// It serves 256 connections (fewer if a quarter of the descriptors that the process may have is
/// less), 64 from one address that is not loopback, each with a line or two in memory. It needs a
/// Tokio runtime that runs: while that is blocked, nobody is told anything, which proves nothing.
#[derive(Debug)]
pub struct LivenessServer {
    listener: TcpListener,
    address: LivenessAddress,
    nonce: watch::Sender<Option<Nonce>>,
    task: tokio::task::JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Standbys {
    names: Mutex<BTreeMap<u64, HolderName>>,
    addresses: Mutex<HashMap<IpAddr, usize>>,
}

/// Counts a connection for its address while this value exists.
struct Counted {
    standbys: Arc<Standbys>,
    address: IpAddr,
}

impl LivenessServer {
    /// Listens on `address`; port 0 takes a free one. Others reach it as `advertise`, a `host` or
    /// `host:port`, if that is named; otherwise at the address of the socket, or, if that is
    /// unspecified, at the one by which this host reaches others.
    ///
    /// It says no nonce at first. Must be called inside a Tokio runtime.
    ///
    /// # Errors
    ///
    /// [`OpenError::Liveness`]: name another address.
    pub fn listen(address: SocketAddr, advertise: Option<&str>) -> Result<Self, OpenError> {
        Self::bind(address, advertise).map_err(|cause| OpenError::Liveness {
            address: address.to_string(),
            cause,
        })
    }

    fn bind(address: SocketAddr, advertise: Option<&str>) -> io::Result<Self> {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let bound = listener.local_addr()?;
        let reached = match advertise {
            Some(address) if has_port(address) => address.to_owned(),
            Some(host) => format!("{host}:{}", bound.port()),
            None if bound.ip().is_unspecified() => {
                SocketAddr::new(own_address(bound)?, bound.port()).to_string()
            }
            None => bound.to_string(),
        };
        let address = LivenessAddress {
            address: reached,
            scope: scope().filter(|_| advertise.is_none()),
            advertised: advertise.is_some(),
        };
        let nonce = watch::Sender::new(None);
        let task = tokio::spawn(serve(
            tokio::net::TcpListener::from_std(listener.try_clone()?)?,
            nonce.subscribe(),
        ));
        Ok(Self {
            listener,
            address,
            nonce,
            task,
        })
    }

    /// A free port on the address by which this host reaches others: a pod's own, in a pod. On
    /// loopback if it reaches nobody.
    pub fn reachable() -> SocketAddr {
        let any = [
            SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
            SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)),
        ];
        let own = any.into_iter().find_map(|any| own_address(any).ok());
        own.map_or_else(Self::loopback, |own| SocketAddr::new(own, 0))
    }

    /// A free port that only this machine reaches.
    pub fn loopback() -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, 0))
    }

    /// Says this nonce from now on, or none, and ends the connections that were told another one.
    /// For those who wait for that other one it is a proof of death.
    pub fn say(&self, nonce: Option<Nonce>) {
        self.nonce
            .send_if_modified(|said| std::mem::replace(said, nonce) != nonce);
    }

    /// Where others find it.
    pub fn address(&self) -> &LivenessAddress {
        &self.address
    }

    /// The listening socket, for a process that holds it open until what this one began has ended,
    /// and never accepts. Until then connection attempts wait, and nothing is refused.
    ///
    /// # Errors
    ///
    /// If the system has no room for one more descriptor.
    pub fn socket(&self) -> io::Result<TcpListener> {
        self.listener.try_clone()
    }
}

impl Drop for LivenessServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The address by which this host reaches others. Nothing is sent.
fn own_address(bound: SocketAddr) -> io::Result<std::net::IpAddr> {
    // Addresses reserved for documentation. Only the route to them matters.
    let somewhere = if bound.is_ipv4() {
        "192.0.2.1:9"
    } else {
        "[2001:db8::1]:9"
    };
    let socket = UdpSocket::bind(SocketAddr::new(bound.ip(), 0))?;
    let connected = socket.connect(somewhere).and_then(|()| socket.local_addr());
    connected.map(|address| address.ip()).map_err(|cause| {
        io::Error::new(
            cause.kind(),
            format!("this host has no address that others could use; name one ({cause})"),
        )
    })
}

/// Whether `address` ends with a port. An IPv6 address without one is written in brackets.
fn has_port(address: &str) -> bool {
    address
        .rsplit_once(':')
        .is_some_and(|(_, port)| port.parse::<u16>().is_ok())
}

async fn serve(listener: tokio::net::TcpListener, nonce: watch::Receiver<Option<Nonce>>) {
    let standbys = Arc::new(Standbys::default());
    let descriptors = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    let most = descriptors
        .map_or(MOST_CONNECTIONS, |most| MOST_CONNECTIONS.min(most / 4))
        .max(1);
    let most = usize::try_from(most).expect("a few hundred at most");
    let places = Arc::new(Semaphore::new(most));
    let room = Room::new(most);
    // Connections end with this task, so that standbys see that the leader is gone.
    let mut connections = tokio::task::JoinSet::new();
    for number in 0.. {
        while connections.try_join_next().is_some() {}
        match room.note(places.available_permits()) {
            Some(Report::Full) => tracing::warn!(
                most,
                "the liveness endpoint has no room for more standbys; further ones wait for the \
                 lease to expire"
            ),
            Some(Report::Free) => tracing::info!(most, "the liveness endpoint has room again"),
            None => {}
        }
        let place = Arc::clone(&places)
            .acquire_owned()
            .await
            .expect("it is never closed");
        match listener.accept().await {
            Ok((stream, peer)) => {
                let Some(counted) = Counted::new(&standbys, peer.ip()) else {
                    continue;
                };
                // Without keep-alive, only a host that vanishes is noticed late.
                let _ = keep_alive(&stream, KEEPALIVE);
                let (nonce, standbys) = (nonce.clone(), Arc::clone(&standbys));
                connections.spawn(async move {
                    // A failure needs no log line: the standby notices it.
                    let _ = talk(stream, nonce, &standbys, number).await;
                    standbys.lock().remove(&number);
                    drop((place, counted));
                });
            }
            Err(error) => {
                tracing::debug!(%error, "could not accept a standby; accepting again in 50 ms");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

pub(super) fn keep_alive(
    stream: &TcpStream,
    (idle, interval, count): (Duration, Duration, u32),
) -> io::Result<()> {
    use rustix::net::sockopt;
    sockopt::set_socket_keepalive(stream, true)?;
    sockopt::set_tcp_keepidle(stream, idle)?;
    sockopt::set_tcp_keepintvl(stream, interval)?;
    sockopt::set_tcp_keepcnt(stream, count)?;
    Ok(())
}

impl Counted {
    /// `None` if there are too many from this address already.
    fn new(standbys: &Arc<Standbys>, address: IpAddr) -> Option<Self> {
        let mut addresses = standbys.addresses();
        let count = addresses.entry(address).or_default();
        if *count >= MOST_OF_ONE_ADDRESS && !address.is_loopback() {
            return None;
        }
        *count += 1;
        drop(addresses);
        Some(Self {
            standbys: Arc::clone(standbys),
            address,
        })
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut addresses = self.standbys.addresses();
        if let Some(count) = addresses.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                addresses.remove(&self.address);
            }
        }
    }
}

async fn talk(
    mut stream: TcpStream,
    mut nonce: watch::Receiver<Option<Nonce>>,
    standbys: &Standbys,
    number: u64,
) -> io::Result<()> {
    let said = *nonce.borrow_and_update();
    stream.write_all(greeting(said).as_bytes()).await?;
    let (reader, mut writer) = stream.split();
    let mut reader = BufReader::with_capacity(BUFFER, reader);
    let mut introduced = false;
    loop {
        let mut line = String::new();
        let mut limited = (&mut reader).take(LONGEST_LINE);
        tokio::select! {
            _ = nonce.changed() => return Ok(()),
            () = tokio::time::sleep(INTRODUCTION), if !introduced => return Ok(()),
            read = limited.read_line(&mut line) => if read? == 0 { return Ok(()) },
        }
        match line.trim_end().split_once(' ') {
            Some(("standby", name)) => {
                let Ok(name) = name.parse::<HolderName>() else {
                    return Ok(());
                };
                standbys.lock().insert(number, name);
                introduced = true;
            }
            None if line.trim_end() == "who" => {
                writer.write_all(standbys.list().as_bytes()).await?
            }
            _ => return Ok(()),
        }
    }
}

impl Standbys {
    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<u64, HolderName>> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn addresses(&self) -> std::sync::MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.addresses
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn list(&self) -> String {
        let mut text: String = self
            .lock()
            .values()
            .map(|name| format!("{name}\n"))
            .collect();
        text.push_str(".\n");
        text
    }
}
