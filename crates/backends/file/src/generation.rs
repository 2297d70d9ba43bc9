//! Closing a generation, and what becomes of those that are closed.

use crate::error::FileError;
use crate::names::{self, Generation};
use crate::versions::Versions;

/// What the names of closed generations begin with that are being removed.
const TRASH: &str = "trash";

impl Versions<'_> {
    /// Gives the generation after this one its name, as the forward says. Anybody who meets the
    /// forward does it.
    ///
    /// A prepared generation can be renamed only once, since its first name is never used again. So
    /// a process that was paused before the rename, for however long, does nothing.
    pub(crate) fn complete(
        &self,
        generation: Generation,
        successor: &str,
    ) -> Result<(), FileError> {
        match self.disk().rename(
            &self.dir.join(successor),
            &self.generation(generation.next()),
        ) {
            Err(error) if !error.is_missing() => return Err(error),
            _ => {}
        }
        // First the new one, then away with the old one.
        self.disk().sync_dir(&self.dir)?;
        self.sweep()
    }

    /// Removes the generations that are closed, and what was prepared to close them in vain.
    ///
    /// A closed generation gets another name before anything in it is removed: a late process that
    /// links into it finds it missing, and does not find a number free that was taken. What was
    /// prepared to close it can be removed after that only, for then no forward can come to name
    /// it.
    fn sweep(&self) -> Result<(), FileError> {
        let names = self.disk().list(&self.dir)?;
        let Some(top) = names
            .iter()
            .filter_map(|name| Generation::parse(name))
            .max()
        else {
            return Ok(());
        };
        for closed in names
            .iter()
            .filter_map(|name| Generation::parse(name))
            .filter(|generation| *generation < top)
        {
            let trash = self.dir.join(names::fresh(TRASH));
            match self.disk().rename(&self.generation(closed), &trash) {
                Ok(()) => self.disk().remove_tree(&trash)?,
                Err(error) if error.is_missing() => {}
                Err(error) => return Err(error),
            }
        }
        for name in &names {
            let in_vain = Generation::of_successor(name).is_some_and(|closed| closed < top);
            if in_vain || name.starts_with(TRASH) {
                self.disk().remove_tree(&self.dir.join(name))?;
            }
        }
        Ok(())
    }
}
