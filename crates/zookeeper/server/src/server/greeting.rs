//! The first bytes of a connection: what the client wants, as far as they tell.

use incumbent_zk_proto::jute::LENGTH_BYTES;
use tokio::io::{AsyncRead, AsyncReadExt};

use super::end::End;
use super::hub::Hub;
use super::words;

/// What the first bytes of a connection are.
pub(super) enum Greeting {
    /// A four-letter word that ZooKeeper knows.
    Word(&'static str),
    /// The frame with the request to connect.
    Connect(Vec<u8>),
}

/// Reads the first bytes of a connection.
pub(super) async fn greeting<S: AsyncRead + Unpin>(
    hub: &Hub,
    stream: &mut S,
) -> Result<Greeting, End> {
    let read = async {
        let mut first = [0; LENGTH_BYTES];
        stream.read_exact(&mut first).await?;
        // As the length of a frame, a word would be far too large.
        if let Some(word) = words::parse(first) {
            return Ok(Greeting::Word(word));
        }
        let limit = hub.options.max_frame;
        let length = i32::from_be_bytes(first);
        let Some(valid) = usize::try_from(length)
            .ok()
            .filter(|length| *length <= limit)
        else {
            return Err(other_language(first).unwrap_or(End::Length { length, limit }));
        };
        let mut frame = vec![0; valid];
        stream.read_exact(&mut frame).await?;
        hub.meters.bytes_received.add(LENGTH_BYTES + valid);
        Ok(Greeting::Connect(frame))
    };
    let timeout = hub.options.greeting_timeout;
    match tokio::time::timeout(timeout, read).await {
        Ok(read) => read,
        Err(_) => {
            hub.meters.silent.add(1);
            Err(End::Silent(timeout))
        }
    }
}

/// What a client speaks whose first bytes are no length of a frame.
fn other_language(first: [u8; LENGTH_BYTES]) -> Option<End> {
    /// A TLS record with a handshake, and the major version that all of them name.
    const TLS: [u8; 2] = [22, 3];
    /// Telnet's way to say goodbye: interrupt process, do timing mark.
    const TELNET_CLOSES: [u8; 4] = [0xff, 0xf4, 0xff, 0xfd];
    const HTTP: [&[u8; 4]; 6] = [b"GET ", b"POST", b"PUT ", b"HEAD", b"OPTI", b"PRI "];
    if first[..2] == TLS {
        return Some(End::Language("TLS, which is served on --tls-listen only"));
    }
    if HTTP.contains(&&first) {
        return Some(End::Language("HTTP; metrics are served on --status-listen"));
    }
    if first == TELNET_CLOSES {
        return Some(End::Done);
    }
    let is_text = first.iter().all(u8::is_ascii_graphic);
    is_text.then(|| End::Word(first.map(char::from).iter().collect()))
}
