//! Why a worker cannot be used: [`WorkerError`].

use std::io;
use std::net::SocketAddr;

use super::WorkerAddress;

/// Why a worker cannot be used. Each message names the address that the worker connected from, the
/// address that was tried, and what to do.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// The worker advertises something that is no address. Nothing was tried.
    #[error(
        "the worker that connected from {from} advertises {advertised:?}, which is neither host \
         nor host:port; correct what it advertises, or let it advertise nothing"
    )]
    NoAddress {
        /// Where it connected from.
        from: SocketAddr,
        /// What it advertises.
        advertised: String,
    },
    /// The worker advertises an address to listen on: all addresses of a host, several hosts, or
    /// port 0. Connecting there would reach this host, or nobody. Nothing was tried.
    #[error(
        "the worker that connected from {from} advertises {tried}, an address to listen on: others \
         cannot connect there; let it advertise an address by which others reach it, or nothing"
    )]
    BindAddress {
        /// Where it connected from.
        from: SocketAddr,
        /// What it advertises.
        tried: WorkerAddress,
    },
    /// Nothing takes connections there.
    #[error(
        "cannot reach the worker that connected from {from} at {tried}, {}",
        advice(*.is_advertised)
    )]
    NotReached {
        /// Where it connected from.
        from: SocketAddr,
        /// What was tried.
        tried: WorkerAddress,
        /// Whether the worker advertises that address, rather than it being where it connected
        /// from.
        is_advertised: bool,
        /// The system's error.
        #[source]
        source: io::Error,
    },
    /// A process takes connections there and does not answer.
    #[error(
        "cannot verify the worker that connected from {from}: a process at {tried} took the \
         connection and sent nothing; check that the worker listens there and is not stuck{}",
        if *.is_advertised { ", or correct the address that it advertises" } else { "" }
    )]
    Silent {
        /// Where it connected from.
        from: SocketAddr,
        /// What was tried.
        tried: WorkerAddress,
        /// Whether the worker advertises that address, rather than it being where it connected
        /// from.
        is_advertised: bool,
    },
    /// A process takes connections there, but it is not this worker.
    #[error(
        "another process than the worker that connected from {from} answers at {tried}, {}",
        advice(*.is_advertised)
    )]
    SomebodyElse {
        /// Where it connected from.
        from: SocketAddr,
        /// What was tried.
        tried: WorkerAddress,
        /// Whether the worker advertises that address, rather than it being where it connected
        /// from.
        is_advertised: bool,
    },
}

fn advice(is_advertised: bool) -> &'static str {
    if is_advertised {
        "the address that it advertises; correct the address, or, if it is right, check that its \
         port is open from here"
    } else {
        "the address that it connected from, with the port that it listens on; check that it \
         listens on all addresses and that the port is open from here, or, if addresses are \
         translated in between, tell it what to advertise"
    }
}
