//! [`StateFiles`]: the blocks of a snapshot, on their way into files.

use std::io;

use incumbent_state::{Block, Splitter, StateFile, StateWriter};

/// The blocks of one snapshot of a rank, as they come, in files of about 64 MiB. One of them is in
/// memory: take each away when it is whole.
#[derive(Debug, Default)]
pub(crate) struct StateFiles {
    splitter: Splitter,
    open: Option<StateWriter<Vec<u8>>>,
    done: Vec<StateFile>,
}

/// A file that is whole.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct WholeFile {
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
}

impl StateFiles {
    /// Takes a block, and gives the file before it if that is whole now.
    ///
    /// # Errors
    ///
    /// The block cannot be stored: it is too large.
    pub(crate) fn add(&mut self, block: &Block) -> io::Result<Option<WholeFile>> {
        let begins = self.splitter.begins_file(block);
        let whole = if begins { self.end_file()? } else { None };
        let mut file = match self.open.take() {
            Some(file) => file,
            None => StateWriter::new(Vec::new())?,
        };
        file.push(block)?;
        self.open = Some(file);
        Ok(whole)
    }

    /// The last file, if there is one, and all files by name, which `meta.json` has to list.
    ///
    /// # Errors
    ///
    /// The index of the last file is too large.
    pub(crate) fn finish(mut self) -> io::Result<(Option<WholeFile>, Vec<StateFile>)> {
        let last = self.end_file()?;
        Ok((last, self.done))
    }

    fn end_file(&mut self) -> io::Result<Option<WholeFile>> {
        let Some(file) = self.open.take() else {
            return Ok(None);
        };
        let (bytes, contents) = file.finish()?;
        let name = format!("state-{:04}", self.done.len());
        self.done.push(contents.named(&name));
        Ok(Some(WholeFile { name, bytes }))
    }
}
