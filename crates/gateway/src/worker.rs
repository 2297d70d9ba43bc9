//! Workers, known by the address that they connect from unless they were told another, and verified
//! by connecting back.
//!
//! ```text
//!   worker ── "I am here; I listen on 6122; my nonce is …" ──► manager
//!   worker ◄─ connects to where the worker came from, port 6122 ── verify()
//!          ◄─ a challenge ──  ── what only this process can answer ─►      verify_same(), answer()
//! ```

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// What both sides of a challenge begin with: who speaks another protocol learns nothing, and is
/// told apart.
const HELLO: [u8; 16] = *b"incumbent-worker";
const NONCE: usize = 16;
const CHALLENGE: usize = HELLO.len() + NONCE;
const ANSWER: usize = HELLO.len() + 32;

/// Where a worker can be reached, as was verified by connecting to it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum WorkerAddress {
    /// The address that the worker connects from, in its shortest form, with the scope of a
    /// link-local one.
    Seen(SocketAddr),
    /// What the worker said: a name or an address, and a port. Names are not resolved once for all:
    /// who uses it asks again.
    Said {
        /// A name or an IP address, without brackets.
        host: String,
        /// The port.
        port: u16,
    },
}

/// What makes a process known again. The worker makes one when it starts, and says it when it
/// connects.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct WorkerNonce([u8; NONCE]);

/// Why a worker cannot be used. Each names the address that it connected from, what was tried, and
/// what to do.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// What the worker said is no address. Nothing was tried.
    #[error(
        "the worker that connected from {from} says that it is reached at {said:?}, which is no host and no host:port; \
         correct what it was told to advertise, or tell it nothing"
    )]
    NoAddress {
        /// Where it connected from.
        from: SocketAddr,
        /// What it said.
        said: String,
    },
    /// What the worker said is something to listen at: all addresses of a host, several hosts, or
    /// port 0. Connecting there would reach this host, or nobody. Nothing was tried.
    #[error(
        "the worker that connected from {from} says that it is reached at {said}, a bind address, not one to be reached at; \
         tell it to advertise the address by which others reach it, or nothing"
    )]
    BindAddress {
        /// Where it connected from.
        from: SocketAddr,
        /// What it said.
        said: WorkerAddress,
    },
    /// Nobody takes a connection there.
    #[error("the worker that connected from {from} is not reached at {tried}, {}", advice(*.was_told))]
    NotReached {
        /// Where it connected from.
        from: SocketAddr,
        /// What was tried.
        tried: WorkerAddress,
        /// Whether the worker said so, rather than it being where it connected from.
        was_told: bool,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// Somebody takes connections there, and does not answer.
    #[error(
        "the worker that connected from {from} cannot be verified at {tried}: it took the connection and said nothing; \
         see that it is this worker that listens there, and that it is not stuck{}", if *.was_told {
            ", or correct what it was told to advertise"
        } else {
            ""
        }
    )]
    Silent {
        /// Where it connected from.
        from: SocketAddr,
        /// What was tried.
        tried: WorkerAddress,
        /// Whether the worker said so, rather than it being where it connected from.
        was_told: bool,
    },
    /// Somebody takes connections there, but it is not this worker.
    #[error(
        "the worker that connected from {from} is not the one that answers at {tried}, {}", advice(*.was_told)
    )]
    SomebodyElse {
        /// Where it connected from.
        from: SocketAddr,
        /// What was tried.
        tried: WorkerAddress,
        /// Whether the worker said so, rather than it being where it connected from.
        was_told: bool,
    },
}

fn advice(was_told: bool) -> &'static str {
    match was_told {
        true => {
            "which is what it was told to advertise; correct that, or, if it is right, see that the port is open from here"
        }
        false => {
            "which is where it connected from, with the port that it listens on; see that it listens on all addresses and that \
             the port is open from here, or, if there is a translation of addresses in between, tell it what to advertise"
        }
    }
}

/// Finds out where this worker can be reached: connects to the address that it connected from, at
/// this port, or to what it says (`host` or `host:port`) if it was told otherwise.
///
/// That somebody takes the connection is all that is verified; [`verify_same`] also verifies that
/// it is this worker.
///
/// # Errors
///
/// [`WorkerError`]: tell it to people, and to the worker; trying again helps if the worker had not begun to listen yet.
///
/// # Cancel safety
///
/// Safe.
pub async fn verify(
    peer: SocketAddr,
    says: Option<&str>,
    port: u16,
    timeout: Duration,
) -> Result<WorkerAddress, WorkerError> {
    let tried = address(peer, says, port)?;
    connect(peer, tried, says.is_some(), timeout, None).await
}

