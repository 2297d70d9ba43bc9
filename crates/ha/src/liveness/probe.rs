//! The standby's side.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use incumbent_backend::{Pace, jitter};
use incumbent_core::{HolderName, Nonce};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use super::{GREETING, LONGEST_LINE};

/// How long an attempt to connect may take before it is given up. That proves nothing.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// The pause after a connection has ended that lasted for a retry period or longer. Short, because
/// the next attempt is what proves that the leader is dead.
const FIRST_PAUSE: Duration = Duration::from_millis(2);

/// How long `who` may take.
const WHO_TIMEOUT: Duration = Duration::from_secs(2);

/// Why the holder of a term does not stand in the way any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Nothing listens at its liveness endpoint any more: its process is dead.
    Refused,
    /// Its liveness endpoint answers for another term, or for none: the process may live, and the
    /// term is over.
    AnotherNonce,
    /// The backend saw it, and does not see it any more. That is no proof.
    Vanished,
    /// The system that ran it says that it has ended, and how.
    Ended(String),
}

/// What one connection came to.
enum Seen {
    Refused,
    AnotherNonce,
    /// It said the nonce, and the connection ended later.
    Ended,
    /// It said nothing that can be understood: no verdict.
    Nothing,
}

/// Stays connected to the holder of the term with this nonce, and returns when it is proven dead.
///
/// `same_scope` says that it runs under the same kernel and in the same network, so that even a
/// first refusal is a proof. Otherwise the holder must have been seen alive under this address
/// before, because the address may lead nowhere from here.
pub(crate) async fn probe(
    address: &str,
    nonce: Nonce,
    same_scope: bool,
    name: &HolderName,
    retry: Duration,
) -> Verdict {
    let mut pace = Pace::new(FIRST_PAUSE, retry);
    let mut met = same_scope;
    loop {
        let begun = tokio::time::Instant::now();
        let seen = connect(address, nonce, name).await;
        let mut lasted = Duration::ZERO;
        match seen {
            // If the address has moved to another host, a refusal says nothing about the leader.
            Seen::Refused if met && (!same_scope || is_local(address)) => return Verdict::Refused,
            Seen::AnotherNonce if met => return Verdict::AnotherNonce,
            Seen::Ended => {
                met = true;
                lasted = begun.elapsed();
            }
            Seen::Refused | Seen::AnotherNonce | Seen::Nothing => {}
        }
        tokio::time::sleep(pace.after_run(lasted, jitter())).await;
    }
}

/// Whether this is an address of this host, as it is now.
fn is_local(address: &str) -> bool {
    let address = address.parse::<SocketAddr>().map(|address| address.ip());
    address.is_ok_and(|ip| ip.is_loopback() || UdpSocket::bind((ip, 0)).is_ok())
}

async fn connect(address: &str, nonce: Nonce, name: &HolderName) -> Seen {
    let mut stream = match tokio::time::timeout(CONNECT_TIMEOUT, TcpStream::connect(address)).await
    {
        Ok(Ok(stream)) => BufReader::new(stream),
        Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => return Seen::Refused,
        Ok(Err(_)) | Err(_) => return Seen::Nothing,
    };
    // No time-out: the kernel accepts for a stopped process, which says nothing. When it dies, the
    // connection ends.
    let mut line = String::new();
    if (&mut stream)
        .take(LONGEST_LINE)
        .read_line(&mut line)
        .await
        .is_err()
    {
        return Seen::Nothing;
    }
    match line.strip_prefix(GREETING).map(str::trim_end) {
        Some(said) if said == nonce.to_string() => {}
        Some(_) => return Seen::AnotherNonce,
        None => return Seen::Nothing,
    }
    tracing::debug!(address, "connected to the leader's liveness endpoint");
    if stream
        .write_all(format!("standby {name}\n").as_bytes())
        .await
        .is_ok()
    {
        let mut rest = [0; 64];
        while stream.read(&mut rest).await.is_ok_and(|n| n > 0) {}
    }
    Seen::Ended
}

/// What a leader's liveness endpoint says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignOfLife {
    /// The nonce of the term that its process is in; `None` if it is in none.
    pub nonce: Option<Nonce>,
    /// The standbys that are connected to it.
    pub standbys: Vec<HolderName>,
}

/// Asks the liveness endpoint at this address.
///
/// # Errors
///
/// Those of the connection. A refused connection proves a death only if it is certain that the
/// right socket refused it.
pub async fn sign_of_life(address: &str) -> io::Result<SignOfLife> {
    let nonsense = || io::Error::other("what listens there is no liveness endpoint");
    let ask = async {
        let mut stream =
            BufReader::new(TcpStream::connect(address).await?).take(LONGEST_LINE * 4096);
        let mut line = String::new();
        stream.read_line(&mut line).await?;
        let said = line.strip_prefix(GREETING).ok_or_else(nonsense)?.trim_end();
        let nonce = match said {
            "idle" => None,
            nonce => Some(nonce.parse().map_err(|_| nonsense())?),
        };
        stream.get_mut().write_all(b"who\n").await?;
        let mut standbys = Vec::new();
        loop {
            line.clear();
            match stream.read_line(&mut line).await? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                _ if line == ".\n" => return Ok(SignOfLife { nonce, standbys }),
                _ => standbys.push(line.trim_end().parse().map_err(|_| nonsense())?),
            }
        }
    };
    tokio::time::timeout(WHO_TIMEOUT, ask)
        .await
        .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}
