//! [`Channels`]: timely's channels, on our sockets or inside this process.

use std::any::Any;

use timely::communication::Hooks;
use timely::communication::allocator::ProcessBuilder;
use timely::communication::allocator::zero_copy::initialize::initialize_networking_from_sockets;

use super::Mesh;
use crate::engine::Wiring;
use crate::{Error, Result};

/// What a worker sends and receives by.
pub(crate) struct Channels {
    /// For the worker.
    pub(crate) wiring: Wiring,
    /// The threads that send and receive. Dropping it waits until this worker and all others have
    /// let go of their channels.
    pub(crate) threads: Box<dyn Any + Send>,
}

impl Mesh {
    /// Starts two threads for each other rank.
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    pub(crate) fn channels(self) -> Result<Channels> {
        let hooks = Hooks::default();
        let process = ProcessBuilder::new_typed_vector(1, hooks.refill.clone(), None);
        let rank = self.rank as usize;
        let made = initialize_networking_from_sockets(process, self.sockets, rank, 1, hooks);
        let (mut builders, threads) = made.map_err(|cause| Error::Io {
            doing: "starting the threads for the other tasks".to_owned(),
            cause,
        })?;
        let builder = builders.pop().expect("there is one for each worker");
        Ok(Channels {
            wiring: Wiring::Mesh(builder),
            threads: Box::new(threads),
        })
    }
}

/// For so many workers in one process.
pub(crate) fn threads(count: u32) -> Vec<Wiring> {
    if count == 1 {
        return vec![Wiring::Alone];
    }
    // Between threads too, records are encoded: what cannot be is then found without a cluster.
    let refill = Hooks::default().refill;
    let builders = ProcessBuilder::new_bytes_vector(count as usize, refill, None);
    builders.into_iter().map(Wiring::Threads).collect()
}
