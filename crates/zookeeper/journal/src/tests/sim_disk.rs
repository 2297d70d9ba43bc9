//! A disk that loses what was not synced, in every way that a disk can.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::disk::{Disk, DiskFile};
use crate::format::sector::SECTOR;

/// How the process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Crash {
    /// The kernel survives, with what it has in memory.
    Kill,
    Power,
}

#[derive(Clone, Debug, Default)]
struct Inode {
    durable: Vec<u8>,
    /// What a read gives: the kernel's memory.
    seen: Vec<u8>,
    /// Sectors that were written and are not durable, and changes of length as an empty piece.
    dirty: Vec<(usize, Vec<u8>)>,
}

impl Inode {
    fn write(&mut self, offset: usize, bytes: &[u8]) {
        put(&mut self.seen, offset, bytes);
    }
}

fn put(file: &mut Vec<u8>, offset: usize, bytes: &[u8]) {
    if file.len() < offset + bytes.len() {
        file.resize(offset + bytes.len(), 0);
    }
    file[offset..offset + bytes.len()].copy_from_slice(bytes);
}

#[derive(Clone, Debug)]
enum Rename {
    Link(String, usize),
    Unlink(String),
    Move(String, String),
}

#[derive(Debug)]
struct World {
    dice: StdRng,
    inodes: Vec<Inode>,
    seen: BTreeMap<String, usize>,
    durable: BTreeMap<String, usize>,
    /// Changes of names that are not durable.
    pending: Vec<Rename>,
    /// Calls until the process ends.
    left: Option<u64>,
    calls: u64,
    /// One sync in so many fails.
    failing_syncs: Option<u32>,
}