/// Does what [`verify`] does, and lets whoever takes the connection prove that he is the process
/// with this nonce, which calls [`answer`]. The nonce itself is not sent.
///
/// # Errors
///
/// [`WorkerError`], as of [`verify`].
///
/// # Cancel safety
///
/// Safe.
pub async fn verify_same(
    peer: SocketAddr,
    says: Option<&str>,
    port: u16,
    nonce: WorkerNonce,
    timeout: Duration,
) -> Result<WorkerAddress, WorkerError> {
    let tried = address(peer, says, port)?;
    connect(peer, tried, says.is_some(), timeout, Some(nonce)).await
}

/// The worker's side of [`verify_same`], on a connection that it has just accepted: reads the
/// challenge, and answers it.
///
/// # Errors
///
/// Those of the connection; [`InvalidData`](io::ErrorKind::InvalidData) if what came is no
/// challenge. How long it may take is for the caller to bound.
///
/// # Cancel safety
///
/// The connection is of no use any more.
pub async fn answer(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    nonce: WorkerNonce,
) -> io::Result<()> {
    let mut challenge = [0; CHALLENGE];
    stream.read_exact(&mut challenge).await?;
    if challenge[..HELLO.len()] != HELLO {
        return Err(io::ErrorKind::InvalidData.into());
    }
    stream.write_all(&expected(&challenge, nonce)).await?;
    stream.flush().await
}

async fn connect(
    from: SocketAddr,
    tried: WorkerAddress,
    was_told: bool,
    patience: Duration,
    nonce: Option<WorkerNonce>,
) -> Result<WorkerAddress, WorkerError> {
    let from = canonical(from);
    let mut is_connected = false;
    let all = async {
        let mut stream = match &tried {
            WorkerAddress::Seen(address) => TcpStream::connect(address).await?,
            WorkerAddress::Said { host, port } => {
                // A name may stand for a bind address, too.
                let found = tokio::net::lookup_host((host.as_str(), *port)).await?;
                let found: Vec<SocketAddr> = found.filter(|at| is_one_host(at.ip())).collect();
                TcpStream::connect(&found[..]).await?
            }
        };
        is_connected = true;
        match nonce {
            None => Ok(true),
            Some(nonce) => ask(&mut stream, nonce).await,
        }
    };
    let source = match tokio::time::timeout(patience, all).await {
        Ok(Ok(true)) => return Ok(tried),
        Ok(Ok(false)) => {
            return Err(WorkerError::SomebodyElse {
                from,
                tried,
                was_told,
            });
        }
        Ok(Err(error)) => error,
        Err(_) if is_connected => {
            return Err(WorkerError::Silent {
                from,
                tried,
                was_told,
            });
        }
        Err(_) => io::Error::new(io::ErrorKind::TimedOut, "no answer in time"),
    };
    Err(WorkerError::NotReached {
        from,
        tried,
        was_told,
        source,
    })
}

