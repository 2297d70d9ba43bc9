//! [`Link`]: the present connection of a session.

use zookeeper_client::{Client, Error};

/// The present connection.
#[derive(Clone, Default)]
pub(crate) struct Link {
    /// `None` while there is none.
    pub(crate) client: Option<Client>,
    /// Counts the connections. Each has a client of its own, even if it continues the session of
    /// the previous one, so watches must be set again.
    pub(crate) number: u64,
    /// Why the last attempt failed, if it did.
    pub(crate) trouble: Option<Error>,
}
