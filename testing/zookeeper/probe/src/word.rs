//! Words of four letters, which stand in place of a connection's first frame.

use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, ToSocketAddrs};

/// Asks a server a four-letter word, as in `ruok` or `mntr`, and returns its answer up to the end
/// of the connection.
///
/// # Errors
///
/// If the server is not reached, or its answer is not text.
pub async fn four_letter_word(address: impl ToSocketAddrs, word: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(word.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}
