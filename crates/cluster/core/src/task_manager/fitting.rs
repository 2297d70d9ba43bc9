//! What of many tasks fits into one report: one that is refused for its size would come again for
//! ever.

use crate::TaskId;
use crate::checkpoint::StoredFile;
use crate::message::{TaskReport, TaskState};

/// Most last lines in one report, in bytes as they may become in JSON, where one byte can take six.
/// Half of what a leader reads.
const LARGEST_LINES: usize = 8 * 1024 * 1024;

/// Most acknowledged parts in one report, in bytes as they become in JSON. A quarter of what a
/// leader reads, and several times the largest part of one task. What is left out follows at once.
const LARGEST_PARTS: usize = 4 * 1024 * 1024;

/// What a file of an acknowledged part takes in JSON besides its name and its path: names of
/// fields, the digest, the size.
const FILE_OVERHEAD: usize = 160;

/// Leaves out the last lines of tasks beyond [`LARGEST_LINES`]: the first failures are what people
/// look for, and a report that is refused for its size would come again for ever.
pub(super) fn shorten(reports: &mut [TaskReport]) {
    let mut left = LARGEST_LINES;
    for report in reports {
        if let TaskState::Ended(end) = &mut report.state {
            let size: usize = end.last_lines.iter().map(|line| 6 * line.len()).sum();
            match left.checked_sub(size) {
                Some(rest) => left = rest,
                None => end.last_lines.clear(),
            }
        }
    }
}

/// Leaves out acknowledged parts beyond [`LARGEST_PARTS`], but never the first, and returns whose:
/// without them a task has not acknowledged yet, which is no harm for as long as it takes to send
/// the next report.
pub(super) fn put_off(reports: &mut [TaskReport]) -> Vec<TaskId> {
    let mut left = LARGEST_PARTS;
    let mut is_first = true;
    let mut put_off = Vec::new();
    for report in reports {
        let Some(acked) = &report.contract.acked else {
            continue;
        };
        let size = acked.part.files.iter().map(size_of).sum();
        match left.checked_sub(size) {
            Some(rest) => left = rest,
            None if is_first => left = 0,
            None => {
                report.contract.acked = None;
                put_off.push(report.task);
            }
        }
        is_first = false;
    }
    put_off
}

fn size_of(file: &StoredFile) -> usize {
    file.name.len() + file.object.len() + FILE_OVERHEAD
}
