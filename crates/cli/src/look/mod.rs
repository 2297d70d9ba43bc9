//! Commands that only look: `observe` follows who leads, `status` says it once, `ui` shows it in a
//! browser.

mod args;
mod observe;
mod status;
mod ui;

pub(crate) use args::{ObserveArgs, StatusArgs};
pub(crate) use observe::observe;
pub(crate) use status::status;
pub(crate) use ui::{UiArgs, ui};
