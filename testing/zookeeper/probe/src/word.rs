//! Four-letter words, sent instead of the first frame of a connection.

use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, ToSocketAddrs};

/// Sends a four-letter word such as `ruok` or `mntr`. Returns everything up to the end of the
/// connection.
///
/// # Errors
///
/// The server cannot be reached, or its answer is not text.
pub async fn four_letter_word(address: impl ToSocketAddrs, word: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(word.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}
