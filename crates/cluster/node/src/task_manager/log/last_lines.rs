//! [`LastLines`]: the last lines of a log, for the report of its end.

use std::collections::VecDeque;

/// Most lines that a report of an end has.
pub(in super::super) const MOST_LINES: usize = 20;

/// Most bytes of these lines together: they become part of the job's record.
pub(in super::super) const MOST_BYTES: usize = 4 * 1024;

/// The last bytes of a log, in memory, so that they are there on a full disk too.
#[derive(Debug, Default)]
pub(in super::super) struct LastLines {
    bytes: VecDeque<u8>,
    /// Whether bytes before these were dropped.
    is_cut: bool,
}

impl LastLines {
    /// The task has printed this.
    pub(in super::super) fn push(&mut self, bytes: &[u8]) {
        // Two more than are shown: the newline before them, and the one at the end.
        const ROOM: usize = MOST_BYTES + 2;
        let newest = &bytes[bytes.len().saturating_sub(ROOM)..];
        let surplus = (self.bytes.len() + newest.len()).saturating_sub(ROOM);
        self.is_cut |= surplus > 0 || newest.len() < bytes.len();
        self.bytes.drain(..surplus);
        self.bytes.extend(newest);
    }

    /// The last [`MOST_LINES`] lines, at most [`MOST_BYTES`] in all. The first one may be the end
    /// of a longer line if nothing else is there. What is no text is replaced.
    pub(in super::super) fn lines(&self) -> Vec<String> {
        let bytes: Vec<u8> = self.bytes.iter().copied().collect();
        let text = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
        if text.is_empty() {
            return Vec::new();
        }
        let mut lines: Vec<&[u8]> = text.split(|&byte| byte == b'\n').collect();
        if self.is_cut && lines.len() > 1 {
            lines.remove(0);
        }
        let mut room = MOST_BYTES;
        let mut shown: Vec<String> = Vec::new();
        for line in lines.iter().rev().take(MOST_LINES) {
            let line = String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(line));
            let line = end_of(&line, room);
            // One for the newline.
            room = room.saturating_sub(line.len() + 1);
            shown.push(line.to_owned());
            if room == 0 {
                break;
            }
        }
        shown.reverse();
        shown
    }
}

/// The last bytes of a text, at most this many.
fn end_of(text: &str, most: usize) -> &str {
    let mut from = text.len().saturating_sub(most);
    while !text.is_char_boundary(from) {
        from += 1;
    }
    &text[from..]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(parts: &[&[u8]]) -> Vec<String> {
        let mut last = LastLines::default();
        parts.iter().for_each(|part| last.push(part));
        last.lines()
    }

    #[test]
    fn lines_come_whole_whatever_pieces_they_came_in() {
        assert_eq!(after(&[]), [""; 0]);
        assert_eq!(after(&[b"a\nb", b"c\r\n\nd"]), ["a", "bc", "", "d"]);
        assert_eq!(after(&[b"a\n"]), ["a"]);
        assert_eq!(after(&[b"\xff\n"]), ["\u{fffd}"]);
    }

    #[test]
    fn only_the_last_ones_are_kept() {
        let many: String = (0..1000).map(|number| format!("line {number}\n")).collect();
        let lines = after(&[many.as_bytes(), b"end"]);
        assert_eq!(lines.len(), MOST_LINES);
        assert_eq!(lines[0], "line 981");
        assert_eq!(lines[MOST_LINES - 1], "end");
    }

    #[test]
    fn a_line_without_end_is_cut() {
        let long = "x".repeat(100_000);
        let lines = after(&[b"before\n", long.as_bytes(), b"\xc3\xa4\n"]);
        assert_eq!(lines.len(), 1);
        assert!(lines[0].len() <= MOST_BYTES, "{}", lines[0].len());
        assert!(lines[0].ends_with("xx\u{e4}"));
    }

    #[test]
    fn all_lines_together_have_a_limit() {
        let line = "y".repeat(1000);
        let lines = after(&[[line.as_str(); 30].join("\n").as_bytes()]);
        let total: usize = lines.iter().map(|line| line.len() + 1).sum();
        assert!(total <= MOST_BYTES + 1, "{total}");
        assert!(lines.len() >= 4);
    }
}
