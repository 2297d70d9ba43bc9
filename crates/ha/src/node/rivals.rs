//! The holder that stands in the way: its liveness endpoint, and what the backend shows of it.

use futures::future::BoxFuture;
use incumbent_backend::Gone;
use incumbent_core::Nonce;
use incumbent_core::root::LivenessAddress;

use super::{Node, Setup};
use crate::liveness::{LivenessProbe, ProbeOptions, SignOfDeath, Stakes};

/// The connection to the liveness endpoint of a holder.
pub(super) struct Probe {
    address: LivenessAddress,
    nonce: Nonce,
    probe: LivenessProbe,
}

/// Why the holder of a term does not stand in the way any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Its liveness endpoint proves it.
    Proven(SignOfDeath),
    /// The backend saw it, and does not see it any more. That is no proof.
    Vanished,
    /// The system that ran it says that it has ended, and how.
    Ended(String),
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
        let aimed = self.probe.as_ref();
        if aimed.is_some_and(|probe| probe.nonce == nonce && probe.address == *liveness) {
            return;
        }
        let address = liveness.clone();
        let options = ProbeOptions {
            longest_pause: self.setup.config.timing.retry(),
            ..ProbeOptions::new(self.setup.config.holder.clone(), Stakes::Low)
        };
        self.probe = Some(Probe {
            probe: LivenessProbe::start(address.clone(), nonce, options),
            address,
            nonce,
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

pub(super) async fn verdict(probe: &Option<Probe>) -> (Nonce, Verdict) {
    match probe {
        Some(probe) => (probe.nonce, Verdict::Proven(probe.probe.dead().await)),
        None => std::future::pending().await,
    }
}

pub(super) async fn vanished(rival: &mut Option<Rival>) -> (Nonce, Gone) {
    match rival {
        Some(rival) => (rival.nonce, (&mut rival.vanished).await),
        None => std::future::pending().await,
    }
}
