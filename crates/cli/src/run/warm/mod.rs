//! `incumbent run --standby warm`: COMMAND runs on every node, and is told which one leads.
//!
//! ```text
//!              ┌─ Event ─► machine/ (pure) ─── Action ─┐
//!   driver/ ───┤                                       ├─► the board that COMMAND reads (records_api/role.rs)
//!              └───────────────────────────────────────┴─► campaign, guard, hooks, endpoints
//! ```
//!
//! Start reading in `machine/`. While COMMAND stands by, its guard knows no deadline. Before it
//! is told that it leads, its guard is bound by the lease; the guard is released only when COMMAND
//! has acknowledged that it stands by, and only then the term is given up. So whatever happens to
//! this process, a COMMAND that was told to lead is dead before the lease ends, or has said that it
//! stopped. `docs/design/0019-warm-standby.md` says why it is so.

mod command;
mod driver;
mod hook;
mod machine;
mod term;

use std::process::ExitCode;
use std::sync::Arc;

use incumbent::{Candidate, Group};

use super::args::RunArgs;
use crate::exit::Failure;
use crate::signals::Signals;
pub(crate) use driver::Driver;

/// The variable that says whether COMMAND leads when it starts.
pub(super) const ROLE: &str = "INCUMBENT_ROLE";

pub(super) async fn lead(
    args: Arc<RunArgs>,
    address: &str,
    candidate: Candidate,
    group: &Group,
    signals: &mut Signals,
) -> Result<ExitCode, Failure> {
    let mut driver = Driver::new(args, address.to_owned(), candidate, group);
    driver.serve()?;
    driver.run(signals).await
}

/// Waits until a term that is being given up is given up, unless a signal says that this program is
/// to end at once.
pub(crate) async fn close(group: Group, signals: &mut Signals) {
    tokio::select! {
        () = group.close() => {}
        () = signals.end() => {}
    }
}
