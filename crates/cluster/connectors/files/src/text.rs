//! [`Text`]: a file of NDJSON or CSV that is being read.

use std::io::Read;

use csv::{ByteRecord, ReaderBuilder};
use incumbent_stream::{Batch, Read as Outcome};
use memchr::memchr;
use serde::de::DeserializeOwned;

use crate::Error;
use crate::bad::Bad;
use crate::cut;
use crate::position::Position;
use crate::window::{Filled, LONGEST_RECORD, Window};

/// What some editors put before the text.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// How much is unpacked in one turn of the worker to reach a position again.
const SKIPPED_AT_ONCE: u64 = 1024 * 1024;

/// Which kind of text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Ndjson,
    Csv { delimiter: u8 },
}

/// Opens the file again, from an offset if it can: it returns where the input begins.
pub(crate) type Opener<'a> = &'a mut dyn FnMut(u64) -> Result<(Box<dyn Read>, u64), Error>;

/// A file that is open.
pub(crate) struct Text {
    kind: Kind,
    file: String,
    window: Window,
    /// Where the first unread byte of the window is.
    at: u64,
    /// The names of the fields, once they are read.
    header: Option<ByteRecord>,
}

impl Text {
    /// Opens the file to go on at a position.
    pub(crate) fn open(
        kind: Kind,
        file: &str,
        position: &Position,
        open: Opener<'_>,
    ) -> Result<Self, Error> {
        // The names of the fields are at the beginning.
        let from = match kind {
            Kind::Ndjson => position.offset,
            Kind::Csv { .. } => 0,
        };
        let (input, at) = open(from)?;
        Ok(Self {
            kind,
            file: file.to_owned(),
            window: Window::new(input),
            at,
            header: None,
        })
    }

    /// Gives a batch, and moves the position behind it.
    pub(crate) fn read<T: DeserializeOwned>(
        &mut self,
        position: &mut Position,
        bad: &mut Bad,
        batch: &mut Batch<T>,
        open: Opener<'_>,
    ) -> Result<Outcome, Error> {
        if let Kind::Csv { delimiter } = self.kind
            && self.header.is_none()
        {
            match self.read_header(delimiter, position, open)? {
                Filled::Some => {}
                Filled::Waiting => return Ok(Outcome::Waiting),
                Filled::Ended => return Ok(Outcome::Ended),
            }
        }
        if self.at < position.offset {
            match self.skip_to(position)? {
                Filled::Some if self.at < position.offset => return Ok(Outcome::More),
                Filled::Waiting => return Ok(Outcome::Waiting),
                Filled::Some | Filled::Ended => {}
            }
        }
        loop {
            let unread = self.window.unread();
            let mut length = match self.kind {
                Kind::Ndjson => cut::lines(unread),
                Kind::Csv { delimiter } => cut::records(unread, delimiter),
            };
            if length == 0 && self.window.has_ended() {
                length = unread.len();
            }
            if length > 0 {
                self.decode(length, position, bad, batch)?;
                let is_over = self.window.has_ended() && self.window.unread().is_empty();
                return Ok(if is_over {
                    Outcome::Ended
                } else {
                    Outcome::More
                });
            }
            if unread.len() > LONGEST_RECORD {
                return Err(self.too_long(position));
            }
            match self.fill()? {
                Filled::Waiting => return Ok(Outcome::Waiting),
                Filled::Ended if self.window.unread().is_empty() => return Ok(Outcome::Ended),
                Filled::Some | Filled::Ended => {}
            }
        }
    }

    fn fill(&mut self) -> Result<Filled, Error> {
        self.window.fill().map_err(|error| Error::Read {
            file: self.file.clone(),
            cause: error.into(),
        })
    }

    fn consume(&mut self, length: usize) {
        self.window.consume(length);
        self.at += length as u64;
    }

    /// Reads the names of the fields, and goes to the position, if it is behind them.
    fn read_header(
        &mut self,
        delimiter: u8,
        position: &mut Position,
        open: Opener<'_>,
    ) -> Result<Filled, Error> {
        let length = loop {
            let unread = self.window.unread();
            match cut::first_record(unread, delimiter) {
                0 if self.window.has_ended() && unread.is_empty() => return Ok(Filled::Ended),
                0 if self.window.has_ended() => break unread.len(),
                0 if unread.len() > LONGEST_RECORD => {
                    return Err(self.too_long(&Position::default()));
                }
                0 => {}
                length => break length,
            }
            if self.fill()? == Filled::Waiting {
                return Ok(Filled::Waiting);
            }
        };
        let text = &self.window.unread()[..length];
        let lines = count_lines(text);
        let mut header = ByteRecord::new();
        let read = reader(delimiter, without_mark(text)).read_byte_record(&mut header);
        read.map_err(|error| Error::Bad {
            file: self.file.clone(),
            at: Position::default().to_string(),
            cause: error.into(),
        })?;
        header.trim();
        self.header = Some(header);
        self.consume(length);
        if position.offset < self.at {
            (position.offset, position.line) = (self.at, lines);
        } else if position.offset > self.at {
            let (input, at) = open(position.offset)?;
            // What is packed is at its beginning again; so it is as well to go on here.
            if at > self.at {
                self.window = Window::new(input);
                self.at = at;
            }
        }
        Ok(Filled::Some)
    }

