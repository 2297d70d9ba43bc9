//! `incumbent top`: a cluster at a glance, in a terminal.
//!
//! ```text
//!   watch.rs ──what the nodes answer──┐        news.rs: when to ask
//!   input.rs ──keys───────────────────┼──► state/ (pure): Event in, Action out ──► driver.rs does it
//!   the clock, signals ───────────────┘        │
//!                                              └──► draw/ (pure): State in, cells out ──► screen.rs
//! ```
//!
//! Start reading in `state/mod.rs`. Without a terminal `plain.rs` prints one look. Everything is
//! `/v1` of any node, and `/readyz`, which says whether somebody leads and is never held.

mod args;
mod draw;
mod driver;
mod input;
mod news;
mod plain;
mod plan;
mod screen;
mod snapshot;
mod state;
mod watch;

use std::io::IsTerminal;
use std::process::ExitCode;

use super::client::Client;
use crate::exit::Failure;
use crate::show;
pub(crate) use args::TopArgs;

pub(crate) async fn top(args: TopArgs) -> Result<ExitCode, Failure> {
    if args.output.is_json_asked() {
        let snapshot = snapshot::take(&Client::new(&args.cluster)?).await?;
        show::json_line(&snapshot)?;
    } else if args.output.is_table_asked() || !has_screen() {
        let snapshot = snapshot::take(&Client::new(&args.cluster)?).await?;
        show::line(plain::lines(&snapshot, show::moment()).join("\n"))?;
    } else {
        return driver::run(&args.cluster).await;
    }
    Ok(ExitCode::SUCCESS)
}

/// Whether standard output is a terminal on which a cursor can be moved.
fn has_screen() -> bool {
    let is_dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb" || term.is_empty());
    std::io::stdout().is_terminal() && !is_dumb
}
