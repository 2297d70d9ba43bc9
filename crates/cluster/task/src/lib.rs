//! For tasks of a cluster, in Rust: checkpoints, restore, and output that appears once.
//!
//! A task is a process that `incumbent job run` starts, one of a gang. If its job file has
//! `[checkpoints]`, it speaks a small contract on a Unix socket, and this crate says the words. It
//! is a thin one: everything here is an HTTP request that `curl --unix-socket` can make too.
//!
//! ```text
//!  task                                    TaskManager                      other ranks
//!   │ restore()         what to start from ──┤                                   │
//!   │ FileSink::recover publish what it has promised                             │
//!   │ ready()           ────────────────────►│◄──────────────────── ready() ─────┤
//!   │◄──────────────────────── all are ready ┤                                   │
//!   │ work …                                 │                                   │
//!   │◄───────────────────────── Checkpoint 7 ┤  one moment of the whole gang     │
//!   │ checkpoint(7).put("state"), .ack()  ──►│                                   │
//!   │ work …                                 │   all have acknowledged: the      │
//!   │◄────────────────────────── Committed 7 ┤   record of the job is swapped    │
//!   │ publish what is staged up to 7         │                                   │
//!   │◄───────────────────────────────── Stop ┤                                   │
//!   └ exit 0
//! ```
//!
//! # A complete task
//!
//! It counts to a thousand, whatever is killed meanwhile, and with any number of tasks: the state
//! is kept by *part of the work* and not by rank, so that another number of ranks can share it.
//! Each number is in the output once.
//!
//! ```no_run
//! use std::collections::BTreeMap;
//! use std::io::Write;
//!
//! use incumbent_task::{Error, Event, FileSink, Staged, Task};
//!
//! /// How far each of eight counters is, and what is promised to appear.
//! #[derive(Default, serde::Serialize, serde::Deserialize)]
//! struct State {
//!     counters: BTreeMap<u32, u64>,
//!     staged: Vec<Staged>,
//! }
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let task = Task::from_env()?;
//!     let mut sink = FileSink::new(&task, "/mnt/output", "numbers")?;
//!
//!     // What all ranks had, and of it what is ours now.
//!     let mut restored = State::default();
//!     if let Some(restore) = task.restore()? {
//!         for (_, bytes) in restore.all("state")? {
//!             let part: State = serde_json::from_slice(&bytes)?;
//!             restored.counters.extend(part.counters);
//!             restored.staged.extend(part.staged);
//!         }
//!     }
//!     sink.recover(&restored.staged)?;
//!     let ours = (0..8).filter(|counter| counter % task.tasks() == task.rank());
//!     let mut counters: BTreeMap<u32, u64> =
//!         ours.map(|counter| (counter, restored.counters.get(&counter).copied().unwrap_or(0))).collect();
//!
//!     task.ready()?;
//!     let inbox = task.inbox();
//!     let mut has_finished = false;
//!     loop {
//!         // There is always work, or else the next event is waited for.
//!         let event = match counters.iter_mut().find(|(_, at)| **at < 1000) {
//!             Some((counter, at)) => {
//!                 *at += 1;
//!                 writeln!(sink, "{counter} {at}")?;
//!                 inbox.poll()?
//!             }
//!             None => {
//!                 if !has_finished {
//!                     let staged = sink.stage_last()?.to_vec();
//!                     let state = State { counters: counters.clone(), staged };
//!                     let mut last = task.last();
//!                     last.put_bytes("state", serde_json::to_vec(&state)?)?;
//!                     last.ack()?;
//!                     has_finished = true;
//!                 }
//!                 inbox.wait()?
//!             }
//!         };
//!         match event {
//!             Some(Event::Checkpoint { number, .. }) if !has_finished => {
//!                 let staged = sink.stage(number)?.to_vec();
//!                 let state = State { counters: counters.clone(), staged };
//!                 let mut part = task.checkpoint(number);
//!                 let stored = part.put_bytes("state", serde_json::to_vec(&state)?).map(drop);
//!                 match stored.and_then(|()| part.ack()) {
//!                     // What was staged belongs to the next one.
//!                     Ok(()) | Err(Error::NotPending { .. }) => {}
//!                     Err(error) => return Err(error.into()),
//!                 }
//!             }
//!             Some(Event::Committed { number }) => sink.committed(number)?,
//!             Some(Event::Stop) => return Ok(()),
//!             _ => {}
//!         }
//!     }
//! }
//! ```
//!
//! # What holds
//!
//! - **Requests wait out outages.** While the blobs are out, a TaskManager answers 503; the call
//!   sends again. It ends with [`Error::NotPending`] when the checkpoint has been aborted.
//! - **Nothing is said twice.** A stream of events that breaks is opened anew behind the scenes,
//!   and [`Events`] leaves out what it has told.
//! - **A file of another checkpoint is never read.** [`Restore::open`] gives the last bytes only
//!   when all are as they were stored.
//! - **Output appears once**, by [`FileSink`].
//!
//! - **Queries are answered beside the work**: a thread that reads [`Task::queries`] answers them
//!   with [`Task::answer`], and anyone who asks any node of the cluster sees the state of all
//!   ranks.
//!
//! # Why it blocks
//!
//! A task waits for its TaskManager only when it has nothing better to do, and a program that has
//! an async runtime can call this crate on a thread of its own: all handles are `Send`, and
//! [`Task`] is `Clone` and `Sync`. So there is no runtime here: requests are written to a
//! `UnixStream`, and heads of answers are read by `httparse`. JSON is the other dependency.
//!
//! Start reading in `task.rs`; `file_sink.rs` is for itself.

mod error;
mod events;
pub mod exit;
mod file_sink;
mod http;
mod part;
mod queries;
mod restore;
mod task;

pub use error::{Error, SinkError};
pub use events::{Event, Events, Inbox};
pub use file_sink::{FileSink, Place, Staged};
pub use part::{Part, StoredFile};
pub use queries::{Answer, Asked, Queries, Query};
pub use restore::{Restore, RestoredFile, RestoredRank};
pub use task::{Identity, Task};
