//! The input of the counting job, the same for the same seed, and what is right for it.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::Path;

use serde::Deserialize;

/// One line of the input.
#[derive(Deserialize)]
pub(crate) struct Record {
    pub(crate) key: String,
}

/// Makes the input, if it is not there. Any number of processes may do so at once: each makes the
/// same file, and it appears whole.
pub(crate) fn make(path: &Path, records: u64, keys: u64, seed: u64) -> io::Result<()> {
    if path.exists() {
        return Ok(());
    }
    let dir = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(dir)?;
    let fresh = path.with_extension(format!("{}.new", std::process::id()));
    let mut file = BufWriter::new(File::create(&fresh)?);
    let mut state = seed;
    for number in 0..records {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let key = (state >> 33) % keys;
        writeln!(file, r#"{{"key":"k{key:04}","number":{number}}}"#)?;
    }
    file.into_inner()?.sync_all()?;
    fs::rename(fresh, path)
}

/// How often each key is in the input: what the job has to come to.
#[cfg_attr(not(test), expect(dead_code, reason = "for tests that run the job"))]
pub(crate) fn reference(path: &Path) -> io::Result<BTreeMap<String, u64>> {
    let mut counts = BTreeMap::new();
    for line in BufReader::new(File::open(path)?).lines() {
        let record: Record = serde_json::from_str(&line?)?;
        *counts.entry(record.key).or_default() += 1;
    }
    Ok(counts)
}
