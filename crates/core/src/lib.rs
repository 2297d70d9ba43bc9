//! Pure decisions of Incumbent: who leads, when somebody may take over, what a write may do.
//!
//! Nothing in this crate reads a clock, opens a socket, draws a random number or awaits. Everything
//! takes events and a time and returns actions; the crate `incumbent` performs them. So all of it
//! can be simulated, and is.
//!
//! ```text
//!            events + time                     actions
//!   ──────────────────────────►  Election  ──────────────────►  read root, swap root, grant, lose
//!   answers of the backend  ──►  Write     ──────────────────►  read record, swap record, done
//!   hints and listings      ──►  Told      ──────────────────►  records that may have changed
//! ```
//!
//! Start reading in [`root`] (what the group's one root record holds), then [`election`], then
//! [`mod@write`].

pub mod changes;
pub mod election;
mod epoch;
mod name;
pub mod pace;
pub mod record;
pub mod root;
mod time;
mod timing;
mod view;
pub mod write;

pub use epoch::{Epoch, Nonce, ParseNonceError, Seal};
pub use name::{BadName, EndpointName, GroupName, HolderName, Key, RecordName, Version};
pub use pace::Pace;
pub use time::{Now, Time};
pub use timing::{BadTiming, Timing, TimingOptions};
pub use view::{Leader, View, ViewTracker};
