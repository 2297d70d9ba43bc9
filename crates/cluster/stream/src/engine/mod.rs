//! The engine: operators on Timely Dataflow, and the loop of a worker.
//!
//! Nothing else names timely, but `mesh`, which makes its sockets. Start with [`Plan`], which is a
//! job before it runs, then [`work()`], which runs it; the operators are beside them.

mod control;
mod gossip;
mod pace;
mod parcels;
mod plan;
mod quiet;
mod report;
mod sink;
mod snapshots;
mod source;
mod stateful;
mod wiring;
mod work;

#[cfg(test)]
mod tests;

pub(crate) use control::Control;
pub(crate) use plan::{OpenSink, OpenSource, Opened, Plan};
pub(crate) use sink::attach_sink;
pub(crate) use source::{Extract, SourceRun};
pub(crate) use stateful::stateful;
pub(crate) use wiring::Wiring;
#[allow(unused_imports, reason = "the runtime is on its way")]
pub(crate) use work::{Seat, work};

/// What a job runs in: a scope of timely, with our times in it.
pub(crate) type Scope<'s> = timely::dataflow::Scope<'s, u64>;

/// A stream of timely.
pub(crate) type Flow<'s, T> = timely::dataflow::StreamVec<'s, u64, T>;

/// Where the dataflow is, behind all of it.
pub(crate) type Probe = timely::dataflow::ProbeHandle<u64>;

/// What a rank of a source says of its event time.
#[derive(Clone, Copy, Debug, serde::Serialize, serde::Deserialize)]
pub(crate) struct Told {
    pub(crate) source: u32,
    pub(crate) rank: u32,
    pub(crate) mark: crate::rounds::Mark,
}
