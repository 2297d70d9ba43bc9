//! Commands that only look: `observe` follows who leads, `status` says it once.

mod args;
mod observe;
mod status;

pub(crate) use args::{ObserveArgs, StatusArgs};
pub(crate) use observe::observe;
pub(crate) use status::status;
