//! A socket with a buffer for each direction; both are reused.

use incumbent_zk_proto::jute::LENGTH_BYTES;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, ToSocketAddrs};

use crate::Error;

/// The longest frame that is read. Requests have at most a MiB; lists of children may be longer.
const LONGEST_FRAME: usize = 64 << 20;
/// How many bytes are read at once: some hundred small replies.
const READ_BYTES: usize = 16 << 10;

#[derive(Debug)]
pub(crate) struct Wire {
    stream: TcpStream,
    input: Vec<u8>,
    /// Where the next frame starts in `input`.
    at: usize,
    pub(crate) output: Vec<u8>,
}

impl Wire {
    pub(crate) async fn connect(address: impl ToSocketAddrs) -> Result<Self, Error> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            input: Vec::with_capacity(READ_BYTES),
            at: 0,
            output: Vec::new(),
        })
    }

    /// Sends the bytes in `output`.
    pub(crate) async fn flush(&mut self) -> Result<(), Error> {
        let sent = self.stream.write_all(&self.output).await;
        self.output.clear();
        sent.map_err(Error::from_io)
    }

    pub(crate) async fn finish(&mut self) -> Result<(), Error> {
        self.stream.shutdown().await.map_err(Error::from_io)
    }

    /// The next frame, without its length. Cancel safe.
    pub(crate) async fn frame(&mut self) -> Result<&[u8], Error> {
        let length = loop {
            let there = self.input.len() - self.at;
            let wanted = match self.length()? {
                Some(length) if there >= LENGTH_BYTES + length => break length,
                Some(length) => LENGTH_BYTES + length - there,
                None => LENGTH_BYTES - there,
            };
            self.fill(wanted).await?;
        };
        let start = self.at + LENGTH_BYTES;
        self.at = start + length;
        Ok(&self.input[start..self.at])
    }

    /// Whether a whole frame has come already.
    pub(crate) fn has_frame(&self) -> bool {
        let there = self.input.len() - self.at;
        self.length()
            .is_ok_and(|length| length.is_some_and(|length| there >= LENGTH_BYTES + length))
    }

    fn length(&self) -> Result<Option<usize>, Error> {
        let Some(bytes) = self.input[self.at..].first_chunk::<LENGTH_BYTES>() else {
            return Ok(None);
        };
        let length = i32::from_be_bytes(*bytes);
        match usize::try_from(length) {
            Ok(length) if length <= LONGEST_FRAME => Ok(Some(length)),
            _ => Err(Error::FrameTooLong(length)),
        }
    }

    async fn fill(&mut self, wanted: usize) -> Result<(), Error> {
        self.input.drain(..self.at);
        self.at = 0;
        self.input.reserve(wanted.max(READ_BYTES));
        match self.stream.read_buf(&mut self.input).await {
            Ok(0) => Err(Error::Closed),
            Ok(_) => Ok(()),
            Err(error) => Err(Error::from_io(error)),
        }
    }
}

impl Error {
    /// A server that closes while requests are on their way resets the connection. That counts as
    /// closing.
    fn from_io(error: std::io::Error) -> Self {
        use std::io::ErrorKind::{BrokenPipe, ConnectionReset};
        match error.kind() {
            BrokenPipe | ConnectionReset => Self::Closed,
            _ => Self::Io(error),
        }
    }
}
