//! Real processes, threads and disks.

#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod handle;
mod kill;
mod mounts;

use std::path::Path;

use incumbent_journal::{Found, Journal, OpenError, Options, Recovered};

type Entry = (u64, Vec<u8>);

fn options() -> Options {
    Options {
        segment_bytes: 1 << 18,
        buffer_bytes: 1 << 16,
        ..Options::default()
    }
}

/// Opens it, and gives what was replayed: the snapshot, and the entries.
fn open(dir: &Path, options: Options) -> Result<(Recovered, Option<Entry>, Vec<Entry>), OpenError> {
    let (mut snapshot, mut entries) = (None, Vec::new());
    let recovered = Journal::open(dir, options, |found| {
        match found {
            Found::Snapshot { index, bytes } => snapshot = Some((index, bytes.to_vec())),
            Found::Entry { index, bytes } => entries.push((index, bytes.to_vec())),
        }
        Ok(())
    })?;
    Ok((recovered, snapshot, entries))
}
