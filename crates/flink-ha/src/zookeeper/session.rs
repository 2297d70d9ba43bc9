//! One short session, in which something is read or written.

use std::time::Duration;

use incumbent_backend::BoxError;
use tokio::time::timeout;
use zookeeper_client::{Client, Error};

use super::connection::Connection;
use super::target::ZooKeeperTarget;
use crate::error::FlinkError;

/// How long a person waits for all of it.
const IN_TIME: Duration = Duration::from_secs(30);

/// How long all writes of a large cluster may take. A server that is gone is noticed long before.
const WRITTEN_IN_TIME: Duration = Duration::from_secs(600);

/// Why something was not read.
pub(super) enum Unread {
    /// The server refused a request for this path, or did not answer it.
    At(String, Error),
    Flink(FlinkError),
}

impl From<FlinkError> for Unread {
    fn from(error: FlinkError) -> Self {
        Self::Flink(error)
    }
}

/// Reads on a connection of its own, in time.
pub(super) async fn in_session<T>(
    target: &ZooKeeperTarget,
    read: impl AsyncFnOnce(&Client) -> Result<T, Unread>,
) -> Result<T, FlinkError> {
    within(IN_TIME, target, read).await
}

/// The same for writes.
pub(super) async fn in_long_session<T>(
    target: &ZooKeeperTarget,
    write: impl AsyncFnOnce(&Client) -> Result<T, Unread>,
) -> Result<T, FlinkError> {
    within(WRITTEN_IN_TIME, target, write).await
}

async fn within<T>(
    limit: Duration,
    target: &ZooKeeperTarget,
    read: impl AsyncFnOnce(&Client) -> Result<T, Unread>,
) -> Result<T, FlinkError> {
    let unavailable = |source: Option<BoxError>| FlinkError::Unavailable {
        store: format!("ZooKeeper at {}", target.hosts),
        source,
    };
    let tls = target.tls()?;
    let read = async {
        let connection = Connection::to(target, tls.as_ref()).await;
        let connection = connection.map_err(|error| unavailable(Some(error.into())))?;
        tokio::select! {
            biased;
            lost = connection.lost() => Err(unavailable(Some(lost.into()))),
            read = read(connection.client()) => match read {
                Ok(read) => Ok(read),
                Err(Unread::Flink(error)) => Err(error),
                Err(Unread::At(path, Error::NoAuth)) => Err(FlinkError::Refused {
                    what: format!("read of {path}"),
                    source: Error::NoAuth.into(),
                }),
                Err(Unread::At(_, error)) => Err(unavailable(Some(error.into()))),
            },
        }
    };
    let read = timeout(limit, read).await;
    read.unwrap_or_else(|_| Err(unavailable(None)))
}
