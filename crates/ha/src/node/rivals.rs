//! The holder that stands in the way: its liveness endpoint, and what the backend shows of it.

use futures::future::BoxFuture;
use incumbent_backend::Gone;
use incumbent_core::Nonce;

use super::{Node, Setup};
use crate::liveness::{Verdict, probe};

/// The connection to the liveness endpoint of a holder.
pub(super) struct Probe {
    address: String,
    nonce: Nonce,
    run: BoxFuture<'static, Verdict>,
}

/// A holder that has to go, if the backend shows that it lives.
pub(super) struct Rival {
    nonce: Nonce,
    vanished: BoxFuture<'static, Gone>,
}

impl Node {
    pub(super) fn aim_probe(&mut self) {
        let Some((liveness, nonce)) = self
            .election
            .probe_target()
            .filter(|_| self.server.is_some())
        else {
            self.probe = None;
            return;
        };
        if self
            .probe
            .as_ref()
            .is_some_and(|probe| probe.nonce == nonce && probe.address == liveness.address)
        {
            return;
        }
        let address = liveness.address.clone();
        let same_scope = liveness.scope.is_some() && liveness.scope == self.scope;
        let (holder, retry) = (
            self.setup.config.holder.clone(),
            self.setup.config.timing.retry(),
        );
        let target = address.clone();
        let run = Box::pin(async move { probe(&target, nonce, same_scope, &holder, retry).await });
        self.probe = Some(Probe {
            address,
            nonce,
            run,
        });
    }

    pub(super) fn watch_rival(&mut self) {
        let nonce = self.election.rival().map(|root| root.nonce);
        if nonce == self.rival.as_ref().map(|rival| rival.nonce) {
            return;
        }
        let Setup { backend, group, .. } = &self.setup;
        self.rival = nonce.map(|nonce| Rival {
            nonce,
            vanished: backend.vanished(group, nonce),
        });
    }
}

pub(super) async fn verdict(probe: &mut Option<Probe>) -> (Nonce, Verdict) {
    match probe {
        Some(probe) => (probe.nonce, (&mut probe.run).await),
        None => std::future::pending().await,
    }
}

pub(super) async fn vanished(rival: &mut Option<Rival>) -> (Nonce, Gone) {
    match rival {
        Some(rival) => (rival.nonce, (&mut rival.vanished).await),
        None => std::future::pending().await,
    }
}
