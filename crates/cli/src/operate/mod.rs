//! Commands for operators: `resign` moves the leadership, `purge` removes what a group has stored.

mod args;
mod purge;
mod resign;

pub(crate) use args::{PurgeArgs, ResignArgs};
pub(crate) use purge::purge;
pub(crate) use resign::resign;
