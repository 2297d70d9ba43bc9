use std::io;
use std::sync::Arc;

use incumbent_state::{GROUPS, KeyGroup, hash_key, msgpack};

use super::*;
use crate::state::files::StateFiles;

fn block(state: &str, group: u32, size: usize) -> Block {
    let key = (0_u64..)
        .find(|key| KeyGroup::of(hash_key(key)).number() == group)
        .unwrap();
    let hash = hash_key(&key);
    let mut bytes = msgpack::to_vec(&key).unwrap();
    msgpack::encode(&"x".repeat(size), &mut bytes).unwrap();
    Block {
        state: state.to_owned(),
        group: KeyGroup::of(hash),
        first: hash,
        last: hash,
        entries: 1,
        bytes,
    }
}

type Stored = (StateFile, Arc<[u8]>);

/// Two large tables and a small one, as a rank stores them.
fn files() -> (Vec<Block>, Vec<Stored>) {
    let mut all = Vec::new();
    for state in ["a", "b"] {
        all.extend((0..GROUPS).map(|group| block(state, group, 1 << 20)));
    }
    all.extend((0..GROUPS).map(|group| block("c", group, 10)));
    let mut files = StateFiles::default();
    let mut whole = Vec::new();
    for block in &all {
        whole.extend(files.add(block).unwrap());
    }
    let (last, names) = files.finish().unwrap();
    whole.extend(last);
    assert_eq!(whole.len(), names.len());
    let stored = names.into_iter().zip(whole).map(|(named, file)| {
        assert_eq!(named.name, file.name);
        assert_eq!(named.bytes, file.bytes.len() as u64);
        (named, file.bytes.into())
    });
    (all, stored.collect())
}

/// Gives the bytes of a file, and breaks off once at this one.
struct Breaking {
    bytes: Arc<[u8]>,
    at: usize,
    breaks_at: usize,
}

impl Read for Breaking {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.at >= self.breaks_at {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        let end = self.bytes.len().min(self.breaks_at);
        let read = (&self.bytes[self.at..end]).read(into)?;
        self.at += read;
        Ok(read)
    }
}

#[test]
fn each_rank_reads_only_files_that_have_something_of_it() {
    let (all, stored) = files();
    for (tasks, most) in [(1, 100), (2, 4), (4, 3), (8, 3)] {
        let mut restored = Vec::new();
        for rank in 0..tasks {
            let mut opened = 0;
            let owned = KeyGroup::owned(rank, tasks);
            let names = stored.iter().map(|(file, _)| (7, file.clone()));
            let blocks = RestoredBlocks::new(names, owned.clone(), |rank, name| {
                assert_eq!(rank, 7);
                opened += 1;
                let found = stored.iter().find(|(file, _)| file.name == name);
                Ok(&*found.unwrap().1)
            });
            for block in blocks {
                let block = block.unwrap();
                assert!(owned.contains(&block.group.number()));
                restored.push(block);
            }
            assert!(opened <= most, "{opened} files for one of {tasks}");
        }
        let sort = |blocks: &mut Vec<Block>| {
            blocks.sort_by(|a, b| (&a.state, a.first).cmp(&(&b.state, b.first)));
        };
        let mut all = all.clone();
        sort(&mut all);
        sort(&mut restored);
        assert!(all == restored, "{tasks} tasks");
    }
}

#[test]
fn a_connection_that_breaks_is_made_again() {
    let (_, stored) = files();
    let (file, bytes) = stored.last().unwrap();
    let names = || [(0, file.clone())];
    let whole: Vec<_> = RestoredBlocks::new(names(), 0..GROUPS, |_, _| Ok(&**bytes))
        .map(Result::unwrap)
        .collect();
    for breaks_at in (0..bytes.len()).step_by(997).filter(|at| *at >= 16) {
        let mut opened = 0;
        let blocks = RestoredBlocks::new(names(), 0..GROUPS, |_, _| {
            opened += 1;
            Ok(Breaking {
                bytes: Arc::clone(bytes),
                at: 0,
                breaks_at: if opened == 1 { breaks_at } else { usize::MAX },
            })
        });
        let blocks: Vec<_> = blocks.map(Result::unwrap).collect();
        assert!(blocks == whole, "broken at {breaks_at}");
    }
}

#[test]
fn a_file_that_always_breaks_or_is_cut_is_an_error() {
    let (_, stored) = files();
    let (file, bytes) = stored.last().unwrap();
    let names = || [(3, file.clone())];
    let always = RestoredBlocks::new(names(), 0..GROUPS, |_, _| {
        Ok(Breaking {
            bytes: Arc::clone(bytes),
            at: 0,
            breaks_at: 1000,
        })
    });
    let error = always.filter_map(Result::err).next().unwrap();
    assert!(
        matches!(&error, Error::Task(TaskError::NotRestored { why })
        if why.contains("state-0004 of rank 3")),
        "{error:?}"
    );
    let cut = RestoredBlocks::new(names(), 0..GROUPS, |_, _| Ok(&bytes[..bytes.len() - 1]));
    assert_eq!(cut.filter(Result::is_err).count(), 1);
}
