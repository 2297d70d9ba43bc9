//! Unpacking.

use std::io::{BufReader, Read};

use flate2::bufread::MultiGzDecoder;

/// How much is read at once of what is packed.
const PACKED: usize = 64 * 1024;

/// Whether a file is packed, by its name.
pub(crate) fn is_packed(name: &str) -> bool {
    name.ends_with(".gz")
}

/// Unpacks. `WouldBlock` of the input is passed on, and nothing is lost by it.
pub(crate) fn unpack(input: Box<dyn Read>) -> Box<dyn Read> {
    Box::new(MultiGzDecoder::new(BufReader::with_capacity(PACKED, input)))
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    /// Gives one byte, then nothing, then one byte.
    struct Slow {
        bytes: io::Cursor<Vec<u8>>,
        is_ready: bool,
    }

    impl Read for Slow {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            self.is_ready = !self.is_ready;
            match self.is_ready {
                true => self.bytes.read(&mut into[..1]),
                false => Err(io::ErrorKind::WouldBlock.into()),
            }
        }
    }

    #[test]
    fn an_input_that_comes_byte_by_byte_is_unpacked_whole() {
        let text = "some text, ".repeat(100);
        let packed = || {
            let mut packer = GzEncoder::new(Vec::new(), Compression::default());
            packer.write_all(text.as_bytes()).unwrap();
            packer.finish().unwrap()
        };
        // Two members, as of files that were put behind each other.
        let bytes = io::Cursor::new([packed(), packed()].concat());
        let mut input = unpack(Box::new(Slow {
            bytes,
            is_ready: false,
        }));
        let mut unpacked = Vec::new();
        let mut buffer = [0; 100];
        loop {
            match input.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => unpacked.extend_from_slice(&buffer[..read]),
                Err(error) => assert_eq!(error.kind(), io::ErrorKind::WouldBlock),
            }
        }
        assert_eq!(unpacked, text.repeat(2).into_bytes());
    }
}
