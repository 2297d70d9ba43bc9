//! [`Candidate`]: campaigns until it leads.

use std::sync::Arc;

use tokio::sync::oneshot;

use crate::liveness::LivenessServer;
use crate::node::Command;
use crate::observer::TASK;
use crate::{Group, Leadership};

/// Wants to lead a group.
pub struct Candidate {
    group: Group,
    server: Option<Arc<LivenessServer>>,
}

impl Candidate {
    pub(crate) fn new(group: Group, server: Option<Arc<LivenessServer>>) -> Self {
        Self { group, server }
    }

    /// Waits until this process leads.
    ///
    /// A term is won when the root record is this process's and the group's floor carries its seal,
    /// so that the epoch is led by nobody else, ever. The state is then *activating*: open what you
    /// need, publish your endpoints, then [`activate`](Leadership::activate). A process has at most
    /// one leadership of a group; a second campaign waits for the first leadership to end. If the
    /// store is away, or [refuses](Group::missing_rights) this process, the campaign waits.
    ///
    /// # Panics
    ///
    /// If the group's task has panicked, or its runtime was shut down; or if the system has no room
    /// for one more thread.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the campaign. If the term was won at that very moment, it is given
    /// up.
    pub async fn campaign(&self) -> Leadership {
        let turn = Arc::clone(&self.group.inner.turn).lock_owned().await;
        let (granted, receiver) = oneshot::channel();
        let command = Command::Campaign {
            granted,
            liveness: self.server.clone(),
        };
        let grant = match self.group.inner.commands.send(command).await {
            Ok(()) => receiver.await.ok(),
            Err(_) => None,
        };
        Leadership::new(
            self.group.clone(),
            grant.expect(TASK),
            turn,
            self.server.clone(),
        )
    }

    /// The socket of the liveness endpoint, if there is one, as
    /// [`Leadership::liveness_socket`]: for a watchdog that is started before this process leads.
    /// It is the same socket in all terms of this candidate.
    ///
    /// # Errors
    ///
    /// If the system has no room for one more descriptor.
    pub fn liveness_socket(&self) -> std::io::Result<Option<std::net::TcpListener>> {
        let server = self.server.as_ref();
        server.map(|server| server.socket()).transpose()
    }

    /// The group.
    pub fn group(&self) -> &Group {
        &self.group
    }
}
