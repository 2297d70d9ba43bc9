//! A place where tests can stop or pause the process, before every system call.
//!
//! It is always compiled in, so that the tested code is the code that runs. Only tests of this
//! crate set it.

use std::fmt;
use std::sync::Arc;

/// The system call that comes next.
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

/// Whether to continue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Go {
    On,
    /// Behaves as if the process had been killed here. From then on the hook must always return
    /// this.
    #[cfg_attr(not(test), expect(dead_code, reason = "only tests kill"))]
    Dead,
}

/// Called before every step. It may block.
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
