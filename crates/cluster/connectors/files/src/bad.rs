//! [`Bad`]: what happens with records that are not understood.

use incumbent_stream::BoxError;

use crate::Error;

/// How many of them have a log line each: enough to see what is wrong, and a file full of them does
/// not fill the log.
const LOGGED: u64 = 10;

/// What happens with records that are not understood.
#[derive(Debug)]
pub(crate) struct Bad {
    may_skip: bool,
    seen: u64,
}

impl Bad {
    pub(crate) fn new(may_skip: bool) -> Self {
        Self { may_skip, seen: 0 }
    }

    /// One was met: it is left out, or ends the job.
    ///
    /// # Errors
    ///
    /// [`Error::Bad`].
    pub(crate) fn met(&mut self, file: &str, at: String, cause: BoxError) -> Result<(), Error> {
        if !self.may_skip {
            let file = file.to_owned();
            return Err(Error::Bad { file, at, cause });
        }
        self.seen += 1;
        if self.seen <= LOGGED {
            tracing::warn!(
                file,
                at,
                error = %cause,
                "a record is not understood; it is left out, as the job says"
            );
        }
        if self.seen == LOGGED {
            tracing::warn!("more records like that are counted in the position, and not logged");
        }
        Ok(())
    }
}
