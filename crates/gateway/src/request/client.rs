//! Where requests come from, [`Peer`], and what is kept of a client from one request to the next:
//! [`Client`].

use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::header::HeaderValue;
use ipnet::IpNet;
use tokio::time::{Instant, Sleep, sleep};

use crate::stream::insertions::Insertions;

/// Where a request came from.
#[derive(Clone, Debug)]
pub struct Peer {
    /// The address that the connection comes from.
    pub address: SocketAddr,
    /// Whether it came over TLS.
    pub tls: bool,
    /// The certificate that the client has proven to own, as DER.
    pub certificate: Option<Bytes>,
}

/// A client, and what its requests need: made once for all of them, as small requests cost little
/// more than that.
pub(crate) struct Client {
    pub(crate) peer: Peer,
    /// Its address.
    pub(crate) ip: HeaderValue,
    /// The same as a node of `Forwarded` (RFC 7239, 6).
    pub(crate) node: String,
    /// What can be inserted into its connection, if that is one of HTTP/1.1 and served here.
    pub(crate) insertions: Option<Insertions>,
    timer: Mutex<Option<Pin<Box<Sleep>>>>,
}

impl Peer {
    /// A client without TLS.
    pub fn plain(address: SocketAddr) -> Self {
        Self {
            address,
            tls: false,
            certificate: None,
        }
    }

    pub(crate) fn unknown() -> Self {
        Self::plain(SocketAddr::from(([0, 0, 0, 0], 0)))
    }
}

impl Client {
    pub(crate) fn new(peer: Peer) -> Self {
        let ip = peer.address.ip().to_canonical();
        let node = match ip {
            IpAddr::V4(ip) => ip.to_string(),
            IpAddr::V6(ip) => format!("\"[{ip}]\""),
        };
        let ip = ip.to_string().try_into();
        Self {
            peer,
            insertions: None,
            ip: ip.expect("addresses are visible text"),
            node,
            timer: Mutex::default(),
        }
    }

    /// Lets interim answers and trailers be inserted into its connection.
    #[must_use]
    pub(crate) fn with_insertions(mut self, insertions: Insertions) -> Self {
        self.insertions = Some(insertions);
        self
    }

    /// Whether its address is in one of these networks.
    pub(crate) fn is_among(&self, networks: &[IpNet]) -> bool {
        let ip = self.peer.address.ip().to_canonical();
        networks.iter().any(|network| network.contains(&ip))
    }

    /// A timer that goes off in this time at the latest. An earlier request may have left one that
    /// runs already.
    pub(crate) fn timer(&self, time: Duration) -> Pin<Box<Sleep>> {
        let left = self.timer.lock();
        match left.unwrap_or_else(PoisonError::into_inner).take() {
            Some(timer) if !timer.is_elapsed() => timer,
            Some(mut timer) => {
                timer.as_mut().reset(Instant::now() + time);
                timer
            }
            None => Box::pin(sleep(time)),
        }
    }

    /// Leaves a timer to the next request.
    pub(crate) fn leave(&self, timer: Pin<Box<Sleep>>) {
        let mut left = self.timer.lock().unwrap_or_else(PoisonError::into_inner);
        *left = Some(timer);
    }
}
