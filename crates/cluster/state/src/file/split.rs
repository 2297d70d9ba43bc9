//! [`Splitter`]: where one file of state ends and the next one begins.

use crate::Block;

/// A file of about this size is ended: a rank that needs a part of it has not much to skip, and the
/// rank that writes it may hold it in memory.
const FILE_BYTES: u64 = 64 << 20;

/// A file of at least this size is ended when the groups begin anew: the next table is being
/// written, and a file with the end of one and the beginning of another would be of all groups.
const TABLE_BYTES: u64 = 4 << 20;

/// From so many files on, they are larger: a checkpoint of a rank takes 1,000 files.
const MANY_FILES: u32 = 400;

/// How large they are then.
const LARGE_FILE_BYTES: u64 = 1 << 30;

/// Says where one file of state ends and the next one begins, so that a rank that owns other key
/// groups later has little to read that is not its own.
///
/// It expects the blocks of a table in the order of their key groups, one table after the other, as
/// the engine gives them. Another order is allowed, and makes files that more ranks have to read.
#[derive(Clone, Debug, Default)]
pub struct Splitter {
    files: u32,
    bytes: u64,
    last_group: Option<u32>,
}

impl Splitter {
    /// Whether a new file begins before this block, which is written next. The first one does.
    pub fn begins_file(&mut self, block: &Block) -> bool {
        let group = block.group.number();
        let is_many = self.files >= MANY_FILES;
        let limit = if is_many {
            LARGE_FILE_BYTES
        } else {
            FILE_BYTES
        };
        let begins = match self.last_group {
            None => true,
            Some(_) if self.bytes >= limit => true,
            Some(last) => group < last && self.bytes >= TABLE_BYTES && !is_many,
        };
        if begins {
            self.files += 1;
            self.bytes = 0;
        }
        self.bytes += block.bytes.len() as u64;
        self.last_group = Some(group);
        begins
    }

    /// How many files have begun.
    pub fn files(&self) -> u32 {
        self.files
    }
}
