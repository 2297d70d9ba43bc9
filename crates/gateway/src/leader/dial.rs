//! New connections: [`dial`] for TCP, [`Connector`] for TLS on top of it.
//!
//! A name may have several addresses, and some may be out of reach: an IPv6 address without a
//! route, or a host that is gone. They are tried as in RFC 8305 ("happy eyeballs"): families
//! alternate, the next address follows when one fails or is silent for [`STAGGER`], and the first
//! that answers is used.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use rustix::io::Errno;
use tokio::net::{TcpSocket, TcpStream, lookup_host};
use tokio::time::{sleep, timeout};

use super::connection::Missed;
use crate::decide::endpoint::Upstream;
use crate::stream::{self, Stream};
use crate::tls::Back;

/// How long one address is tried alone before the next one is tried beside it, as RFC 8305
/// recommends.
const STAGGER: Duration = Duration::from_millis(250);
/// How many addresses of one name are tried. A name with more addresses has them to spread load.
const MOST_RESOLVED: usize = 8;

/// Makes connections.
#[derive(Clone)]
pub(crate) struct Connector {
    pub(crate) tls: Back,
    pub(crate) patience: Duration,
    pub(crate) stall: Duration,
}

/// Connects to the address of a name that answers first, and never to `not`. The look-up may take
/// `each`, and so may each address.
///
/// # Errors
///
/// The error of an address; that this host [is exhausted](is_exhausted) only if all addresses
/// failed so.
///
/// # Cancel safety
///
/// Safe: connections that were begun are closed.
pub(crate) async fn dial(
    (host, port): (&str, u16),
    each: Duration,
    not: Option<SocketAddr>,
) -> io::Result<TcpStream> {
    let found = match timeout(each, lookup_host((host, port))).await {
        Ok(Ok(found)) => found,
        // The resolver reports only that it failed, even if it had no descriptor.
        Ok(Err(error)) => return Err(no_descriptor().unwrap_or(error)),
        Err(_) => return Err(io::ErrorKind::TimedOut.into()),
    };
    let mut found: Vec<SocketAddr> = found.collect();
    if found.is_empty() {
        return Err(io::Error::other("its name has no address"));
    }
    found.retain(|address| Some(*address) != not);
    if found.is_empty() {
        return Err(io::Error::other("it publishes the address of this gateway"));
    }
    first_of(in_turn(found), each).await
}

/// Connects to the first of these addresses that answers.
async fn first_of(addresses: Vec<SocketAddr>, each: Duration) -> io::Result<TcpStream> {
    let mut said = io::Error::from(io::ErrorKind::AddrNotAvailable);
    let mut rest = addresses.into_iter();
    let mut tried = FuturesUnordered::new();
    let mut is_first = true;
    loop {
        if let Some(address) = rest.next() {
            tried.push(timeout(each, TcpStream::connect(address)));
        }
        let has_more = rest.len() > 0;
        let done = tokio::select! {
            Some(done) = tried.next() => done,
            () = sleep(STAGGER), if has_more => continue,
            else => return Err(said),
        };
        let error = match done {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => error,
            Err(_) => io::ErrorKind::TimedOut.into(),
        };
        if is_first || !is_exhausted(&error) {
            said = error;
        }
        is_first = false;
    }
}

/// Whether this host has nothing left to connect with: descriptors, ports or buffers. Such an error
/// tells nothing about the other host.
pub(crate) fn is_exhausted(error: &io::Error) -> bool {
    const HERE: [Errno; 4] = [
        Errno::MFILE,
        Errno::NFILE,
        Errno::ADDRNOTAVAIL,
        Errno::NOBUFS,
    ];
    Errno::from_io_error(error).is_some_and(|errno| HERE.contains(&errno))
}

fn no_descriptor() -> Option<io::Error> {
    TcpSocket::new_v4().err().filter(is_exhausted)
}

/// The addresses to try, each once: families alternate, beginning with that of the first address.
fn in_turn(found: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let first_is_v6 = found.first().is_some_and(SocketAddr::is_ipv6);
    let (one, other): (Vec<_>, Vec<_>) = found
        .into_iter()
        .partition(|address| address.is_ipv6() == first_is_v6);
    let (mut one, mut other) = (one.into_iter(), other.into_iter());
    let mut turns = Vec::new();
    loop {
        let both = [one.next(), other.next()];
        if both == [None, None] {
            return turns;
        }
        for address in both.into_iter().flatten() {
            if turns.len() < MOST_RESOLVED && !turns.contains(&address) {
                turns.push(address);
            }
        }
    }
}