/// Whether it is the process with this nonce.
async fn ask(stream: &mut TcpStream, nonce: WorkerNonce) -> io::Result<bool> {
    let mut challenge = [0; CHALLENGE];
    challenge[..HELLO.len()].copy_from_slice(&HELLO);
    challenge[HELLO.len()..].copy_from_slice(&rand::random::<[u8; NONCE]>());
    stream.write_all(&challenge).await?;
    let mut said = [0; ANSWER];
    match stream.read_exact(&mut said).await {
        Ok(_) => Ok(bool::from(said.ct_eq(&expected(&challenge, nonce)))),
        // Connected, and then hung up on: somebody is there who does not understand the question.
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset
            ) =>
        {
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

fn expected(challenge: &[u8; CHALLENGE], nonce: WorkerNonce) -> [u8; ANSWER] {
    let mut hash = Sha256::new();
    hash.update(challenge);
    hash.update(nonce.0);
    let mut answer = [0; ANSWER];
    answer[..HELLO.len()].copy_from_slice(&HELLO);
    answer[HELLO.len()..].copy_from_slice(&hash.finalize());
    answer
}

/// What to try.
fn address(peer: SocketAddr, says: Option<&str>, port: u16) -> Result<WorkerAddress, WorkerError> {
    let from = canonical(peer);
    let Some(said) = says else {
        let mut address = from;
        address.set_port(port);
        let said = WorkerAddress::Seen(address);
        return match port {
            0 => Err(WorkerError::BindAddress { from, said }),
            _ => Ok(said),
        };
    };
    let (host, port) = split(said.trim(), port).ok_or_else(|| WorkerError::NoAddress {
        from,
        said: said.chars().take(LONGEST_SAID).collect(),
    })?;
    let is_bound = host.parse().is_ok_and(|ip| !is_one_host(ip)) || port == 0;
    let said = WorkerAddress::Said { host, port };
    match is_bound {
        true => Err(WorkerError::BindAddress { from, said }),
        false => Ok(said),
    }
}

/// Whether it is the address of one host, and not of all of its own (`0.0.0.0`, `::`) or of
/// several.
fn is_one_host(ip: IpAddr) -> bool {
    let ip = ip.to_canonical();
    !ip.is_unspecified() && !ip.is_multicast() && ip != IpAddr::V4(Ipv4Addr::BROADCAST)
}

/// How much is repeated of what is no address: no name is longer.
const LONGEST_SAID: usize = 255;

fn split(said: &str, port: u16) -> Option<(String, u16)> {
    if let Ok(address) = said.parse::<IpAddr>() {
        return Some((address.to_canonical().to_string(), port));
    }
    if let Some(rest) = said.strip_prefix('[') {
        let (host, rest) = rest.split_once(']')?;
        let host: Ipv6Addr = host.parse().ok()?;
        let port = match rest.strip_prefix(':') {
            Some(port) => number(port)?,
            None => rest.is_empty().then_some(port)?,
        };
        return Some((IpAddr::V6(host).to_canonical().to_string(), port));
    }
    let (host, port) = match said.split_once(':') {
        Some((host, port)) => (host, number(port)?),
        None => (said, port),
    };
    let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let is_host = !host.is_empty() && host.len() <= LONGEST_SAID && host.chars().all(is_word);
    if let Ok(address) = host.parse::<IpAddr>() {
        return Some((address.to_string(), port));
    }
    (is_host && !is_number(host)).then(|| (host.to_owned(), port))
}

/// Whether resolvers take this name for an IPv4 address in an old form, as they do with `0` and
/// `0x7f.1`. No name of a host ends so.
fn is_number(host: &str) -> bool {
    let last = host.trim_end_matches('.').rsplit('.').next();
    last.is_some_and(|last| last.starts_with("0x") || last.bytes().all(|b| b.is_ascii_digit()))
}

fn number(text: &str) -> Option<u16> {
    let is_number = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|port| is_number && *port != 0)
}

/// IPv4 as itself, also where a socket for both shows it as IPv6. A link-local address keeps its
/// scope.
fn canonical(address: SocketAddr) -> SocketAddr {
    match address.ip().to_canonical() {
        IpAddr::V4(ip) => SocketAddr::from((ip, address.port())),
        IpAddr::V6(_) => address,
    }
}

impl fmt::Display for WorkerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Seen(address) => address.fmt(f),
            Self::Said { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Said { host, port } => write!(f, "{host}:{port}"),
        }
    }
}

impl WorkerNonce {
    /// One that nobody else has.
    pub fn random() -> Self {
        Self(rand::random())
    }
}

impl fmt::Display for WorkerNonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

/// A nonce is not for logs.
impl fmt::Debug for WorkerNonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WorkerNonce(…)")
    }
}

impl FromStr for WorkerNonce {
    type Err = BadNonce;

    fn from_str(text: &str) -> Result<Self, BadNonce> {
        let is_hex = text.len() == 2 * NONCE && text.bytes().all(|b| b.is_ascii_hexdigit());
        let number = u128::from_str_radix(text, 16).ok().filter(|_| is_hex);
        Ok(Self(number.ok_or(BadNonce)?.to_be_bytes()))
    }
}

/// What is no nonce.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a nonce has 32 hexadecimal digits")]
pub struct BadNonce;

#[cfg(test)]
mod tests;
