//! Reads and lists.

use futures::{StreamExt, TryStreamExt, stream};
use incumbent_backend::{GroupName, Listed, Stored};
use zookeeper_client::{Client, Error, Stat};

use crate::error::ZooKeeperError;
use crate::names::{self, Life, State};
use crate::session::Session;

/// How often a read is repeated if the node was removed and created while it ran.
const LOOKS: usize = 5;

/// Requests of one list that are pending at the same time.
const LIST_WINDOW: usize = 256;

/// The result of one read of a node, consistent unless it is torn.
enum Look {
    Absent,
    Found(Stored),
    /// The two answers are about different nodes.
    Torn,
}

pub(crate) async fn read(session: &Session, node: &str) -> Result<Option<Stored>, ZooKeeperError> {
    let call = session.call();
    let client = session.client(&call).await?;
    for _ in 0..LOOKS {
        let look = call.answer(look(&client, node)).await;
        match look.map_err(|error| ZooKeeperError::of(node, error))? {
            Look::Absent => return Ok(None),
            Look::Found(stored) => return Ok(Some(stored)),
            Look::Torn => {}
        }
    }
    Err(ZooKeeperError::Unsteady { path: node.into() })
}

/// The requests are sent together and answered in order. This takes one round trip, and the reads
/// see the state that `sync` brought.
async fn look(client: &Client, node: &str) -> Result<Look, Error> {
    let sync = client.sync(node);
    let data = client.get_data(node);
    let children = client.get_children(node);
    sync.await?;
    let (body, stat) = match data.await {
        Err(Error::NoNode) => return Ok(Look::Absent),
        data => data?,
    };
    let (children, of_children) = match children.await {
        Err(Error::NoNode) => return Ok(Look::Torn),
        children => children?,
    };
    if stat.czxid != of_children.czxid {
        return Ok(Look::Torn);
    }
    Ok(Look::Found(Stored {
        version: state(&children, &stat).version(),
        body,
    }))
}

/// The version state of a node with these children, from a `Stat` of the same creation.
fn state(children: &[String], stat: &Stat) -> State {
    let data = stat.version;
    match Life::of_children(children) {
        Some(life) => State::Of { life, data },
        None => State::Bare {
            czxid: stat.czxid,
            data,
        },
    }
}

/// The groups below the base that have a node. A group whose records were all removed is listed as
/// long as its own node exists.
pub(crate) async fn groups(session: &Session) -> Result<Vec<GroupName>, ZooKeeperError> {
    let call = session.call();
    let client = session.client(&call).await?;
    let base = match session.settings.base.as_str() {
        "" => "/",
        base => base,
    };
    let asked = async {
        let (sync, children) = (client.sync(base), client.list_children(base));
        sync.await?;
        children.await
    };
    let children = match call.answer(asked).await {
        Err(Error::NoNode) => return Ok(Vec::new()),
        children => children.map_err(|error| ZooKeeperError::of(base, error))?,
    };
    let mut groups: Vec<GroupName> = children
        .iter()
        .filter_map(|name| name.parse().ok())
        .collect();
    groups.sort();
    Ok(groups)
}

pub(crate) async fn list(
    session: &Session,
    group: &GroupName,
) -> Result<Vec<Listed>, ZooKeeperError> {
    let call = session.call();
    let client = session.client(&call).await?;
    let base = &session.settings.base;
    let node = names::group_node(base, group);
    let of = |path: &str, error| ZooKeeperError::of(path, error);
    let asked = async {
        let (sync, children) = (client.sync(&node), client.list_children(&node));
        sync.await?;
        children.await
    };
    let children = match call.answer(asked).await {
        Err(Error::NoNode) => return Ok(Vec::new()),
        children => children.map_err(|error| of(&node, error))?,
    };
    // A name that is not a valid key does not belong to us.
    let keys = children
        .iter()
        .filter_map(|name| names::key_of(group, name));
    let keys: Vec<_> = keys.collect();
    let versions = stream::iter(keys).map(|key| {
        let (call, client) = (&call, &client);
        async move {
            let node = names::key_node(base, &key);
            // The children and the `Stat` come from one moment, and the body is not needed.
            match call.answer(client.get_children(&node)).await {
                Err(Error::NoNode) => Ok(None),
                Err(error) => Err(ZooKeeperError::of(&node, error)),
                Ok((children, stat)) => Ok(Some(Listed {
                    key,
                    version: state(&children, &stat).version(),
                })),
            }
        }
    });
    let listed = versions.buffer_unordered(LIST_WINDOW);
    let mut listed: Vec<_> = listed
        .try_filter_map(|found| std::future::ready(Ok(found)))
        .try_collect()
        .await?;
    listed.sort_by(|a, b| a.key.item().cmp(b.key.item()));
    Ok(listed)
}
