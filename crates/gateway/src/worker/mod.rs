//! Workers: known by the address that they connect from, or by the one that they advertise, and
//! verified by connecting back.
//!
//! ```text
//!   worker ── "I am here; I listen on 6122; my nonce is …" ──► manager
//!   worker ◄─ connects to the worker's address, port 6122 ──── verify()
//!          ◄─ a challenge ──  ── the answer of this process ─► verify_same(), answer()
//! ```

mod address;
mod challenge;
mod error;

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpStream;

pub use address::WorkerAddress;
use address::{canonical, is_one_host};
pub use challenge::{BadNonce, WorkerNonce, answer};
pub use error::WorkerError;

/// Finds out where this worker can be reached: connects to the address that it connected from, at
/// this port, or to the one that it advertises (`host` or `host:port`).
///
/// This verifies only that something takes the connection; [`verify_same`] also verifies that it is
/// this worker.
///
/// # Errors
///
/// [`WorkerError`]: show it to people, and to the worker. Trying again helps if the worker did not
/// listen yet.
///
/// # Cancel safety
///
/// Safe.
pub async fn verify(
    peer: SocketAddr,
    advertised: Option<&str>,
    port: u16,
    timeout: Duration,
) -> Result<WorkerAddress, WorkerError> {
    connect(Attempt::new(peer, advertised, port)?, timeout, None).await
}

/// Does what [`verify`] does, and lets the process that takes the connection prove that it has this
/// nonce, by calling [`answer`]. The nonce itself is not sent.
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
    advertised: Option<&str>,
    port: u16,
    nonce: WorkerNonce,
    timeout: Duration,
) -> Result<WorkerAddress, WorkerError> {
    connect(Attempt::new(peer, advertised, port)?, timeout, Some(nonce)).await
}

/// Which worker is looked for, and where.
struct Attempt {
    from: SocketAddr,
    tried: WorkerAddress,
    is_advertised: bool,
}

impl Attempt {
    fn new(peer: SocketAddr, advertised: Option<&str>, port: u16) -> Result<Self, WorkerError> {
        Ok(Self {
            from: canonical(peer),
            tried: WorkerAddress::of(peer, advertised, port)?,
            is_advertised: advertised.is_some(),
        })
    }
}

async fn connect(
    attempt: Attempt,
    patience: Duration,
    nonce: Option<WorkerNonce>,
) -> Result<WorkerAddress, WorkerError> {
    let Attempt {
        from,
        tried,
        is_advertised,
    } = attempt;
    let mut is_connected = false;
    let verified = async {
        let mut stream = match &tried {
            WorkerAddress::Seen(address) => TcpStream::connect(address).await?,
            WorkerAddress::Advertised { host, port } => {
                // A name may resolve to a bind address, too.
                let found = tokio::net::lookup_host((host.as_str(), *port)).await?;
                let found: Vec<SocketAddr> = found.filter(|at| is_one_host(at.ip())).collect();
                TcpStream::connect(&found[..]).await?
            }
        };
        is_connected = true;
        match nonce {
            None => Ok(true),
            Some(nonce) => challenge::has_nonce(&mut stream, nonce).await,
        }
    };
    let source = match tokio::time::timeout(patience, verified).await {
        Ok(Ok(true)) => return Ok(tried),
        Ok(Ok(false)) => {
            return Err(WorkerError::SomebodyElse {
                from,
                tried,
                is_advertised,
            });
        }
        Ok(Err(error)) => error,
        Err(_) if is_connected => {
            return Err(WorkerError::Silent {
                from,
                tried,
                is_advertised,
            });
        }
        Err(_) => io::Error::new(io::ErrorKind::TimedOut, "no answer in time"),
    };
    Err(WorkerError::NotReached {
        from,
        tried,
        is_advertised,
        source,
    })
}

#[cfg(test)]
mod tests;
