//! The file whose keys are counted, the same for everybody.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

/// So many keys are in it: enough that the state of a job is not nothing.
pub(super) const KEYS: u64 = 10_000;

/// Writes so many lines of JSON, `{"key":"k0042","number":7}`, with the keys in random order.
pub(super) fn make(path: &Path, records: u64) -> io::Result<()> {
    let mut file = BufWriter::with_capacity(1 << 20, File::create(path)?);
    let mut state = 1_u64;
    for number in 0..records {
        // The generator that examples/jobs/count has: Knuth's MMIX.
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let key = (state >> 33) % KEYS;
        writeln!(file, r#"{{"key":"k{key:04}","number":{number}}}"#)?;
    }
    file.into_inner()?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_is_an_object_with_a_key_and_a_number() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("input.ndjson");
        make(&path, 1000).unwrap();
        let text = std::fs::read_to_string(path).unwrap();
        for (number, line) in text.lines().enumerate() {
            let record: serde_json::Value = serde_json::from_str(line).unwrap();
            assert_eq!(record["number"], number);
            assert!(record["key"].as_str().unwrap().starts_with('k'));
        }
        assert_eq!(text.lines().count(), 1000);
    }
}
