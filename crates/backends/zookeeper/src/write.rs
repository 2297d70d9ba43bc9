//! Swaps. Each is one transaction of the server.

use incumbent_backend::{Erased, Failure, Key, Swapped};
use zookeeper_client::{Client, Error};

use crate::error::ZooKeeperError;
use crate::names::{self, Life, State};
use crate::session::{Call, Session};

/// How often an obstacle is removed, such as a missing parent. Another client may remove the parent
/// again.
const ATTEMPTS: usize = 3;

/// One swap under way. Only its last request writes a body. If the swap does not reach that
/// request, nothing is written.
pub(crate) struct Swap<'a> {
    session: &'a Session,
    call: Call,
    client: Client,
    key: &'a Key,
    node: String,
    body: &'a [u8],
}

impl<'a> Swap<'a> {
    pub(crate) async fn begin(
        session: &'a Session,
        key: &'a Key,
        body: &'a [u8],
    ) -> Result<Self, Failure> {
        let call = session.call();
        let client = session.client(&call).await;
        Ok(Self {
            session,
            call,
            client: client.map_err(ZooKeeperError::before_the_write)?,
            key,
            node: names::key_node(&session.settings.base, key),
            body,
        })
    }

    /// Creates the node together with its life.
    pub(crate) async fn create(&self) -> Result<Swapped, Failure> {
        let creation = self.session.creation();
        for _ in 0..ATTEMPTS {
            let life = Life::fresh();
            let mut multi = self.client.new_multi_writer();
            multi
                .add_create(&self.node, self.body, &creation)
                .and_then(|()| multi.add_create(&life.node(&self.node), b"", &creation))
                .map_err(|error| self.failed(error).before_the_write())?;
            let answer = self.call.answer(multi.commit()).await;
            match answer.map_err(Error::from) {
                Ok(_) => {
                    let state = State::Of { life, data: 0 };
                    return Ok(Swapped::Committed(state.version()));
                }
                Err(Error::NodeExists) => return Ok(Swapped::Conflict),
                Err(Error::NoNode) => self.make_parents().await?,
                Err(error) => return Err(self.failed(error).of_the_write()),
            }
        }
        let path = self.node.clone();
        Err(ZooKeeperError::Unsteady { path }.before_the_write())
    }

    /// Replaces the body, if the node is still in this state.
    pub(crate) async fn replace(&self, state: State) -> Result<Swapped, Failure> {
        let (life, data) = match state {
            State::Of { life, data } => (life, data),
            State::Bare { czxid, data } => match self.adopt(czxid).await {
                Ok(Some(life)) => (life, data),
                Ok(None) => return Ok(Swapped::Conflict),
                Err(error) => return Err(error.before_the_write()),
            },
        };
        let mut multi = self.client.new_multi_writer();
        multi
            // -1 means any version, so this checks that the life exists.
            .add_check_version(&life.node(&self.node), -1)
            .and_then(|()| multi.add_set_data(&self.node, self.body, Some(data)))
            .map_err(|error| self.failed(error).before_the_write())?;
        let answer = self.call.answer(multi.commit()).await;
        match answer.map_err(Error::from) {
            Ok(_) => {
                let data = data.wrapping_add(1);
                Ok(Swapped::Committed(State::Of { life, data }.version()))
            }
            Err(Error::NoNode | Error::BadVersion) => Ok(Swapped::Conflict),
            Err(error) => Err(self.failed(error).of_the_write()),
        }
    }

    /// Removes the node with all its lives, if it is still in this state. If it has children that
    /// are not ours, it stays.
    pub(crate) async fn erase(&self, state: State) -> Result<Erased, Failure> {
        let (life, data) = match state {
            State::Of { life, data } => (life, data),
            State::Bare { czxid, data } => match self.adopt(czxid).await {
                Ok(Some(life)) => (life, data),
                Ok(None) => return Ok(Erased::Conflict),
                Err(error) => return Err(error.before_the_write()),
            },
        };
        // A node may have a second life, which another process gave it at the same moment, and
        // children that another program made.
        let mut lives = vec![life];
        for _ in 0..ATTEMPTS {
            let mut multi = self.client.new_multi_writer();
            for life in &lives {
                let added = multi.add_delete(&life.node(&self.node), None);
                added.map_err(|error| self.failed(error).before_the_write())?;
            }
            let added = multi.add_delete(&self.node, Some(data));
            added.map_err(|error| self.failed(error).before_the_write())?;
            let answer = self.call.answer(multi.commit()).await;
            match answer.map_err(Error::from) {
                Ok(_) => return Ok(Erased::Gone),
                Err(Error::NoNode | Error::BadVersion) => return Ok(Erased::Conflict),
                Err(Error::NotEmpty) => {}
                Err(error) => return Err(self.failed(error).of_the_write()),
            }
            let found = self
                .call
                .answer(self.client.list_children(&self.node))
                .await;
            let children = match found {
                Err(Error::NoNode) => return Ok(Erased::Conflict),
                found => found.map_err(|error| self.failed(error).before_the_write())?,
            };
            lives = Life::all_of(&children);
            if !lives.contains(&life) {
                return Ok(Erased::Conflict);
            }
            if lives.len() < children.len() {
                tracing::warn!(
                    node = self.node,
                    "somebody made nodes below this record, so it is not erased; a tombstone stays"
                );
                return Ok(Erased::Kept);
            }
        }
        let path = self.node.clone();
        Err(ZooKeeperError::Unsteady { path }.before_the_write())
    }

    /// Gives a life to a node that a person made, or takes the life that it has by now. Returns
    /// `None` if the node is not the one that this transaction created.
    ///
    /// The `czxid` is compared when the life already exists. A life found in a node was given to
    /// that node and is removed with it, so the following swap cannot affect a later node.
    async fn adopt(&self, czxid: i64) -> Result<Option<Life>, ZooKeeperError> {
        for _ in 0..ATTEMPTS {
            let found = self.call.answer(self.client.get_children(&self.node)).await;
            let (children, stat) = match found {
                Err(Error::NoNode) => return Ok(None),
                found => found.map_err(|error| self.failed(error))?,
            };
            if stat.czxid != czxid {
                return Ok(None);
            }
            if let Some(life) = Life::of_children(&children) {
                return Ok(Some(life));
            }
            let (life, creation) = (Life::fresh().node(&self.node), self.session.creation());
            match self
                .call
                .answer(self.client.create(&life, b"", &creation))
                .await
            {
                Ok(_) | Err(Error::NodeExists) => {}
                Err(Error::NoNode) => return Ok(None),
                Err(error) => return Err(self.failed(error)),
            }
        }
        let path = self.node.clone();
        Err(ZooKeeperError::Unsteady { path })
    }

    /// Creates the missing parents of the node. Other clients may do the same.
    async fn make_parents(&self) -> Result<(), Failure> {
        let group = names::group_node(&self.session.settings.base, self.key.group());
        let creation = self.session.creation();
        let made = self.call.answer(self.client.mkdir(&group, &creation)).await;
        match made {
            // Another client removed it again.
            Ok(()) | Err(Error::NoNode) => Ok(()),
            Err(error) => Err(ZooKeeperError::of(&group, error).before_the_write()),
        }
    }

    fn failed(&self, error: Error) -> ZooKeeperError {
        ZooKeeperError::of(&self.node, error)
    }
}
