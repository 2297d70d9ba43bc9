//! The files that everybody reads: events of Nexmark as lines of JSON.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::Command;

use super::Programs;
use crate::Failure;
use crate::progress::Progress;

pub(super) struct Input {
    pub(super) dir: PathBuf,
    pub(super) records: u64,
}

/// Writes so many events into so many files of a directory. Each task reads one: Flink reads the
/// files of a task one after the other, and would take all but the first for late.
pub(super) async fn make(
    programs: &Programs,
    place: &Path,
    records: u64,
    files: u32,
) -> Result<Input, Failure> {
    let dir = place.join(format!("input-{files}"));
    if !dir.exists() {
        let _progress = Progress::new(format!("{records} events in {files} files"));
        let made = Command::new(&programs.generate)
            .args(["--events", &records.to_string()])
            .args(["--files", &files.to_string()])
            .arg(&dir)
            .stdin(Stdio::null())
            .status()
            .await?;
        if !made.success() {
            return Err("the events were not written".into());
        }
    }
    Ok(Input { dir, records })
}
