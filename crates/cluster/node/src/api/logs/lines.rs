//! [`Lines`]: bytes as lines, each with the offset after it. Pure.

/// The longest line that is passed on whole, in bytes. What is longer comes in pieces.
pub const LONGEST_LINE: usize = 64 * 1024;

/// A line, without its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) text: String,
    /// The offset after it: where to go on.
    pub(super) end: u64,
}

/// Takes bytes apart.
#[derive(Debug)]
pub(super) struct Lines {
    /// Of a line whose end has not come.
    rest: Vec<u8>,
    /// The offset of the next byte.
    offset: u64,
}

impl Lines {
    /// Lines from this offset on.
    pub(super) fn at(offset: u64) -> Self {
        Self {
            rest: Vec::new(),
            offset,
        }
    }

    /// The offset after the last whole line. What follows it is to be read again after a break.
    pub(super) fn whole(&self) -> u64 {
        self.offset - self.rest.len() as u64
    }

    /// The lines that these bytes complete. Bytes that were seen already are left out.
    pub(super) fn push(&mut self, offset: u64, mut bytes: &[u8]) -> Vec<Line> {
        if offset > self.offset {
            // Between the two, bytes are missing. What came before is no line, and not nothing.
            let cut = self.flush();
            self.offset = offset;
            let mut lines: Vec<Line> = cut.into_iter().collect();
            lines.extend(self.push(offset, bytes));
            return lines;
        }
        let seen = usize::try_from(self.offset - offset).unwrap_or(usize::MAX);
        bytes = bytes.get(seen..).unwrap_or_default();
        let mut lines = Vec::new();
        while !bytes.is_empty() {
            let room = LONGEST_LINE - self.rest.len();
            let window = &bytes[..bytes.len().min(room)];
            let newline = window.iter().position(|&byte| byte == b'\n');
            let taken = newline.map_or(window.len(), |at| at + 1);
            self.rest.extend_from_slice(&bytes[..taken]);
            self.offset += taken as u64;
            bytes = &bytes[taken..];
            if newline.is_some() || self.rest.len() == LONGEST_LINE {
                lines.extend(self.flush());
            }
        }
        lines
    }

    /// What came without an end, as a line.
    pub(super) fn flush(&mut self) -> Option<Line> {
        if self.rest.is_empty() {
            return None;
        }
        let rest = std::mem::take(&mut self.rest);
        let text = rest.strip_suffix(b"\n").unwrap_or(&rest);
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        Some(Line {
            text: String::from_utf8_lossy(text).into_owned(),
            end: self.offset,
        })
    }

    /// Forgets what came without an end: it is read again.
    pub(super) fn rewind(&mut self) {
        self.offset = self.whole();
        self.rest.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str, end: u64) -> Line {
        Line {
            text: text.into(),
            end,
        }
    }

    #[test]
    fn lines_are_the_same_whatever_pieces_they_come_in() {
        let text = b"one\ntwo\r\n\nth\xffree";
        let expected = [
            line("one", 4),
            line("two", 9),
            line("", 10),
            line("th\u{fffd}ree", 16),
        ];
        for size in 1..=text.len() {
            let mut lines = Lines::at(0);
            let mut found = Vec::new();
            for (at, piece) in text.chunks(size).enumerate() {
                found.extend(lines.push((at * size) as u64, piece));
            }
            found.extend(lines.flush());
            assert_eq!(found, expected, "{size}");
        }
    }

    #[test]
    fn what_comes_again_after_a_break_comes_once() {
        let mut lines = Lines::at(0);
        assert_eq!(lines.push(0, b"one\ntw"), [line("one", 4)]);
        lines.rewind();
        assert_eq!(lines.whole(), 4);
        assert_eq!(lines.push(0, b"one\ntwo\n"), [line("two", 8)]);
    }

    #[test]
    fn a_gap_ends_the_line_before_it() {
        let mut lines = Lines::at(0);
        lines.push(0, b"cut");
        assert_eq!(lines.push(100, b"on\n"), [line("cut", 3), line("on", 103)]);
    }

    #[test]
    fn a_line_without_an_end_takes_little_memory() {
        let mut lines = Lines::at(0);
        let long = vec![b'x'; 3 * LONGEST_LINE];
        assert_eq!(lines.push(0, &long).len(), 3);
        assert_eq!(lines.whole(), long.len() as u64);
    }
}