    /// Reads some of what is before the position, and drops it.
    fn skip_to(&mut self, position: &Position) -> Result<Filled, Error> {
        let stop = self.at + SKIPPED_AT_ONCE;
        while self.at < position.offset.min(stop) {
            let due = usize::try_from(position.offset - self.at).unwrap_or(usize::MAX);
            let length = due.min(self.window.unread().len());
            self.consume(length);
            if length == 0 {
                match self.fill()? {
                    Filled::Some => {}
                    Filled::Waiting => return Ok(Filled::Waiting),
                    Filled::Ended => {
                        return Err(Error::Shrunk {
                            file: self.file.clone(),
                            at: position.to_string(),
                        });
                    }
                }
            }
        }
        Ok(Filled::Some)
    }

    /// Decodes whole records of the window.
    fn decode<T: DeserializeOwned>(
        &mut self,
        length: usize,
        position: &mut Position,
        bad: &mut Bad,
        batch: &mut Batch<T>,
    ) -> Result<(), Error> {
        let run = &self.window.unread()[..length];
        match &self.header {
            None => ndjson(run, &self.file, position, bad, batch)?,
            Some(header) => {
                let Kind::Csv { delimiter } = self.kind else {
                    unreachable!("only CSV has a header");
                };
                let mut records = reader(delimiter, run);
                csv_records(&mut records, header, &self.file, position, bad, batch)?;
                position.offset = self.at + length as u64;
            }
        }
        self.consume(length);
        Ok(())
    }

    fn too_long(&self, at: &Position) -> Error {
        too_long(&self.file, at)
    }
}

fn too_long(file: &str, at: &Position) -> Error {
    Error::TooLong {
        file: file.to_owned(),
        at: at.to_string(),
        limit: LONGEST_RECORD,
    }
}

fn without_mark(text: &[u8]) -> &[u8] {
    text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text)
}

/// This is the loop that the speed of a job depends on: nothing is copied here.
fn ndjson<T: DeserializeOwned>(
    run: &[u8],
    file: &str,
    position: &mut Position,
    bad: &mut Bad,
    batch: &mut Batch<T>,
) -> Result<(), Error> {
    let mut rest = run;
    while !rest.is_empty() {
        let length = memchr(b'\n', rest).map_or(rest.len(), |at| at + 1);
        let (whole, after) = rest.split_at(length);
        let line = match position.offset {
            0 => without_mark(whole),
            _ => whole,
        };
        if length > LONGEST_RECORD {
            return Err(too_long(file, position));
        }
        // serde_json takes white space around a value, also the end of a line.
        match serde_json::from_slice(line) {
            Ok(record) => batch.push(record, length),
            Err(_) if line.trim_ascii().is_empty() => {}
            Err(error) => {
                bad.met(file, position.to_string(), error.into())?;
                position.skipped += 1;
            }
        }
        position.offset += length as u64;
        position.line += 1;
        rest = after;
    }
    Ok(())
}

fn csv_records<T: DeserializeOwned>(
    records: &mut csv::Reader<&[u8]>,
    header: &ByteRecord,
    file: &str,
    position: &mut Position,
    bad: &mut Bad,
    batch: &mut Batch<T>,
) -> Result<(), Error> {
    let (start, mut before) = (*position, 0);
    let mut record = ByteRecord::new();
    loop {
        let read = records.read_byte_record(&mut record);
        let after = records.position().byte();
        if !read.map_err(|error| Error::Read {
            file: file.to_owned(),
            cause: error.into(),
        })? {
            position.line = start.line + (records.position().line() - 1);
            return Ok(());
        }
        let length = usize::try_from(after - before).unwrap_or(usize::MAX);
        let fits = record.len() == header.len();
        let decoded = match fits {
            true => record.deserialize(Some(header)).map_err(Into::into),
            false => Err(format!("{} fields, not {}", record.len(), header.len()).into()),
        };
        match decoded {
            Ok(record) => batch.push(record, length),
            Err(error) => {
                let found = record.position().map_or(0, |found| found.line() - 1);
                let at = Position {
                    offset: start.offset + before,
                    line: start.line + found,
                    skipped: 0,
                };
                bad.met(file, at.to_string(), error)?;
                position.skipped += 1;
            }
        }
        before = after;
    }
}

fn reader(delimiter: u8, text: &[u8]) -> csv::Reader<&[u8]> {
    ReaderBuilder::new()
        .delimiter(delimiter)
        .has_headers(false)
        // Their number is checked here, with the place in the file.
        .flexible(true)
        .from_reader(text)
}

fn count_lines(text: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', text).count() as u64
}
