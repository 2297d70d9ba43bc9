//! An answer that goes on: server-sent events.

use std::collections::VecDeque;

use http_body_util::BodyExt;

use super::Answer;

/// Longest event, in bytes: beyond it the answer is given up.
const LARGEST_EVENT: usize = 4 * 1024 * 1024;

/// One event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Event {
    /// What to name to go on behind it, if anything.
    pub(crate) id: Option<String>,
    /// Its kind; `message` if it names none.
    pub(crate) kind: String,
    pub(crate) data: String,
}

/// The events of one answer.
#[derive(Debug)]
pub(crate) struct Events {
    answer: Answer,
    parser: Parser,
    ready: VecDeque<Event>,
}

impl Events {
    pub(crate) fn of(answer: Answer) -> Self {
        Self {
            answer,
            parser: Parser::default(),
            ready: VecDeque::new(),
        }
    }

    /// The next event; `None` when the answer has ended, in whatever way.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost.
    pub(crate) async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(event);
            }
            let frame = self.answer.response.body_mut().frame().await?.ok()?;
            if let Ok(data) = frame.into_data() {
                self.parser.push(&data, &mut self.ready)?;
            }
        }
    }
}

/// Parses the stream: lines `field: value`, an empty line ends an event.
#[derive(Debug, Default)]
struct Parser {
    line: Vec<u8>,
    event: Event,
    has_data: bool,
    is_after_return: bool,
}

impl Parser {
    /// Takes a piece. `None`: an event is too long.
    fn push(&mut self, piece: &[u8], ready: &mut VecDeque<Event>) -> Option<()> {
        for &byte in piece {
            let was_return = std::mem::replace(&mut self.is_after_return, byte == b'\r');
            match byte {
                b'\n' if was_return => {}
                b'\n' | b'\r' => self.end_line(ready),
                byte => self.line.push(byte),
            }
            if self.line.len() + self.event.data.len() > LARGEST_EVENT {
                return None;
            }
        }
        Some(())
    }

    fn end_line(&mut self, ready: &mut VecDeque<Event>) {
        let line = std::mem::take(&mut self.line);
        let line = String::from_utf8_lossy(&line);
        if line.is_empty() {
            let mut event = std::mem::take(&mut self.event);
            if std::mem::take(&mut self.has_data) {
                if event.kind.is_empty() {
                    event.kind = "message".into();
                }
                ready.push_back(event);
            }
            return;
        }
        let (field, value) = line.split_once(':').unwrap_or((&line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "data" => {
                if self.has_data {
                    self.event.data.push('\n');
                }
                self.event.data.push_str(value);
                self.has_data = true;
            }
            "event" => value.clone_into(&mut self.event.kind),
            "id" => self.event.id = Some(value.to_owned()),
            // Comments keep the connection alive; `retry` is for browsers.
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(pieces: &[&str]) -> Vec<Event> {
        let (mut parser, mut ready) = (Parser::default(), VecDeque::new());
        for piece in pieces {
            parser.push(piece.as_bytes(), &mut ready).unwrap();
        }
        ready.into()
    }

    fn event(id: Option<&str>, kind: &str, data: &str) -> Event {
        Event {
            id: id.map(str::to_owned),
            kind: kind.into(),
            data: data.into(),
        }
    }

    #[test]
    fn events_are_read_wherever_the_pieces_break() {
        let text = ": hello\n\nid: 7\nevent: log\ndata: a\ndata: b\n\ndata:x\r\n\r\nid: 8\n\n";
        let expected = [event(Some("7"), "log", "a\nb"), event(None, "message", "x")];
        assert_eq!(parsed(&[text]), expected);
        let bytes: Vec<_> = text.chars().map(String::from).collect();
        let pieces: Vec<_> = bytes.iter().map(String::as_str).collect();
        assert_eq!(parsed(&pieces), expected);
    }

    #[test]
    fn an_event_without_an_end_is_given_up() {
        let (mut parser, mut ready) = (Parser::default(), VecDeque::new());
        let piece = vec![b'x'; LARGEST_EVENT + 1];
        assert_eq!(parser.push(&piece, &mut ready), None);
    }
}
