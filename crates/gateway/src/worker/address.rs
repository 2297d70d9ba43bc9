//! Where a worker can be reached: [`WorkerAddress`].

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::WorkerError;

/// The longest advertised text that an error repeats, and the longest name of a host.
const LONGEST_HOST: usize = 255;

/// Where a worker can be reached, verified by connecting to it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum WorkerAddress {
    /// The address that the worker connects from, in its shortest form, with the scope of a
    /// link-local one.
    Seen(SocketAddr),
    /// What the worker advertises: a name or an address, and a port. A name is not resolved once
    /// for all: resolve it for each use.
    Advertised {
        /// A name or an IP address, without brackets.
        host: String,
        /// The port.
        port: u16,
    },
}

impl WorkerAddress {
    /// The address to try for a worker that connected from `peer`.
    pub(super) fn of(
        peer: SocketAddr,
        advertised: Option<&str>,
        port: u16,
    ) -> Result<Self, WorkerError> {
        let from = canonical(peer);
        let Some(advertised) = advertised else {
            let mut seen = from;
            seen.set_port(port);
            let tried = Self::Seen(seen);
            return match port {
                0 => Err(WorkerError::BindAddress { from, tried }),
                _ => Ok(tried),
            };
        };
        let (host, port) =
            split(advertised.trim(), port).ok_or_else(|| WorkerError::NoAddress {
                from,
                advertised: advertised.chars().take(LONGEST_HOST).collect(),
            })?;
        let is_bound = host.parse().is_ok_and(|ip| !is_one_host(ip)) || port == 0;
        let tried = Self::Advertised { host, port };
        if is_bound {
            Err(WorkerError::BindAddress { from, tried })
        } else {
            Ok(tried)
        }
    }
}

impl fmt::Display for WorkerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Seen(address) => address.fmt(f),
            Self::Advertised { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Advertised { host, port } => write!(f, "{host}:{port}"),
        }
    }
}

/// Whether this is the address of one host, not of all local ones (`0.0.0.0`, `::`) or of several.
pub(super) fn is_one_host(ip: IpAddr) -> bool {
    let ip = ip.to_canonical();
    !ip.is_unspecified() && !ip.is_multicast() && ip != IpAddr::V4(Ipv4Addr::BROADCAST)
}

/// IPv4 as itself, also where a socket for both shows it as IPv6. A link-local address keeps its
/// scope.
pub(super) fn canonical(address: SocketAddr) -> SocketAddr {
    match address.ip().to_canonical() {
        IpAddr::V4(ip) => SocketAddr::from((ip, address.port())),
        IpAddr::V6(_) => address,
    }
}

/// The host and the port of an advertised address; `port` if it names none.
fn split(advertised: &str, port: u16) -> Option<(String, u16)> {
    if let Ok(address) = advertised.parse::<IpAddr>() {
        return Some((address.to_canonical().to_string(), port));
    }
    if let Some(rest) = advertised.strip_prefix('[') {
        let (host, rest) = rest.split_once(']')?;
        let host: Ipv6Addr = host.parse().ok()?;
        let port = match rest.strip_prefix(':') {
            Some(port) => number(port)?,
            None => rest.is_empty().then_some(port)?,
        };
        return Some((IpAddr::V6(host).to_canonical().to_string(), port));
    }
    let (host, port) = match advertised.split_once(':') {
        Some((host, port)) => (host, number(port)?),
        None => (advertised, port),
    };
    let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let is_host = !host.is_empty() && host.len() <= LONGEST_HOST && host.chars().all(is_word);
    if let Ok(address) = host.parse::<IpAddr>() {
        return Some((address.to_string(), port));
    }
    (is_host && !is_number(host)).then(|| (host.to_owned(), port))
}

/// Whether resolvers take this name for an IPv4 address in an old form, such as `0` and `0x7f.1`.
/// No host has a name that ends so.
fn is_number(host: &str) -> bool {
    let last = host.trim_end_matches('.').rsplit('.').next();
    last.is_some_and(|last| last.starts_with("0x") || last.bytes().all(|b| b.is_ascii_digit()))
}

fn number(text: &str) -> Option<u16> {
    let is_number = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|port| is_number && *port != 0)
}
