//! Frames: what a file consists of between its header and its footer.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::VERSION;
use crate::{Block, Damaged, Error, KeyGroup, msgpack};

/// The beginning of a file: this, the version, and 4 bytes that are 0.
const MAGIC: [u8; 8] = *b"INCSTATE";

/// The end of a file, behind the place of the index.
const END: [u8; 8] = *b"INCSTEND";

pub(super) const HEADER_BYTES: usize = 16;
pub(super) const FOOTER_BYTES: usize = 24;
/// Kind, length, CRC.
pub(super) const FRAME_BYTES: usize = 9;

/// The longest block, its head included: one value is never divided. A value of hundreds of
/// megabytes would stop the worker for seconds whenever it is stored.
pub const MOST_BLOCK: usize = 256 << 20;

/// The longest index. A file of 64 MiB has one of some 60 KiB.
pub(super) const MOST_INDEX: usize = 256 << 20;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Block,
    Index,
}

pub(super) fn header() -> [u8; HEADER_BYTES] {
    let mut bytes = [0; HEADER_BYTES];
    bytes[..8].copy_from_slice(&MAGIC);
    bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
    bytes
}

pub(super) fn check_header(bytes: &[u8]) -> Result<(), Error> {
    if bytes.len() < HEADER_BYTES || bytes[..8] != MAGIC {
        return Err(Damaged("it is not a file of state").into());
    }
    match u32_at(bytes, 8) {
        VERSION if bytes[12..16] == [0; 4] => Ok(()),
        0 | VERSION => Err(Damaged("its header is wrong").into()),
        found => Err(Error::Newer { found }),
    }
}

/// The footer: version, where the index is (offset and length of its frame), a CRC of both, and the
/// magic bytes of the end.
pub(super) fn footer(index: &Range<u64>) -> [u8; FOOTER_BYTES] {
    let mut bytes = [0; FOOTER_BYTES];
    bytes[..8].copy_from_slice(&index.start.to_le_bytes());
    let length = (index.end - index.start) as u32;
    bytes[8..12].copy_from_slice(&length.to_le_bytes());
    let crc = crc32fast::hash(&bytes[..12]);
    bytes[12..16].copy_from_slice(&crc.to_le_bytes());
    bytes[16..].copy_from_slice(&END);
    bytes
}

/// Where the index is, in a file of this length with these last bytes.
pub(super) fn read_footer(bytes: &[u8], length: u64) -> Result<Range<u64>, Damaged> {
    if bytes.len() != FOOTER_BYTES || bytes[16..] != END {
        return Err(Damaged("its end is missing"));
    }
    if crc32fast::hash(&bytes[..12]) != u32_at(bytes, 12) {
        return Err(Damaged("its footer was changed"));
    }
    let mut offset = [0; 8];
    offset.copy_from_slice(&bytes[..8]);
    let offset = u64::from_le_bytes(offset);
    let end = offset.checked_add(u64::from(u32_at(bytes, 8)));
    match end {
        Some(end) if end + FOOTER_BYTES as u64 == length && offset >= HEADER_BYTES as u64 => {
            Ok(offset..end)
        }
        _ => Err(Damaged("its footer points elsewhere")),
    }
}

/// The head of a frame with this body.
pub(super) fn frame_head(kind: Kind, body: &[&[u8]]) -> [u8; FRAME_BYTES] {
    let mut head = [0; FRAME_BYTES];
    head[0] = match kind {
        Kind::Block => b'B',
        Kind::Index => b'I',
    };
    let length: usize = body.iter().map(|part| part.len()).sum();
    head[1..5].copy_from_slice(&(length as u32).to_le_bytes());
    let mut crc = crc32fast::Hasher::new();
    crc.update(&head[..5]);
    for part in body {
        crc.update(part);
    }
    head[5..].copy_from_slice(&crc.finalize().to_le_bytes());
    head
}

/// What kind of frame begins so, and how long its body is.
pub(super) fn read_frame_head(head: &[u8]) -> Result<(Kind, usize), Damaged> {
    if head.len() < FRAME_BYTES {
        return Err(Damaged::CUT);
    }
    let length = u32_at(head, 1) as usize;
    match head[0] {
        b'B' if length <= MOST_BLOCK => Ok((Kind::Block, length)),
        b'I' if length <= MOST_INDEX => Ok((Kind::Index, length)),
        b'B' | b'I' => Err(Damaged("a frame says that it is longer than any")),
        _ => Err(Damaged("a frame is of no kind that is known")),
    }
}

pub(super) fn check_frame(head: &[u8], body: &[u8]) -> Result<(), Damaged> {
    let mut crc = crc32fast::Hasher::new();
    crc.update(&head[..5]);
    crc.update(body);
    if crc.finalize() != u32_at(head, 5) {
        return Err(Damaged("a checksum is wrong"));
    }
    Ok(())
}

/// The one frame that these bytes are.
pub(super) fn whole_frame(bytes: &[u8]) -> Result<(Kind, &[u8]), Damaged> {
    let (kind, length) = read_frame_head(bytes)?;
    let (head, body) = bytes.split_at(FRAME_BYTES);
    if body.len() != length {
        return Err(Damaged("a frame has another length than was said"));
    }
    check_frame(head, body)?;
    Ok((kind, body))
}

/// What the body of a block begins with. The pairs follow.
#[derive(Serialize, Deserialize)]
struct BlockHead {
    state: String,
    first: u64,
    last: u64,
    entries: u32,
}

pub(super) fn block_head(block: &Block) -> Result<Vec<u8>, msgpack::EncodeError> {
    msgpack::to_vec(&BlockHead {
        state: block.state.clone(),
        first: block.first,
        last: block.last,
        entries: block.entries,
    })
}

/// The group of a block, without copying its pairs.
pub(super) fn group_of(body: &[u8]) -> Result<KeyGroup, Damaged> {
    split_block(body).map(|(head, _)| KeyGroup::of(head.first))
}

pub(super) fn read_block(body: &[u8]) -> Result<Block, Damaged> {
    let (head, pairs) = split_block(body)?;
    Ok(Block {
        group: KeyGroup::of(head.first),
        state: head.state,
        first: head.first,
        last: head.last,
        entries: head.entries,
        bytes: pairs.to_vec(),
    })
}

fn split_block(body: &[u8]) -> Result<(BlockHead, &[u8]), Damaged> {
    let (head, pairs) = body.split_at(msgpack::length(body)?);
    let head: BlockHead =
        msgpack::decode(head).map_err(|_| Damaged("a block begins with something else"))?;
    if head.first > head.last || KeyGroup::of(head.first) != KeyGroup::of(head.last) {
        return Err(Damaged("a block is not of one key group"));
    }
    Ok((head, pairs))
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let mut four = [0; 4];
    four.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(four)
}
