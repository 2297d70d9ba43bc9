//! Closing a generation, and removing closed ones.

use crate::error::FileError;
use crate::names::{self, Generation};
use crate::versions::Versions;

/// The prefix of the names that closed generations have while they are removed.
const TRASH: &str = "trash";

impl Versions<'_> {
    /// Gives the generation after this one its name, as the forward says. Every process that meets
    /// the forward does this.
    ///
    /// A prepared generation can be renamed only once, since its first name is never used again. So
    /// if a process was paused before the rename, for however long, its rename does nothing.
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
        // First sync the new generation, then remove the old one.
        self.disk().sync_dir(&self.dir)?;
        self.sweep()
    }

    /// Removes the closed generations, and the prepared ones that did not become their successors.
    ///
    /// A closed generation is renamed before anything in it is removed. So a late process that
    /// links into it finds the directory missing; it cannot find a number free that was taken.
    /// Directories that were prepared to close it are removed only after that, because then no
    /// forward can come to name them.
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