impl World {
    fn call(&mut self) -> io::Result<()> {
        self.calls += 1;
        match &mut self.left {
            Some(0) => Err(io::Error::other("crashed")),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn rename(&mut self, change: Rename) {
        apply(&mut self.seen, &change);
        self.pending.push(change);
    }

    fn inode(&self, name: &str) -> io::Result<usize> {
        self.seen
            .get(name)
            .copied()
            .ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

fn apply(names: &mut BTreeMap<String, usize>, change: &Rename) {
    match change {
        Rename::Link(name, inode) => {
            names.insert(name.clone(), *inode);
        }
        Rename::Unlink(name) => {
            names.remove(name);
        }
        Rename::Move(from, to) => {
            if let Some(inode) = names.remove(from) {
                names.insert(to.clone(), inode);
            }
        }
    }
}

#[derive(Clone, Debug)]
pub(super) struct SimDisk(Arc<Mutex<World>>);

impl SimDisk {
    pub(super) fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(World {
            dice: StdRng::seed_from_u64(seed),
            inodes: Vec::new(),
            seen: BTreeMap::new(),
            durable: BTreeMap::new(),
            pending: Vec::new(),
            left: None,
            calls: 0,
            failing_syncs: None,
        })))
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap()
    }

    /// From now on, the process ends in the middle of the call after so many others.
    pub(super) fn crash_after(&self, calls: Option<u64>) {
        self.world().left = calls;
    }

    pub(super) fn fail_syncs(&self, one_in: Option<u32>) {
        self.world().failing_syncs = one_in;
    }

    /// All files, as they are read.
    pub(super) fn contents(&self) -> BTreeMap<String, Vec<u8>> {
        let world = self.world();
        let contents = world.seen.iter();
        contents
            .map(|(name, inode)| (name.clone(), world.inodes[*inode].seen.clone()))
            .collect()
    }

    pub(super) fn calls(&self) -> u64 {
        self.world().calls
    }

    /// What is left after the end of the process.
    pub(super) fn crash(&self, crash: Crash) {
        let mut world = self.world();
        world.left = None;
        if crash == Crash::Kill {
            return;
        }
        let World {
            dice,
            inodes,
            seen,
            durable,
            pending,
            ..
        } = &mut *world;
        // Each may be on the disk or not, independent of the others. Often it is all or nothing.
        let odds = [0.0, 0.1, 0.5, 0.9, 1.0][dice.random_range(0..5_usize)];
        for change in pending.drain(..) {
            if dice.random_bool(odds) {
                apply(durable, &change);
            }
        }
        *seen = durable.clone();
        for (number, inode) in inodes.iter_mut().enumerate() {
            if !durable.values().any(|named| *named == number) {
                *inode = Inode::default();
                continue;
            }
            let odds = [0.0, 0.1, 0.5, 0.9, 1.0][dice.random_range(0..5_usize)];
            for (offset, mut bytes) in inode.dirty.drain(..) {
                if !dice.random_bool(odds) {
                    continue;
                }
                // Not every disk finishes a sector when the power goes, but it writes it from its
                // beginning, word by word.
                if dice.random_bool(0.02)
                    && inode
                        .durable
                        .get(offset..offset + SECTOR)
                        .is_none_or(|old| old == [0; SECTOR])
                {
                    let length = dice.random_range(0..=bytes.len() / 8) * 8;
                    bytes[length..].fill(0);
                }
                put(&mut inode.durable, offset, &bytes);
            }
            inode.seen = inode.durable.clone();
        }
    }
}

impl Disk for SimDisk {
    fn list(&self) -> io::Result<Vec<String>> {
        let mut world = self.world();
        world.call()?;
        Ok(world.seen.keys().cloned().collect())
    }

    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        let mut world = self.world();
        world.call()?;
        let inode = world.inode(name)?;
        Ok(world.inodes[inode].seen.clone())
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        let mut world = self.world();
        world.call()?;
        let inode = world.inode(name)?;
        let disk = self.clone();
        Ok(Box::new(SimFile { disk, inode }))
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        let mut world = self.world();
        world.call()?;
        world.inodes.push(Inode::default());
        let inode = world.inodes.len() - 1;
        world.rename(Rename::Link(name.into(), inode));
        let disk = self.clone();
        Ok(Box::new(SimFile { disk, inode }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut world = self.world();
        world.call()?;
        world.inode(from)?;
        world.rename(Rename::Move(from.into(), to.into()));
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut world = self.world();
        world.call()?;
        world.inode(name)?;
        world.rename(Rename::Unlink(name.into()));
        Ok(())
    }

    fn sync_names(&self) -> io::Result<()> {
        let mut world = self.world();
        world.call()?;
        world.pending.clear();
        world.durable = world.seen.clone();
        Ok(())
    }

    fn random(&self) -> u64 {
        self.world().dice.random()
    }
}

#[derive(Debug)]
struct SimFile {
    disk: SimDisk,
    inode: usize,
}

impl DiskFile for SimFile {
    fn reserve(&mut self, length: u64) -> io::Result<()> {
        let mut world = self.disk.world();
        world.call()?;
        let length = usize::try_from(length).unwrap();
        let inode = &mut world.inodes[self.inode];
        inode.write(length, &[]);
        inode.dirty.push((length, Vec::new()));
        Ok(())
    }

    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut world = self.disk.world();
        let told = world.call();
        // The process may end in the middle, between two pages of its memory.
        let bytes = match told {
            Ok(()) => bytes,
            Err(_) => {
                let page = if bytes.as_ptr().addr().is_multiple_of(4096) {
                    4096
                } else {
                    1
                };
                &bytes[..world.dice.random_range(0..=bytes.len() / page) * page]
            }
        };
        let mut at = usize::try_from(offset).unwrap();
        let inode = &mut world.inodes[self.inode];
        inode.write(at, bytes);
        let end = at + bytes.len();
        while at < end {
            let next = ((at / SECTOR + 1) * SECTOR).min(end);
            let sector = inode.seen[at..next].to_vec();
            inode.dirty.push((at, sector));
            at = next;
        }
        told
    }

    fn sync(&mut self) -> io::Result<()> {
        let mut world = self.disk.world();
        world.call()?;
        let World {
            dice,
            failing_syncs,
            inodes,
            ..
        } = &mut *world;
        let inode = &mut inodes[self.inode];
        if failing_syncs.is_some_and(|one_in| dice.random_ratio(1, one_in)) {
            // The kernel reports it once, and then takes its memory for written. Some of it may be.
            let some = dice.random_range(0..=inode.dirty.len());
            for (offset, bytes) in inode.dirty.drain(..).skip(some) {
                put(&mut inode.durable, offset, &bytes);
            }
            return Err(io::Error::from_raw_os_error(5));
        }
        for (offset, bytes) in inode.dirty.drain(..) {
            put(&mut inode.durable, offset, &bytes);
        }
        Ok(())
    }
}
