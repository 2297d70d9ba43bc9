//! [`Look`]: what the bytes of an upload say of it, as they pass. Pure.

/// What a program of the task contract has in it: the name of the variable that says where its
/// socket is.
const OF_CONTRACT: &[u8] = b"INCUMBENT_TASK_SOCKET";

/// Bytes at the beginning that say what a file is.
pub(crate) const HEAD: usize = 4;

/// Looks for the name of the socket's variable, over the borders of pieces.
#[derive(Debug, Default)]
pub(crate) struct Look {
    before: Vec<u8>,
    has_found: bool,
}

impl Look {
    pub(crate) fn at(&mut self, piece: &[u8]) {
        if self.has_found {
            return;
        }
        let is_there = |bytes: &[u8]| {
            bytes
                .windows(OF_CONTRACT.len())
                .any(|window| window == OF_CONTRACT)
        };
        let kept = OF_CONTRACT.len() - 1;
        let mut border = std::mem::take(&mut self.before);
        border.extend_from_slice(&piece[..piece.len().min(kept)]);
        self.has_found = is_there(&border) || is_there(piece);
        self.before = match piece.len() >= kept {
            true => piece[piece.len() - kept..].to_vec(),
            false => border[border.len().saturating_sub(kept)..].to_vec(),
        };
    }

    pub(crate) fn speaks_contract(&self) -> bool {
        self.has_found
    }
}

/// Why what begins so is no program, if it is none.
pub(crate) fn why_not(head: &[u8]) -> Option<&'static str> {
    match head {
        [0x7f, b'E', b'L', b'F', ..] | [b'#', b'!', ..] => None,
        [] => Some("it is empty"),
        [b'P', b'K', ..] => Some(
            "it is an archive, as the jars of Flink are: Incumbent runs no jobs of Flink. A job here is a program",
        ),
        [0xca, 0xfe, 0xba, 0xbe, ..] | [0xcf, 0xfa, ..] => Some("it is not a program for Linux"),
        _ => Some("it begins like no program"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_of_the_contract_is_known_however_it_is_cut() {
        let program = [b"\x7fELF....".as_slice(), OF_CONTRACT, b"...."].concat();
        for size in 1..=program.len() {
            let mut look = Look::default();
            program.chunks(size).for_each(|piece| look.at(piece));
            assert!(look.speaks_contract(), "{size}");
        }
        let mut look = Look::default();
        look.at(b"INCUMBENT_TASK");
        look.at(b"-SOCKET");
        assert!(!look.speaks_contract());
    }

    #[test]
    fn what_is_no_program_is_told_why() {
        for program in [b"\x7fELF".as_slice(), b"#!/bin/sh"] {
            assert_eq!(why_not(program), None);
        }
        assert!(why_not(b"PK\x03\x04").unwrap().contains("jars of Flink"));
        for other in [b"".as_slice(), b"#", b"MZ\x90\x00", b"<htm"] {
            assert!(why_not(other).is_some());
        }
    }
}
