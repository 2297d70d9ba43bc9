//! [`Body`]: the body of a job's record on its way to the store.

use std::sync::{Mutex, MutexGuard, PoisonError};

use incumbent_cluster_core::JobRecord;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The body of a job's record, which can be taken out. A handle of the library keeps what it read
/// or wrote last; the machine has that already, and with a thousand jobs once is enough.
pub(super) struct Body(Mutex<Option<Box<JobRecord>>>);

impl Body {
    /// What is to be written.
    pub(super) fn new(record: Box<JobRecord>) -> Self {
        Self(Mutex::new(Some(record)))
    }

    /// Whether its job has ended.
    pub(super) fn is_terminal(&self) -> bool {
        let record = self.lock();
        record
            .as_ref()
            .is_some_and(|record| record.state.is_terminal())
    }

    /// Takes it out, if that was not done before.
    pub(super) fn take(&self) -> Option<Box<JobRecord>> {
        self.lock().take()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Box<JobRecord>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Serialize for Body {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &*self.lock() {
            Some(record) => record.serialize(serializer),
            None => Err(serde::ser::Error::custom("it was taken out")),
        }
    }
}

impl<'de> Deserialize<'de> for Body {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        JobRecord::deserialize(deserializer).map(|record| Self::new(Box::new(record)))
    }
}
