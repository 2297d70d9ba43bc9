//! A place to stop or pause at, before every call of the operating system.
//!
//! It is always compiled in, so that what is tested is what runs; only tests of this crate set it.

use std::fmt;
use std::sync::Arc;

/// What the process is about to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Look,
    List,
    Read,
    MakeDir,
    Create,
    Write,
    SyncFile,
    SyncDir,
    Link,
    Rename,
    Unlink,
    RemoveDir,
}

/// Whether to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Go {
    On,
    /// As if the process had been killed here. From then on the hook must always return it.
    #[cfg_attr(not(test), expect(dead_code, reason = "only tests kill"))]
    Dead,
}

/// Asked before every step; may also take its time.
#[derive(Clone, Default)]
pub(crate) struct Hook(Option<Arc<dyn Fn(Step) -> Go + Send + Sync>>);

impl Hook {
    #[cfg(test)]
    pub(crate) fn new(ask: impl Fn(Step) -> Go + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(ask)))
    }

    pub(crate) fn ask(&self, step: Step) -> Go {
        match &self.0 {
            None => Go::On,
            Some(ask) => ask(step),
        }
    }
}

impl fmt::Debug for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() {
            "Hook(set)"
        } else {
            "Hook(none)"
        })
    }
}
