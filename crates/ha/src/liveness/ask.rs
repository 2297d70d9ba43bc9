//! [`sign_of_life`]: asks a liveness endpoint once what it says, for people.

use std::io;
use std::time::Duration;

use incumbent_core::{HolderName, Nonce};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use super::{GREETING, LONGEST_LINE};

/// How long `who` may take.
const WHO_TIMEOUT: Duration = Duration::from_secs(2);

/// What a liveness endpoint says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignOfLife {
    /// The nonce that its process says: of a leader, that of the term it is in. `None` if it says
    /// none.
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
