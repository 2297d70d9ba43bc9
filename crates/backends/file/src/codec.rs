//! The content of a version file: the body, and one line that shows that the body is whole.
//!
//! ```text
//! {"epoch":7,"holder":"a"}
//! #incumbent 1 len=24 crc32=9ae0daaf
//! ```
//!
//! A read computes the last line from the body and compares it byte by byte. So a change of any bit
//! of that line is noticed.

use std::path::Path;

use crate::error::FileError;

/// The format version of the store and of its files.
pub(crate) const FORMAT: u64 = 1;

/// Longest last line.
const LONGEST_TRAILER: usize = 100;

/// What a person can do if the newest file of a key is damaged.
const REMEDY: &str = "stop all processes that use this store and move the file away: the number \
                      before it counts again, and what the file held is lost; if no number is \
                      before it, move the whole directory of the key away, and the key is absent";

/// What a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A version: the body of a key.
    Body,
    /// The end of a generation: the name of the directory in which the next one is prepared.
    Forward,
}

impl Kind {
    fn mark(self) -> &'static str {
        match self {
            Self::Body => "#incumbent",
            Self::Forward => "#incumbent-forward",
        }
    }
}

pub(crate) fn encode(kind: Kind, body: &[u8]) -> Vec<u8> {
    let mut file = Vec::with_capacity(body.len() + LONGEST_TRAILER);
    file.extend_from_slice(body);
    file.extend_from_slice(trailer(kind, body).as_bytes());
    file
}

/// Returns the body, if the file is whole and of this kind.
pub(crate) fn decode(kind: Kind, path: &Path, mut file: Vec<u8>) -> Result<Vec<u8>, FileError> {
    let end = file.len().saturating_sub(1);
    let start = file[..end]
        .iter()
        .rposition(|byte| *byte == b'\n')
        .unwrap_or(0);
    let (body, line) = file.split_at(start);
    if line == trailer(kind, body).as_bytes() {
        file.truncate(start);
        return Ok(file);
    }
    Err(FileError::damaged(path, what_is_wrong(kind, line)))
}

fn trailer(kind: Kind, body: &[u8]) -> String {
    format!(
        "\n{} {FORMAT} len={} crc32={:08x}\n",
        kind.mark(),
        body.len(),
        crc32fast::hash(body)
    )
}

fn what_is_wrong(kind: Kind, line: &[u8]) -> String {
    let line = String::from_utf8_lossy(&line[..line.len().min(LONGEST_TRAILER)]);
    let mut words = line.split_whitespace();
    if words.next() != Some(kind.mark()) {
        let mark = kind.mark();
        return format!("its last line does not begin with {mark}; {REMEDY}");
    }
    match words.next().and_then(|word| word.parse::<u64>().ok()) {
        Some(format) if format > FORMAT => {
            format!("its format {format} is newer than {FORMAT}; use a newer version of Incumbent")
        }
        _ => format!("it is not what its last line says; {REMEDY}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(file: &[u8]) -> Result<Vec<u8>, FileError> {
        decode(Kind::Body, Path::new("/the/file"), file.to_vec())
    }

    #[test]
    fn bodies_come_back() {
        for body in [
            &b""[..],
            b"\n",
            b"{}",
            b"x\n#incumbent 1 len=1 crc32=8cdc1683\n",
            &[0, 255, 10],
        ] {
            assert_eq!(decoded(&encode(Kind::Body, body)).unwrap(), body);
        }
    }

    #[test]
    fn every_truncation_and_every_changed_bit_is_damage_that_names_the_file() {
        let whole = encode(Kind::Body, b"{\"epoch\":7,\n\"holder\":\"a\"}");
        for length in 0..whole.len() {
            assert!(
                decoded(&whole[..length])
                    .unwrap_err()
                    .to_string()
                    .contains("/the/file"),
                "{length}"
            );
        }
        for at in 0..whole.len() {
            for bit in 0..8 {
                let mut file = whole.clone();
                file[at] ^= 1 << bit;
                assert!(decoded(&file).is_err(), "byte {at}, bit {bit}");
            }
        }
    }

    #[test]
    fn other_kinds_and_newer_formats_are_refused() {
        assert!(decoded(&encode(Kind::Forward, b"x")).is_err());
        let newer = String::from_utf8(encode(Kind::Body, b"x"))
            .unwrap()
            .replace(" 1 ", " 2 ");
        assert!(
            decoded(newer.as_bytes())
                .unwrap_err()
                .to_string()
                .contains("newer")
        );
    }
}
