//! Putting a newer version after the newest one.

use std::path::Path;

use incumbent_backend::{Failure, Swapped, Version};

use crate::error::FileError;
use crate::group::Draft;
use crate::names::{self, Number};
use crate::versions::{Versions, some};

/// Attempts to link into a generation that is missing though its version is the newest. Such a
/// generation is only prepared, and each attempt begins by giving it its name.
const ATTEMPTS: usize = 10;

/// The outcome of linking a file after a number.
enum Linked {
    Done,
    /// Another version was there first.
    Taken,
    /// The link did not happen.
    Not(FileError),
    /// The link may have happened.
    InDoubt(FileError),
}

impl Versions<'_> {
    /// Creates the key if it is absent.
    ///
    /// The whole tree is prepared aside and renamed into place, which fails if there is one
    /// already. So the directory of a key has a body from its first moment on. Only a person ever
    /// removes it.
    pub(crate) fn create(&self, body: &[u8]) -> Result<Swapped, Failure> {
        if self
            .disk()
            .exists(&self.dir)
            .map_err(FileError::not_applied)?
        {
            return Ok(Swapped::Conflict);
        }
        let first = (self.group.store.first)();
        let draft = self.draft(first, body).map_err(FileError::not_applied)?;
        let tree = self.group.drafts().join(names::fresh("new"));
        let renamed = match self.prepare_tree(&tree, &draft, first) {
            Ok(()) => self.disk().rename(&tree, &self.dir),
            Err(error) => {
                self.give_up(&[&tree, &draft.path]);
                return Err(error.not_applied());
            }
        };
        match renamed {
            Ok(()) => self.committed(&draft, first),
            Err(error) if !error.did_nothing() => Err(error.unknown()),
            Err(error) => {
                self.give_up(&[&tree, &draft.path]);
                if error.is_taken() {
                    Ok(Swapped::Conflict)
                } else {
                    Err(error.not_applied())
                }
            }
        }
    }

    /// Replaces the body if this version is still the newest.
    ///
    /// The swap happens when the draft is linked to the next number; the link fails if that number
    /// is taken. A number lies in one generation only, and a closed generation never comes back
    /// under its name, so no number is ever free twice. This also holds if a person has removed the
    /// key and it was created again: the new key has other generations.
    pub(crate) fn replace(&self, version: &Version, body: &[u8]) -> Result<Swapped, Failure> {
        let Some(number) = Number::of_version(version) else {
            return Ok(Swapped::Conflict);
        };
        // If this number never existed, the next one must not follow it. A greater number in memory
        // proves nothing: it may belong to a key that was removed by hand.
        if self.seen.newest(self.key) != Some(number)
            && self.number().map_err(FileError::not_applied)? != Some(number)
        {
            return Ok(Swapped::Conflict);
        }
        match number.is_last() {
            false => self.append(number, body),
            true => self.close(number, body),
        }
    }

    fn append(&self, number: Number, body: &[u8]) -> Result<Swapped, Failure> {
        let draft = self
            .draft(number.next(), body)
            .map_err(FileError::not_applied)?;
        match self.link_after(number, &draft) {
            Linked::Done => self.committed(&draft, number.next()),
            Linked::InDoubt(error) => Err(error.unknown()),
            Linked::Taken => {
                self.give_up(&[&draft.path]);
                Ok(Swapped::Conflict)
            }
            Linked::Not(error) => {
                self.give_up(&[&draft.path]);
                Err(error.not_applied())
            }
        }
    }

    /// Replaces the last version of a generation.
    ///
    /// The body waits in a prepared directory, and a forward that names this directory is linked
    /// after the last version. From that moment on this directory is the next generation, no matter
    /// which process gives it that name.
    fn close(&self, last: Number, body: &[u8]) -> Result<Swapped, Failure> {
        let draft = self
            .draft(last.next(), body)
            .map_err(FileError::not_applied)?;
        let successor = last.generation().fresh_successor();
        let prepared = self.dir.join(&successor);
        let forward = match self
            .prepare(&prepared, &draft, last)
            .and_then(|()| self.group.draft_forward(&successor))
        {
            Ok(forward) => forward,
            Err(error) => {
                self.give_up(&[&prepared, &draft.path]);
                // If another process has closed the generation, it has swept this directory away.
                let closed =
                    error.is_missing() && self.number().is_ok_and(|newest| newest != Some(last));
                return if closed {
                    Ok(Swapped::Conflict)
                } else {
                    Err(error.not_applied())
                };
            }
        };
        match self.link_after(last, &forward) {
            Linked::Done => {}
            // If the forward exists, the directory that it names must stay.
            Linked::InDoubt(error) => return Err(error.unknown()),
            Linked::Taken => {
                self.give_up(&[&prepared, &draft.path, &forward.path]);
                return Ok(Swapped::Conflict);
            }
            Linked::Not(error) => {
                self.give_up(&[&prepared, &draft.path, &forward.path]);
                return Err(error.not_applied());
            }
        }
        // If it is gone, another process has completed it, and had synced it to the disk before.
        some(self.disk().sync_dir(&self.generation(last.generation())))
            .map_err(FileError::unknown)?;
        self.seen.see(self.key, last.next());
        self.group.ring(&draft);
        self.group.discard(&forward.path);
        if let Err(error) = self.complete(last.generation(), &successor) {
            tracing::debug!(key = %self.key, %error, "a closed generation stays until somebody reads the key");
        }
        Ok(Swapped::Committed(last.next().version()))
    }

    fn link_after(&self, number: Number, draft: &Draft) -> Linked {
        let place = self.after(number);
        for _ in 0..ATTEMPTS {
            let Err(error) = self.disk().link(&draft.path, &place) else {
                // The kernel may have found the directory, been held up, and linked only when the
                // generation was closed and its files were being removed. Then this name is gone
                // for good. It is also gone if the link was in time and the generation was closed
                // since. If this process still sees the name, the link counts.
                return self
                    .disk()
                    .look(&place)
                    .map_or_else(Linked::InDoubt, |()| Linked::Done);
            };
            if error.is_taken() {
                return self.whose(&place, draft);
            }
            if !error.did_nothing() {
                return Linked::InDoubt(error);
            }
            if !error.is_missing() {
                return Linked::Not(error);
            }
            // Either the generation is closed, or it has no name yet (the lookup below gives it
            // one), or the draft is gone.
            match self.number() {
                Err(error) => return Linked::Not(error),
                Ok(newest) if newest != Some(number) => return Linked::Taken,
                Ok(_) => {}
            }
            match self.disk().exists(&draft.path) {
                Ok(true) => {}
                Ok(false) => return Linked::Not(error),
                Err(error) => return Linked::Not(error),
            }
        }
        Linked::Not(FileError::damaged(
            &place,
            "nothing can be linked to it, though its generation is the newest",
        ))
    }

    /// Finds out whose file is in the place, after the link failed because the place is taken. A
    /// network file system also reports this for our own file, if it repeats a request whose first
    /// answer was lost.
    ///
    /// Only the identity of the file decides. A second name of the draft proves nothing: a copy of
    /// the tree made with hard links gives it one.
    fn whose(&self, place: &Path, draft: &Draft) -> Linked {
        // Look at the draft last: while it exists, no other process's file can have its identity.
        let (there, mine) = match (
            self.disk().identity(place),
            self.disk().identity(&draft.path),
        ) {
            (Ok(there), Ok(mine)) => (there, mine),
            // The generation was closed since, or the draft was so old that it was cleaned away.
            (Err(error), _) | (_, Err(error)) => return Linked::InDoubt(error),
        };
        if there == mine {
            Linked::Done
        } else {
            Linked::Taken
        }
    }

    fn draft(&self, number: Number, body: &[u8]) -> Result<Draft, FileError> {
        let draft = self.group.draft(self.key, number, body)?;
        if self.seen.is_new(self.key.group()) {
            self.group.clean(&draft);
        }
        Ok(draft)
    }

    fn prepare_tree(&self, tree: &Path, draft: &Draft, first: Number) -> Result<(), FileError> {
        let generation = tree.join(first.generation().name());
        self.disk().make_dir(tree)?;
        self.disk().make_dir(&generation)?;
        self.disk()
            .link(&draft.path, &generation.join(first.name()))?;
        self.disk().sync_dir(&generation)?;
        self.disk().sync_dir(tree)
    }

    fn prepare(&self, prepared: &Path, draft: &Draft, last: Number) -> Result<(), FileError> {
        self.disk().make_dir(prepared)?;
        self.disk()
            .link(&draft.path, &prepared.join(last.next().name()))?;
        self.disk().sync_dir(prepared)?;
        self.disk().sync_dir(&self.dir)
    }

    /// The version is in its place. Sync it to the disk and notify the watchers.
    fn committed(&self, draft: &Draft, number: Number) -> Result<Swapped, Failure> {
        self.settle(number).map_err(FileError::unknown)?;
        self.seen.see(self.key, number);
        self.group.ring(draft);
        Ok(Swapped::Committed(number.version()))
    }

    fn give_up(&self, paths: &[&Path]) {
        for path in paths {
            self.group.discard(path);
        }
    }
}
