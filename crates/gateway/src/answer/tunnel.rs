//! What follows an upgrade: bytes both ways, until either side ends.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use incumbent::Seal;

use crate::shared::Shared;

/// A tunnel that runs once its connection has said that it is one.
pub(crate) type Tunnel = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Who runs tunnels.
#[derive(Clone)]
pub(crate) enum Tunnels {
    /// The task of the connection, when HTTP has ended on it: so it is counted, and ended, as one.
    Connection(Arc<Mutex<Option<Tunnel>>>),
    /// A task of its own, where somebody else serves the connection.
    Task,
}

impl Tunnels {
    pub(crate) fn take(self, tunnel: Tunnel) {
        match self {
            Self::Connection(place) => {
                *place.lock().unwrap_or_else(PoisonError::into_inner) = Some(tunnel);
            }
            Self::Task => drop(tokio::spawn(tunnel)),
        }
    }
}

/// Carries bytes between a client and the leader of this term.
pub(crate) async fn run(shared: Arc<Shared>, client: OnUpgrade, node: OnUpgrade, term: Seal) {
    let (Ok(client), Ok(node)) = futures::join!(client, node) else {
        return;
    };
    let (mut client, mut node) = (TokioIo::new(client), TokioIo::new(node));
    tokio::select! {
        // However it ends, both connections are closed then.
        _ = tokio::io::copy_bidirectional(&mut client, &mut node) => {}
        () = shared.outlived(term) => {}
    }
}
