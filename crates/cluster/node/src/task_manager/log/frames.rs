//! How a log travels between nodes: frames, so that offsets and gaps arrive with the bytes.
//!
//! ```text
//! b 120 5\nhello      five bytes at offset 120
//! d 0 120\n           the bytes from 0 up to 120 are not there any more
//! h\n                 nothing new; the connection is well
//! e 125\n             the end: a reader that goes on later begins at 125
//! ```
//!
//! A stream that ends without `e` has broken off.

use bytes::{Buf, Bytes, BytesMut};

use super::LogPiece;

/// The content type of a stream of frames.
pub const FRAMES: &str = "application/x-incumbent-log";

/// Longest first line of a frame: a letter and two numbers of twenty digits.
const LONGEST_HEAD: usize = 64;

/// Most bytes in one frame. What is sent has less.
const MOST_BYTES: usize = 1024 * 1024;

/// The stream is no stream of frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("what came is not a stream of log frames")]
pub struct FrameError;

/// Takes a stream of frames apart, whatever pieces it comes in.
#[derive(Debug, Default)]
pub struct FrameDecoder {
    buffer: BytesMut,
    ended_at: Option<u64>,
}

/// A heartbeat.
pub(in super::super) fn heartbeat() -> Bytes {
    Bytes::from_static(b"h\n")
}

/// The end of a log at this offset.
pub(in super::super) fn end(offset: u64) -> Bytes {
    format!("e {offset}\n").into()
}

/// A piece as a frame.
pub(in super::super) fn of_piece(piece: &LogPiece) -> Bytes {
    match piece {
        LogPiece::Bytes { offset, bytes } => {
            let mut frame = format!("b {offset} {}\n", bytes.len()).into_bytes();
            frame.extend_from_slice(bytes);
            frame.into()
        }
        LogPiece::Dropped { from, to } => format!("d {from} {to}\n").into(),
    }
}

impl FrameDecoder {
    /// What has arrived.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next piece that has arrived whole.
    ///
    /// # Errors
    ///
    /// [`FrameError`]: the rest cannot be understood.
    pub fn next_piece(&mut self) -> Result<Option<LogPiece>, FrameError> {
        loop {
            let shown = &self.buffer[..self.buffer.len().min(LONGEST_HEAD)];
            let Some(newline) = shown.iter().position(|&byte| byte == b'\n') else {
                return match shown.len() {
                    LONGEST_HEAD => Err(FrameError),
                    _ => Ok(None),
                };
            };
            let head = std::str::from_utf8(&shown[..newline]).map_err(|_| FrameError)?;
            let words: Vec<&str> = head.split(' ').collect();
            match words[..] {
                ["b", offset, length] => {
                    let offset = number(offset)?;
                    let length = usize::try_from(number(length)?).map_err(|_| FrameError)?;
                    if length > MOST_BYTES {
                        return Err(FrameError);
                    }
                    if self.buffer.len() < newline + 1 + length {
                        return Ok(None);
                    }
                    self.buffer.advance(newline + 1);
                    let bytes = self.buffer.split_to(length).freeze();
                    return Ok(Some(LogPiece::Bytes { offset, bytes }));
                }
                ["d", from, to] => {
                    let (from, to) = (number(from)?, number(to)?);
                    self.buffer.advance(newline + 1);
                    return Ok(Some(LogPiece::Dropped { from, to }));
                }
                ["e", offset] => self.ended_at = Some(number(offset)?),
                ["h"] => {}
                _ => return Err(FrameError),
            }
            self.buffer.advance(newline + 1);
        }
    }

    /// The offset of the end, if it has come. Without it the stream has broken off.
    pub fn ended_at(&self) -> Option<u64> {
        self.ended_at
    }
}

fn number(word: &str) -> Result<u64, FrameError> {
    word.parse().map_err(|_| FrameError)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces() -> [LogPiece; 3] {
        [
            LogPiece::Dropped { from: 0, to: 7 },
            LogPiece::Bytes {
                offset: 7,
                bytes: Bytes::from_static(b"b 1 1\n\n"),
            },
            LogPiece::Bytes {
                offset: u64::MAX - 1,
                bytes: Bytes::from_static(b"\xff"),
            },
        ]
    }

    #[test]
    fn frames_are_read_back_whatever_pieces_they_come_in() {
        let mut stream = Vec::new();
        for piece in pieces() {
            stream.extend_from_slice(&of_piece(&piece));
            stream.extend_from_slice(&heartbeat());
        }
        stream.extend_from_slice(&end(42));
        for size in [1, 2, 3, 1000] {
            let mut decoder = FrameDecoder::default();
            let mut found = Vec::new();
            for part in stream.chunks(size) {
                decoder.push(part);
                found.extend(std::iter::from_fn(|| decoder.next_piece().unwrap()));
            }
            assert_eq!(found, pieces(), "{size}");
            assert_eq!(decoder.ended_at(), Some(42));
        }
    }

    #[test]
    fn what_is_no_frame_is_refused() {
        for bad in ["x\n", "b 1\n", "b 1 -1\n", "b 1 2000000\n", "d 1 2 3\n"] {
            let mut decoder = FrameDecoder::default();
            decoder.push(bad.as_bytes());
            assert_eq!(decoder.next_piece(), Err(FrameError), "{bad}");
        }
        let mut decoder = FrameDecoder::default();
        decoder.push(&[b'9'; LONGEST_HEAD]);
        assert_eq!(decoder.next_piece(), Err(FrameError));
    }

    #[test]
    fn a_stream_that_breaks_off_has_no_end() {
        let mut decoder = FrameDecoder::default();
        decoder.push(b"b 0 5\nhel");
        assert_eq!(decoder.next_piece(), Ok(None));
        assert_eq!(decoder.ended_at(), None);
    }
}
