//! The codec, by itself.

use super::batch::{self, Entries, Head, Position};
use super::chunks::{self, Chunks};
use super::header::{BLOCK, BadHeader, FileKind, Header};
use super::scan::{Damage, Tail, scan};
use super::sector::{self, CONTENT, SECTOR, Sector};

const HEADER: Header = Header {
    kind: FileKind::Segment,
    journal: 0x0123_4567_89ab_cdef_0123_4567_89ab_cdef,
    number: 3,
    salt: 77,
    length: 16 * BLOCK as u64,
};

fn body(entries: &[(u64, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (index, entry) in entries {
        batch::push(&mut body, *index, entry);
    }
    body
}

/// Puts a batch into a file.
fn put(
    file: &mut [u8],
    offset: usize,
    after: Position,
    entries: &[(u64, &[u8])],
) -> (usize, Position) {
    let body = body(entries);
    let end = offset + batch::blocks(body.len()) * BLOCK;
    let entries = Entries {
        body: &body,
        count: entries.len() as u32,
        last: entries.last().map(|entry| entry.0),
    };
    let next = batch::encode(
        &mut file[offset..end],
        HEADER.salt,
        offset as u64,
        after,
        entries,
    );
    (end, next)
}

fn file() -> Vec<u8> {
    let mut file = HEADER.encode();
    file.resize(16 * BLOCK, 0);
    file
}

type Read = (Vec<(u64, Vec<u8>)>, Tail);

fn read(file: &[u8]) -> Result<Read, Damage> {
    let mut found = Vec::new();
    let tail = scan(&HEADER, file, &mut Some(Position::START), |batch| {
        found.extend(
            batch
                .entries
                .iter()
                .map(|(index, bytes)| (*index, bytes.to_vec())),
        );
        Ok::<_, Damage>(())
    })?;
    Ok((found, tail))
}

#[test]
fn a_header_is_read_as_it_was_written() {
    let bytes = HEADER.encode();
    assert_eq!(bytes.len(), BLOCK);
    assert_eq!(Header::decode(FileKind::Segment, &bytes), Ok(HEADER));
    assert_eq!(
        Header::decode(FileKind::Snapshot, &bytes),
        Err(BadHeader::Foreign)
    );
    assert_eq!(
        Header::decode(FileKind::Segment, &bytes[..BLOCK - 1]),
        Err(BadHeader::Short)
    );
}

#[test]
fn batches_of_every_size_are_read_as_they_were_written() {
    for size in (0..3 * CONTENT).chain([8 * CONTENT - 48, 8 * CONTENT - 47, 20_000]) {
        let entry: Vec<u8> = (0..size).map(|at| at as u8).collect();
        let mut file = file();
        let (offset, position) = put(&mut file, BLOCK, Position::START, &[(4, &entry), (9, b"")]);
        let (offset, position) = put(&mut file, offset, position, &[(10, &entry)]);
        let open = Tail::Open {
            offset: offset as u64,
        };
        assert_eq!(
            read(&file),
            Ok((
                vec![(4, entry.clone()), (9, Vec::new()), (10, entry.clone())],
                open
            ))
        );
        let (offset, _) = put(&mut file, offset, position, &[]);
        assert_eq!(
            read(&file).unwrap().1,
            Tail::Ended {
                offset: offset as u64
            }
        );
    }
}

#[test]
fn a_sector_that_was_cut_off_is_told_from_one_that_was_changed() {
    let mut whole = [5; SECTOR];
    sector::seal(1, 4096, 2, &mut whole);
    assert!(matches!(
        sector::read(1, 4096, &whole),
        Sector::Whole { sequence: 2, .. }
    ));
    assert_eq!(sector::read(1, 4608, &whole), Sector::Damaged);
    assert_eq!(sector::read(2, 4096, &whole), Sector::Damaged);
    // Whatever is cut at a word, as processors copy it.
    for length in (0..SECTOR).step_by(4) {
        let mut cut = whole;
        cut[length..].fill(0);
        let expected = if length == 0 {
            Sector::Empty
        } else {
            Sector::Half
        };
        assert_eq!(sector::read(1, 4096, &cut), expected);
    }
    for at in 0..SECTOR {
        for bit in 0..8 {
            let mut changed = whole;
            changed[at] ^= 1 << bit;
            assert_eq!(sector::read(1, 4096, &changed), Sector::Damaged);
        }
    }
}

/// Any sectors of the last batch may be missing, and any sector of another one is damage.
#[test]
fn every_way_to_tear_a_batch_is_torn_and_a_later_batch_makes_it_damage() {
    let mut file = file();
    let (start, position) = put(&mut file, BLOCK, Position::START, &[(1, b"acknowledged")]);
    // It takes two blocks: of sixteen sectors each may be there or not.
    let (end, position) = put(&mut file, start, position, &[(2, &[1; 5000])]);
    for missing in 1..1_u32 << 16 {
        let mut torn = file.clone();
        for sector in (0..16).filter(|sector| missing & 1 << sector != 0) {
            torn[start + sector * SECTOR..][..SECTOR].fill(0);
        }
        let (found, tail) = read(&torn).unwrap();
        assert_eq!(found.len(), 1);
        match tail {
            Tail::Torn { offset, until } => assert!(offset == start as u64 && until <= end as u64),
            Tail::Open { offset } => assert!(offset == start as u64 && missing == (1 << 16) - 1),
            Tail::Ended { .. } => panic!("{missing:x}"),
        }
        if missing % 1000 == 1 {
            // One sector of what comes after it is proof enough.
            let mut later = torn.clone();
            put(&mut later, end, position, &[(3, &[2; 5000])]);
            for kept in [0, 7, 8, 15] {
                let mut one = torn.clone();
                let at = end + kept * SECTOR;
                one[at..at + SECTOR].copy_from_slice(&later[at..at + SECTOR]);
                assert_eq!(read(&one).unwrap_err().offset, start as u64);
            }
        }
    }
}

#[test]
fn whatever_lies_beyond_a_torn_batch_whose_length_is_known_is_damage() {
    let mut file = file();
    let (end, _) = put(&mut file, BLOCK, Position::START, &[(1, &[1; 5000])]);
    file[BLOCK + SECTOR..BLOCK + 2 * SECTOR].fill(0);
    assert!(matches!(read(&file).unwrap().1, Tail::Torn { .. }));
    // The beginning of a write that was cut off: that of a later batch.
    file[end] = 1;
    assert_eq!(read(&file).unwrap_err().offset, BLOCK as u64);
}

#[test]
fn a_batch_that_follows_another_one_is_refused() {
    let mut file = file();
    let (offset, position) = put(&mut file, BLOCK, Position::START, &[(1, b"one")]);
    for wrong in [
        Position {
            checksum: position.checksum ^ 1,
            ..position
        },
        Position {
            index: 0,
            ..position
        },
        Position {
            sequence: 3,
            ..position
        },
    ] {
        put(&mut file, offset, wrong, &[(2, b"two")]);
        assert_eq!(read(&file).unwrap_err().offset, offset as u64);
    }
}

#[test]
fn entries_that_contradict_their_batch_are_refused() {
    let rising = body(&[(1, b"a"), (2, b"b")]);
    let mut file = file();
    let encode = |file: &mut Vec<u8>, body: &[u8], count, last| {
        let entries = Entries {
            body,
            count,
            last: Some(last),
        };
        batch::encode(
            &mut file[BLOCK..2 * BLOCK],
            HEADER.salt,
            BLOCK as u64,
            Position::START,
            entries,
        );
        read(file).is_ok()
    };
    assert!(encode(&mut file, &rising, 2, 2));
    assert!(!encode(&mut file, &rising, 1, 2));
    assert!(!encode(&mut file, &rising, 2, 3));
    assert!(!encode(&mut file, &rising[..rising.len() - 1], 2, 2));
    assert!(!encode(&mut file, &body(&[(2, b"a"), (2, b"b")]), 2, 2));
}

#[test]
fn bytes_without_sense_are_refused_and_never_a_panic() {
    let mut state = 1_u32;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state
    };
    for _ in 0..2000 {
        let mut file = file();
        // Sealed, so that it is looked at.
        for (at, sector) in file
            .chunks_mut(SECTOR)
            .enumerate()
            .skip(8)
            .take(random() as usize % 24)
        {
            sector.iter_mut().for_each(|byte| *byte = random() as u8);
            sector[..8].copy_from_slice(&[1, 0, 0, 0, random() as u8, random() as u8 & 0x7f, 0, 0]);
            sector::seal(HEADER.salt, (at * SECTOR) as u64, 1, sector);
        }
        if let Ok((found, _)) = read(&file) {
            assert!(found.is_empty());
        }
        let bytes: Vec<u8> = (0..random() % 100).map(|_| random() as u8).collect();
        let head = Head::decode(1, &[&[1, 0, 0, 0], &bytes[..], &[0; 40]].concat());
        if let Some(head) = head {
            let _ = batch::entries(&head, &bytes);
        }
        let _ = chunks::decode(1, &[&[0; BLOCK], &bytes[..]].concat());
    }
}

#[test]
fn chunks_are_read_as_they_were_written_and_only_as_a_whole() {
    for pieces in [vec![], vec![1], vec![500, 3, 70]] {
        let mut file = vec![0; BLOCK];
        let mut chunks = Chunks::new(9);
        let mut written = Vec::new();
        for (value, piece) in pieces.iter().enumerate() {
            let bytes = vec![value as u8; *piece];
            chunks.chunk(&bytes, &mut file);
            written.extend(bytes);
        }
        chunks.end(&mut file);
        assert_eq!(chunks::decode(9, &file), Ok(written));
        assert!(chunks::decode(8, &file).is_err());
        assert!(chunks::decode(9, &[&file[..], &[0]].concat()).is_err());
        for length in 0..file.len() {
            assert!(chunks::decode(9, &file[..length]).is_err());
        }
        for at in BLOCK..file.len() {
            let mut changed = file.clone();
            changed[at] ^= 0x20;
            assert!(chunks::decode(9, &changed).is_err());
        }
    }
}
