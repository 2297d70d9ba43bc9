//! How a process proves that it is the worker: [`WorkerNonce`].

use std::fmt;
use std::io;
use std::str::FromStr;

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Both sides begin with this, so that a process that speaks another protocol is recognized and
/// learns nothing.
const HELLO: [u8; 16] = *b"incumbent-worker";
const NONCE: usize = 16;
const CHALLENGE: usize = HELLO.len() + NONCE;
const ANSWER: usize = HELLO.len() + 32;

/// Identifies one process of a worker. The worker makes a nonce when it starts, and sends it when
/// it connects.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct WorkerNonce([u8; NONCE]);

/// A text that is no nonce.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a nonce has 32 hexadecimal digits")]
pub struct BadNonce;

/// The worker's side of [`verify_same`](super::verify_same), on a connection that it has just
/// accepted: reads the challenge, and answers it.
///
/// # Errors
///
/// Those of the connection; [`InvalidData`](io::ErrorKind::InvalidData) if the other side sent no
/// challenge. There is no time-out: the caller sets one.
///
/// # Cancel safety
///
/// The connection cannot be used any more.
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

/// Whether the process at the other end has this nonce.
pub(super) async fn has_nonce(stream: &mut TcpStream, nonce: WorkerNonce) -> io::Result<bool> {
    let mut challenge = [0; CHALLENGE];
    challenge[..HELLO.len()].copy_from_slice(&HELLO);
    challenge[HELLO.len()..].copy_from_slice(&rand::random::<[u8; NONCE]>());
    stream.write_all(&challenge).await?;
    let mut answer = [0; ANSWER];
    match stream.read_exact(&mut answer).await {
        Ok(_) => Ok(bool::from(answer.ct_eq(&expected(&challenge, nonce)))),
        // It closes the connection because it does not understand the challenge.
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

impl WorkerNonce {
    /// A nonce that no other process has.
    pub fn random() -> Self {
        Self(rand::random())
    }
}

impl fmt::Display for WorkerNonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

/// Without the number: a nonce does not belong in logs.
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
