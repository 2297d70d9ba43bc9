//! Checks whether a campaign would be allowed, with requests that can never take effect.
//!
//! ZooKeeper checks the ACL of a request before anything else. So a request that must fail for
//! another reason reveals the right: `NoAuth` if the ACL forbids it, the other error if not. That
//! is better than reading ACLs, since only the server knows all identities of a connection.

use incumbent_backend::{GroupName, Key, Rights};
use zookeeper_client::{Client, CreateMode, Error, MultiWriteError};

use crate::error::ZooKeeperError;
use crate::names::{self, Life};
use crate::session::{Call, Session};

/// A version that no node has, since each write adds one, starting from 0.
const NEVER: i32 = i32::MIN;

pub(crate) async fn check(session: &Session, group: &GroupName) -> Result<Rights, ZooKeeperError> {
    let call = session.call();
    let client = session.client(&call).await?;
    let base = &session.settings.base;
    let group_node = names::group_node(base, group);
    let root = names::key_node(base, &Key::root(group.clone()));
    let prober = Prober {
        session,
        call,
        client,
    };
    let parent = prober.nearest(&group_node).await?;
    if prober.may_create_in(&parent).await? == Allowed::No {
        return Ok(prober.missing("create", &parent));
    }
    // All records have their creator's ACL, so the root's ACL stands for them all.
    match prober.may_read(&root).await? {
        Allowed::NoNode => return Ok(Rights::Granted),
        Allowed::No => return Ok(prober.missing("read", &root)),
        Allowed::Yes => {}
    }
    if prober.may_write(&root).await? == Allowed::No {
        return Ok(prober.missing("write", &root));
    }
    Ok(Rights::Granted)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Allowed {
    Yes,
    No,
    NoNode,
}

struct Prober<'a> {
    session: &'a Session,
    call: Call,
    client: Client,
}

impl Prober<'_> {
    /// The node, or its nearest existing ancestor, where the first create would happen.
    async fn nearest(&self, node: &str) -> Result<String, ZooKeeperError> {
        let mut node = node;
        loop {
            let found = self.call.answer(self.client.check_stat(node)).await;
            if found
                .map_err(|error| ZooKeeperError::of(node, error))?
                .is_some()
            {
                return Ok(node.to_owned());
            }
            node = match node.rsplit_once('/') {
                Some(("", _)) | None => return Ok("/".to_owned()),
                Some((above, _)) => above,
            };
        }
    }

    async fn may_read(&self, node: &str) -> Result<Allowed, ZooKeeperError> {
        match self.call.answer(self.client.get_children(node)).await {
            Ok(_) => Ok(Allowed::Yes),
            Err(Error::NoAuth) => Ok(Allowed::No),
            Err(Error::NoNode) => Ok(Allowed::NoNode),
            Err(error) => Err(ZooKeeperError::of(node, error)),
        }
    }

    async fn may_write(&self, node: &str) -> Result<Allowed, ZooKeeperError> {
        let written = self.client.set_data(node, b"", Some(NEVER));
        match self.call.answer(written).await {
            Ok(_) | Err(Error::BadVersion) => Ok(Allowed::Yes),
            Err(Error::NoAuth) => Ok(Allowed::No),
            Err(Error::NoNode) => Ok(Allowed::NoNode),
            Err(error) => Err(ZooKeeperError::of(node, error)),
        }
    }

    /// Tries it with a transaction that creates a node and then fails.
    async fn may_create_in(&self, parent: &str) -> Result<Allowed, ZooKeeperError> {
        let child = Life::fresh().node(parent.trim_end_matches('/'));
        let creation = self.session.settings.creation(CreateMode::Persistent);
        let mut multi = self.client.new_multi_writer();
        multi
            .add_create(&child, b"", &creation)
            .and_then(|()| multi.add_check_version(parent, NEVER))
            .map_err(|error| ZooKeeperError::of(parent, error))?;
        match self.call.answer(multi.commit()).await {
            Err(MultiWriteError::OperationFailed { index: 0, source }) => match source {
                Error::NoAuth => Ok(Allowed::No),
                Error::NoNode => Ok(Allowed::NoNode),
                source => Err(ZooKeeperError::of(parent, source)),
            },
            // The create was accepted, and the transaction's failure undid it.
            Ok(_) | Err(MultiWriteError::OperationFailed { .. }) => Ok(Allowed::Yes),
            Err(error) => Err(ZooKeeperError::of(parent, error.into())),
        }
    }

    fn missing(&self, what: &str, node: &str) -> Rights {
        let settings = &self.session.settings;
        let account = match settings.hosts.login() {
            Some(login) => format!("the user {:?}", login.user),
            None => "this process, which logs in as nobody,".to_owned(),
        };
        Rights::Missing(format!(
            "{account} may not {what} {node} in ZooKeeper ({}): its ACL does not allow it; give it \
             cdrwa there (zkCli: setAcl -R), or put the user who may into the address",
            settings.hosts
        ))
    }
}