impl Connector {
    /// Connects to this address, with TLS if the address asks for it. TLS may take as long as
    /// connecting.
    pub(crate) async fn connect(&self, to: &Upstream, http2: bool) -> Result<Stream, Missed> {
        let dialled = dial((&to.host, to.port), self.patience, None).await;
        let stream = dialled.map_err(|error| match is_exhausted(&error) {
            true => Missed::Exhausted(Arc::new(error)),
            false => Missed::Unreachable(Arc::new(error)),
        })?;
        stream::prepare(&stream);
        if !to.tls {
            return Ok(Stream::plain(stream, self.stall));
        }
        let Some((config, name)) = self.tls.with(http2, &to.host) else {
            let error = io::Error::other("its host is no name that a certificate can have");
            return Err(Missed::Unreachable(Arc::new(error)));
        };
        let connector = tokio_rustls::TlsConnector::from(config);
        let stream = match timeout(self.patience, connector.connect(name, stream)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) if http2 && is_refused_by_alpn(&error) => return Err(Missed::NoHttp2),
            Ok(Err(error)) => return Err(Missed::Unclear(Arc::new(error))),
            Err(_) => return Err(Missed::unclear(io::ErrorKind::TimedOut)),
        };
        if http2 && stream.get_ref().1.alpn_protocol() != Some(b"h2") {
            return Err(Missed::NoHttp2);
        }
        Ok(Stream::tls(stream, self.stall))
    }
}

fn is_refused_by_alpn(error: &io::Error) -> bool {
    use rustls::AlertDescription::NoApplicationProtocol;
    let said = error.get_ref().and_then(|said| said.downcast_ref());
    matches!(
        said,
        Some(rustls::Error::AlertReceived(NoApplicationProtocol))
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &[&str]) -> Vec<SocketAddr> {
        text.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn families_take_turns_and_each_address_is_tried_once() {
        let found = at(&["[::1]:1", "[::2]:1", "1.1.1.1:1", "[::1]:1", "1.1.1.2:1"]);
        let expected = at(&["[::1]:1", "1.1.1.1:1", "[::2]:1", "1.1.1.2:1"]);
        assert_eq!(in_turn(found), expected);
        let many: Vec<SocketAddr> = (1..100).map(|port| ([1, 1, 1, 1], port).into()).collect();
        assert_eq!(in_turn(many).len(), MOST_RESOLVED);
        assert!(in_turn(Vec::new()).is_empty());
    }

    /// An address that answers nothing, as its queue is full, and what keeps it full.
    async fn black() -> (SocketAddr, impl Sized) {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
        let listener = socket.listen(1).unwrap();
        let address = listener.local_addr().unwrap();
        let mut queued = Vec::new();
        let patience = Duration::from_millis(200);
        while let Ok(stream) = timeout(patience, TcpStream::connect(address)).await {
            queued.push(stream.unwrap());
            assert!(queued.len() < 100, "its queue has an end");
        }
        (address, (listener, queued))
    }

    #[tokio::test]
    async fn a_black_address_keeps_nobody_from_the_next() {
        let (one, _kept) = black().await;
        let (other, _kept_too) = black().await;
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let well = listener.local_addr().unwrap();
        let each = Duration::from_secs(60);
        let stream = first_of(vec![one, other, well], each);
        let stream = timeout(each / 2, stream).await.unwrap().unwrap();
        assert_eq!(stream.peer_addr().unwrap(), well);
    }

    #[tokio::test]
    async fn all_black_addresses_together_take_little_longer_than_one() {
        let (one, _kept) = black().await;
        let (other, _kept_too) = black().await;
        let each = Duration::from_millis(300);
        let began = tokio::time::Instant::now();
        let said = first_of(vec![one, other], each).await.unwrap_err();
        assert_eq!(said.kind(), io::ErrorKind::TimedOut);
        assert!(began.elapsed() < STAGGER + each + each / 2);
    }

    #[tokio::test]
    async fn an_address_that_refuses_is_followed_by_the_next_at_once() {
        let bind = || std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let gone = bind().local_addr().unwrap();
        let listener = bind();
        let well = listener.local_addr().unwrap();
        let began = tokio::time::Instant::now();
        let stream = first_of(vec![gone, well], Duration::from_secs(60)).await;
        assert_eq!(stream.unwrap().peer_addr().unwrap(), well);
        assert!(began.elapsed() < STAGGER);
    }

    #[test]
    fn want_of_descriptors_is_told_from_a_refusal() {
        for (errno, expected) in [
            (Errno::MFILE, true),
            (Errno::NFILE, true),
            (Errno::ADDRNOTAVAIL, true),
            (Errno::NOBUFS, true),
            (Errno::CONNREFUSED, false),
            (Errno::HOSTUNREACH, false),
        ] {
            assert_eq!(is_exhausted(&errno.into()), expected, "{errno:?}");
        }
        assert!(!is_exhausted(&io::ErrorKind::AddrNotAvailable.into()));
    }
}
