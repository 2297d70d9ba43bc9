//! Reads a segment from its beginning, and tells a write that was cut off from damage.
//!
//! A batch is written after the one before it is on the disk. So only the last one may be cut off,
//! and what is missing of it are whole sectors, any of them, or the rest of one. Everything else is
//! damage:
//!
//! - a sector with a seal that does not fit: it was whole once;
//! - a sector of a later batch: the one that does not check was on the disk then;
//! - anything beyond the end of the batch, or in a later segment.

use super::batch::{self, Head, Position};
use super::header::{BLOCK, Header};
use super::sector::{self, CONTENT, SECTOR, Sector};

/// A complete batch.
#[derive(Debug)]
pub(crate) struct Batch<'a> {
    pub(crate) offset: u64,
    pub(crate) length: u64,
    pub(crate) head: Head,
    pub(crate) entries: Vec<(u64, &'a [u8])>,
}

/// How a segment ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tail {
    /// With zeros: the next batch goes there.
    Open { offset: u64 },
    /// With the remains of a batch that was being written. They end before `until`.
    Torn { offset: u64, until: u64 },
    /// With a mark: the log goes on in the next segment.
    Ended { offset: u64 },
}

/// Damage, and where it is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Damage {
    pub(crate) offset: u64,
    pub(crate) what: String,
}

impl Damage {
    fn at<T>(offset: u64, what: impl Into<String>) -> Result<T, Self> {
        let what = what.into();
        Err(Self { offset, what })
    }
}

/// Reads the batches of a segment in order. `position` is where the log stands before it;
/// `None` for the first segment, where the first batch tells.
pub(crate) fn scan<E: From<Damage>>(
    header: &Header,
    file: &[u8],
    position: &mut Option<Position>,
    mut each: impl FnMut(Batch<'_>) -> Result<(), E>,
) -> Result<Tail, E> {
    let mut body = Vec::new();
    let mut offset = BLOCK;
    while offset < file.len() {
        let Some(head) = read(header.salt, file, offset, &mut body)? else {
            return Ok(tail(header.salt, file, offset, *position)?);
        };
        if position.is_some_and(|position| position != head.after) {
            let found = head.after.sequence;
            Damage::at::<()>(
                offset as u64,
                format!("batch {found} does not follow the batch before it"),
            )?;
        }
        let Some(entries) = batch::entries(&head, &body) else {
            return Ok(Damage::at(
                offset as u64,
                "the entries contradict the head of their batch",
            )?);
        };
        *position = Some(head.next());
        let length = head.blocks() * BLOCK;
        each(Batch {
            offset: offset as u64,
            length: length as u64,
            head,
            entries,
        })?;
        offset += length;
        if head.is_end {
            return Ok(after_end(file, offset)?);
        }
    }
    Ok(Tail::Open {
        offset: offset as u64,
    })
}

/// Reads the batch at `offset`. Returns `None` if some of its sectors are missing.
fn read(salt: u64, file: &[u8], offset: usize, body: &mut Vec<u8>) -> Result<Option<Head>, Damage> {
    let Some((sequence, content)) = whole(salt, file, offset) else {
        return Ok(None);
    };
    let Some(head) = Head::decode(sequence, content) else {
        return Damage::at(offset as u64, "the kind of the batch is unknown");
    };
    let length = head.blocks() * BLOCK;
    if length > file.len() - offset {
        return Damage::at(offset as u64, "the batch is longer than the file");
    }
    body.clear();
    body.extend(&content[batch::HEAD..]);
    for at in (offset..offset + length).step_by(SECTOR).skip(1) {
        match whole(salt, file, at) {
            Some((found, content)) if found == sequence => body.extend(content),
            _ => return Ok(None),
        }
    }
    debug_assert!(body.len() >= CONTENT - batch::HEAD, "there is one sector");
    body.truncate(head.body);
    if !head.fits(body) {
        return Damage::at(offset as u64, "the checksum of the batch is wrong");
    }
    Ok(Some(head))
}

fn whole(salt: u64, file: &[u8], offset: usize) -> Option<(u64, &[u8])> {
    match sector::read(salt, offset as u64, &file[offset..offset + SECTOR]) {
        Sector::Whole { sequence, content } => Some((sequence, content)),
        Sector::Empty | Sector::Half | Sector::Damaged => None,
    }
}

/// Decides what is at `offset`, where there is no complete batch.
fn tail(salt: u64, file: &[u8], offset: usize, position: Option<Position>) -> Result<Tail, Damage> {
    let start = offset as u64;
    let mut sequence = position.map(|position| position.sequence);
    let mut limit = file.len();
    let mut until = None;
    for (at, bytes) in (offset..)
        .step_by(SECTOR)
        .zip(file[offset..].chunks(SECTOR))
    {
        match sector::read(salt, at as u64, bytes) {
            Sector::Empty => continue,
            Sector::Half => {}
            Sector::Damaged => {
                return Damage::at(at as u64, "the checksum of the sector is wrong");
            }
            Sector::Whole {
                sequence: found,
                content,
            } => {
                if *sequence.get_or_insert(found) != found {
                    return Damage::at(
                        start,
                        format!("a batch is incomplete, and batch {found} was written after it"),
                    );
                }
                if let (true, Some(head)) = (at == offset, Head::decode(found, content)) {
                    limit = offset + head.blocks() * BLOCK;
                }
            }
        }
        if at >= limit {
            return Damage::at(
                start,
                "a batch is incomplete, and something was written after it",
            );
        }
        until = Some((at + SECTOR) as u64);
    }
    Ok(match until {
        None => Tail::Open { offset: start },
        Some(until) => Tail::Torn {
            offset: start,
            until,
        },
    })
}

fn after_end(file: &[u8], offset: usize) -> Result<Tail, Damage> {
    let offset = offset.min(file.len());
    match file[offset..].iter().position(|byte| *byte != 0) {
        None => Ok(Tail::Ended {
            offset: offset as u64,
        }),
        Some(at) => Damage::at(
            (offset + at) as u64,
            "something was written after the end of the segment",
        ),
    }
}

/// Whether a segment is still empty.
pub(crate) fn is_unused(file: &[u8]) -> bool {
    sector::is_zero(&file[BLOCK.min(file.len())..])
}
